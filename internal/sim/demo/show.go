package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// until shows the demo until all is settled (then settled is true), ctx ends,
// an actor fails (acting ends), or the worker stops by itself.
func (s *show) until(ctx, acting context.Context, produced <-chan struct{}, stopped chan error) (settled bool, err error) {
	frames, lines := 200*time.Millisecond, time.Second
	if !s.screen.tty {
		frames = lines
		s.screen.print("engage-worker demo: an embedded broker, a simulated Twilio, a producer and the worker in one process")
	}
	if s.desk != nil {
		s.screen.print(" The desk is at "+s.desk.address(), "")
	}
	if s.opts.Events == 0 {
		s.screen.print(s.reachable()...)
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var shown, counted, advanced time.Time
	var last readings
	var history []moment
	advanced = time.Now()
	progress, ended := -1, false
	for {
		now := time.Now()
		before := last
		if last, err = takeReadings(s.metrics); err != nil {
			return false, err
		}
		s.narrate(&before, &last)
		if n := total(&last); n > progress {
			progress, advanced = n, now
		}
		history = append(history, moment{now, sentBy(&last)})
		for len(history) > 1 && now.Sub(history[1].at) >= time.Second {
			history = history[1:]
		}
		done := isClosed(produced) && s.settled(&last)
		if done && !ended || now.Sub(counted) >= time.Second {
			if err := s.countOthers(ctx); err != nil {
				return false, err
			}
			counted, done = now, done && s.settled(&last)
		}
		if now.Sub(shown) >= frames || done && !ended {
			shown = now
			s.show(last, history)
		}
		ended = done
		switch {
		case done && s.desk == nil:
			return true, nil
		case !done && now.Sub(advanced) > patience && (isClosed(produced) || progress == 0):
			return false, fmt.Errorf("the worker has settled nothing for %s", patience)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return done, nil
		case err := <-stopped:
			stopped <- nil // for the caller's wait
			if err == nil {
				err = errors.New("the worker stopped by itself")
			}
			return false, err
		case <-acting.Done():
			return false, nil // the actor's error says why
		}
	}
}

// moment is how many messages had been sent by a time, by region.
type moment struct {
	at   time.Time
	sent map[string]int
}

func sentBy(r *readings) map[string]int {
	sent := map[string]int{}
	for name, region := range r.regions {
		sent[name] = region.sent
	}
	return sent
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// settling are the outcomes after which nothing more comes of a delivery.
var settling = map[string]bool{"sent": true, "skipped": true, "dead_letter": true}

// settled is true when every delivery is, as far as others' events are known
// (each makes one delivery of each destination), and each message has ended.
func (s *show) settled(r *readings) bool {
	if f := r.funnel(0); f.underWay() > 0 {
		return false
	}
	for _, d := range destinations {
		n := 0
		for b, count := range r.events {
			if b.destination == d.name && settling[b.outcome] {
				n += count
			}
		}
		if n < s.tally.due(d.name)+s.others {
			return false
		}
	}
	return true
}

func settledIn(r *readings) (n int) {
	for b, count := range r.events {
		if settling[b.outcome] {
			n += count
		}
	}
	return n
}

func total(r *readings) (n int) {
	for _, count := range r.events {
		n += count
	}
	for _, count := range r.statuses {
		n += count
	}
	return n
}

// narrate adds to the story what changed between two readings.
func (s *show) narrate(before, now *readings) {
	sentBefore, _ := before.by("sent")
	if sent, _ := now.by("sent"); sent > 0 && sentBefore == 0 {
		s.say(fmt.Sprintf("the first message is sent, %.1f s after the start", time.Since(s.start).Seconds()))
	}
	for _, name := range slices.Sorted(maps.Keys(now.regions)) {
		was, is := breakerClosed, now.regions[name].breaker
		if r := before.regions[name]; r != nil {
			was = r.breaker
		}
		switch {
		case was == breakerClosed && is == breakerOpen:
			s.say(name + ": the breaker opens; its messages are held, other regions go on")
		case was != breakerClosed && is == breakerClosed:
			s.say(name + ": the breaker closes; what was held goes out, at the region's rate")
		}
	}
	if now.reconciled["sent"] > 0 && before.reconciled["sent"] == 0 {
		s.say("a request without an answer is found in Twilio's message list: it isn't sent again")
	}
	if was, is := before.funnel(0), now.funnel(0); is.failed > 0 && was.failed == 0 {
		s.say("Twilio says of a message that it had accepted that it failed: a dead letter says why")
	}
	if now.retries > 0 && before.retries == 0 {
		s.say("some deliveries wait in the 30 s retry topic")
	}
}

// show draws the picture, or prints a line.
func (s *show) show(r readings, history []moment) {
	oldest, perSecond := history[0], map[string]int{}
	seconds := max(1, history[len(history)-1].at.Sub(oldest.at).Seconds())
	for name, region := range r.regions {
		perSecond[name] = int(float64(region.sent-oldest.sent[name])/seconds + 0.5)
	}
	s.mu.Lock()
	v := view{
		elapsed: time.Since(s.start), events: s.opts.Events, produced: s.tally.made(), others: s.others, accepted: s.tally.messages(),
		down: maps.Clone(s.down), readings: r, perSecond: perSecond, story: slices.Clone(s.story),
	}
	s.mu.Unlock()
	if s.screen.tty {
		s.screen.draw(v.picture(s.screen.size()))
		return
	}
	for _, h := range v.story[s.told:] {
		s.screen.print(h.String())
	}
	s.told = len(v.story)
	s.screen.print(v.line())
}

// reachable is how to look at an endless demo from another terminal.
func (s *show) reachable() []string {
	config := s.config()
	return []string{
		" The broker is " + strings.Join(s.brokers, ","),
		" The configuration is " + config,
		" From another terminal:",
		"   " + s.opts.Command + " dlq stats --config " + config,
		"   " + s.opts.Command + " dlq list --config " + config,
		"   " + s.opts.Command + " topics check --config " + config,
	}
}
