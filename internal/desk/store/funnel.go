package store

import (
	"cmp"
	"slices"
	"time"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// Funnel is what became of the messages of an action.
type Funnel struct {
	Destination, Action string

	Accepted int // all that Twilio accepted in the span
	// Of those, by the last status.
	Pending     int // accepted, and not handed on yet
	Sent        int // handed on, and the end isn't known yet
	Delivered   int // without those that were read
	Read        int
	Undelivered int
	Failed      int
	Canceled    int
	Unknown     int // the end was never told

	Dead []deadletter.Count // letters that failed in the span, by reason, most first
}

// add adds messages that were accepted in the span.
func (f *Funnel) add(c *counts) {
	for state, to := range map[status.State]*int{
		status.Accepted: &f.Pending, status.Sent: &f.Sent, status.Delivered: &f.Delivered, status.Read: &f.Read,
		status.Undelivered: &f.Undelivered, status.Failed: &f.Failed, status.Canceled: &f.Canceled, status.Unknown: &f.Unknown,
	} {
		*to += int(c[state])
		f.Accepted += int(c[state])
	}
}

// Point counts the messages that were accepted in a step of time.
type Point struct {
	From      time.Time `json:"from"`
	Accepted  int       `json:"accepted"`
	Delivered int       `json:"delivered"` // of those, with what was read
	Failed    int       `json:"failed"`    // likewise, with undelivered and canceled
}

// buckets are an action's of a span before now, and their length in seconds.
func (a *action) buckets(span time.Duration) (of map[int64]*counts, length int64) {
	if span <= 24*time.Hour {
		return a.minutes, 60
	}
	return a.hours, 3600
}

// Funnel tells what became of what was accepted in the last span, at most 7 days, for
// each destination and action that has anything, in their order.
func (s *Store) Funnel(span time.Duration) []Funnel {
	span = min(span, 7*24*time.Hour)
	from := s.now().Add(-span)
	s.mu.RLock()
	defer s.mu.RUnlock()
	funnels := map[actionName]*Funnel{}
	of := func(name actionName) *Funnel {
		if funnels[name] == nil {
			funnels[name] = &Funnel{Destination: name.destination, Action: name.action}
		}
		return funnels[name]
	}
	for _, a := range s.messages.actions {
		buckets, length := a.buckets(span)
		for at, c := range buckets {
			if at+length > from.Unix() {
				of(a.actionName).add(c)
			}
		}
	}
	type kind struct{ destination, action, reason text }
	dead := map[kind]int{}
	for i := s.choose(&deadletter.Filter{Since: from}).from; i < len(s.rows); i++ {
		r := &s.rows[i]
		dead[kind{r.destination, r.action, r.reason}]++
	}
	for k, n := range dead {
		destination := s.texts.of(k.destination)
		f := of(actionName{destination, s.cfg.Present(destination, s.texts.of(k.action))})
		f.Dead = append(f.Dead, deadletter.Count{Value: s.texts.of(k.reason), N: n})
	}
	var all []Funnel
	for _, f := range funnels {
		slices.SortFunc(f.Dead, func(a, b deadletter.Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
		if f.Accepted > 0 || len(f.Dead) > 0 {
			all = append(all, *f)
		}
	}
	slices.SortFunc(all, func(a, b Funnel) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Action, b.Action))
	})
	return all
}

// Messages counts what was accepted in the last span by steps, the oldest first. A
// step is a whole number of minutes, or of hours where the span is above a day.
func (s *Store) Messages(span, step time.Duration) []Point {
	span = min(span, 7*24*time.Hour)
	unit := time.Minute
	if span > 24*time.Hour {
		unit = time.Hour
	}
	seconds := int64(max(unit, step.Round(unit)) / time.Second)
	now := s.now().Unix()
	first := now - int64(span/time.Second)
	first -= first % seconds
	points := make([]Point, (now-first)/seconds+1)
	for i := range points {
		points[i].From = time.Unix(first+int64(i)*seconds, 0).UTC()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.messages.actions {
		buckets, _ := a.buckets(span)
		for at, c := range buckets {
			if at < first {
				continue
			}
			p := &points[min((at-first)/seconds, int64(len(points)-1))]
			for state, n := range c {
				p.Accepted += int(n)
				switch status.State(state) {
				case status.Delivered, status.Read:
					p.Delivered += int(n)
				case status.Undelivered, status.Failed, status.Canceled:
					p.Failed += int(n)
				}
			}
		}
	}
	return points
}

// Segments is how many segments a message of an action has had on average. ok is
// false where none is known.
func (s *Store) Segments(destination, action string) (average float64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.messages.index[actionName{destination, s.cfg.Present(destination, action)}]
	if !ok || s.messages.actions[n].of == 0 {
		return 0, false
	}
	a := s.messages.actions[n]
	return float64(a.segments) / float64(a.of), true
}
