package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
)

// takeAll takes a block of records in, in order. It waits where the open span
// or the open bytes are at their bounds, and for a tier's record to be due. It
// reports whether it got to the block's end: when ctx ends it doesn't, and when
// it had to wait for so long that it gave the block up.
func (s *Stream) takeAll(ctx context.Context, block []records.Record) (whole bool) {
	if len(block) > 0 {
		s.reached.Store(block[0].Time.UnixMilli())
		defer func(last time.Time) { // unless it stops before
			if whole {
				s.reached.Store(last.UnixMilli())
			}
		}(block[len(block)-1].Time)
	}
	for i := range block {
		r := &block[i]
		ev, due, ok := s.examine(ctx, r)
		if !ok {
			return false
		}
		if ev == nil { // nobody wants it
			s.passed.read++
			continue
		}
		if wait := time.Until(due); wait > 0 {
			s.passTo(r.Offset)
			s.flush()
			long := wait > holdFor
			if long {
				s.log.SeekTo(s.pos)
			}
			if !pause.For(ctx, wait) || long {
				return false
			}
		}
		kept, ok := s.admit(ctx, ev)
		if !ok {
			return false
		}
		s.passed.read++
		s.pos = ev.Message.Offset + 1
		s.parts.Submit(ev)
		if !kept {
			return false
		}
	}
	return true
}

// examine decides whether a record becomes an open event, and from when on. Only
// a record that does is copied. ok is false when ctx ended first.
func (s *Stream) examine(ctx context.Context, r *records.Record) (ev *Event, due time.Time, ok bool) {
	if s.cfg.Delay > 0 {
		ev, due = s.examineRetry(r)
		return ev, due, true
	}
	match := s.parts.Matcher.Match(r.Value)
	if match.Tombstone {
		s.passed.tombstones++
		return nil, due, true
	}
	if s.parts.Replays != nil && claimsReplay(r) {
		ev, decided, ok := s.examineReplay(ctx, r, match)
		if decided || !ok {
			return ev, due, ok
		}
	}
	if match.Malformed == nil && match.Actions == 0 {
		s.passed.unwanted(match.Envelope)
		return nil, due, true
	}
	ev = s.event(r)
	ev.Origin, ev.Actions, ev.Malformed = SourceOrigin(&ev.Message), match.Actions, match.Malformed
	return ev, due, true
}

func (s *Stream) event(r *records.Record) *Event {
	return &Event{stream: s, Message: r.Message(s.cfg.Topic, s.cfg.Shard)}
}

// unknown reports whether a replay's action is one of this destination that its
// configuration hasn't.
func (s *Stream) unknown(destination, action string) bool {
	if destination != s.cfg.Destination || action == "" {
		return false
	}
	for i := range s.parts.Actions {
		if slices.Contains(s.names(i), action) {
			return false
		}
	}
	return true
}

// names are the present name of the action i, and what it was called before.
func (s *Stream) names(i int) []string {
	names := []string{s.parts.Actions[i]}
	if i < len(s.parts.Former) {
		names = append(names, s.parts.Former[i]...)
	}
	return names
}

// examineRetry is examine for a tier's record.
func (s *Stream) examineRetry(r *records.Record) (ev *Event, due time.Time) {
	ev = s.event(r)
	o, ok := RetryOrigin(&ev.Message)
	if !ok {
		// Not ours: somebody wrote into our topic. An analyst should see it.
		ev.Origin, ev.Malformed = SourceOrigin(&ev.Message), errNotARetry
		return ev, time.Time{}
	}
	ev.Origin = o
	for i := range s.parts.Actions {
		if slices.Contains(s.names(i), o.Action) {
			ev.Actions = 1 << i
		}
	}
	return ev, s.due(r.Offset, s.log.End(), o.NotBefore)
}

var errNotARetry = errors.New("a record in a retry topic that says neither where it came from nor for which action it is")

// sighting is when a tier's records up to an offset were there for sure.
type sighting struct {
	end int64
	at  time.Time
}

// due is when a tier's record may be taken in: when its writer meant it to, but
// at most the tier's delay after it was seen, whatever the writer's clock said.
func (s *Stream) due(offset, end int64, notBefore time.Time) time.Time {
	if offset >= s.sight.end {
		s.sight = sighting{end: max(end, offset+1), at: time.Now()}
	}
	if latest := s.sight.at.Add(s.cfg.Delay); latest.Before(notBefore) {
		return latest
	}
	return notBefore
}

// admit waits for room and opens the event; ok is false when ctx ended first.
// kept is false when that took so long that what was fetched was given up:
// then the Log goes on behind the event.
func (s *Stream) admit(ctx context.Context, ev *Event) (kept, ok bool) {
	granted := s.parts.Budget.ask(&s.claim, ev.size())
	if ev.cost = s.claim.cost; granted && s.open(ev) {
		return true, true
	}
	s.passTo(ev.Message.Offset)
	s.flush()
	s.hold.Reset(holdFor)
	defer s.hold.Stop()
	kept = true
	wait := func(room <-chan struct{}) bool {
		for {
			select {
			case <-room:
				return true
			case <-s.hold.C:
				s.log.SeekTo(ev.Message.Offset + 1)
				kept = false
			case <-ctx.Done():
				return false
			}
		}
	}
	if !granted && !wait(s.claim.granted) {
		s.parts.Budget.leave(&s.claim)
		return kept, false
	}
	defer s.full.Store(false)
	for !s.open(ev) {
		s.full.Store(true)
		if !wait(s.room) {
			ev.Release()
			return kept, false
		}
	}
	return kept, true
}

// open opens the event in the watermark, if its span leaves room.
func (s *Stream) open(ev *Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mark.span() >= s.cfg.MaxUncommitted {
		return false
	}
	ev.mark, ev.ticket = s.mark, s.mark.open(ev.Message.Offset, ev.Message.Time.UnixMilli())
	return true
}

// done settles an open event.
func (s *Stream) done(ev *Event) {
	s.mu.Lock()
	ev.mark.done(ev.ticket)
	s.await(ev)
	s.mu.Unlock()
	select {
	case s.room <- struct{}{}:
	default:
	}
}
