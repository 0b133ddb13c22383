package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/partition"
)

// take takes one record in; false ends the fetch before the record counts as
// taken. It waits where the open span or the open bytes are at their bounds.
func (s *Stream) take(ctx context.Context, conn *kafka.Conn, m *kafka.Message) bool {
	if m.Offset < s.pos {
		return true
	}
	s.passed.read++
	ev, wanted := s.examine(ctx, m)
	if !wanted {
		if ev != nil { // not now
			s.passed.read--
			return false
		}
		s.pos = m.Offset + 1
		s.mu.Lock()
		s.mark.pass(m.Offset)
		s.mu.Unlock()
		s.idle++
		return true
	}
	s.idle = 0
	if !s.admit(ctx, conn, ev) {
		return false
	}
	s.pos = m.Offset + 1
	s.parts.Submit(ev)
	return true
}

// notNow is examine's answer for a record that can't be taken in yet.
var notNow = &Event{}

// examine decides whether a record becomes an open event.
func (s *Stream) examine(ctx context.Context, m *kafka.Message) (ev *Event, wanted bool) {
	if s.cfg.Delay > 0 {
		return s.examineRetry(m)
	}
	if m.Value == nil {
		// Null or empty: kafka-go's Conn doesn't tell.
		exact, err := s.parts.Cluster.Record(ctx, s.cfg.Topic, s.cfg.Shard, m.Offset)
		if err != nil {
			s.parts.Log.Warn().Err(err).Int64("offset", m.Offset).Msg("an empty value can't be told from a null one yet")
			s.dueAt = time.Now().Add(time.Second)
			return notNow, false
		}
		*m = exact
	}
	match := s.parts.Matcher.Match(m.Value)
	switch {
	case match.Tombstone:
		s.passed.tombstones++
		return nil, false
	case match.Malformed != nil:
		if partition.IsMarker(m) {
			s.passed.control++
			return nil, false
		}
	case match.Actions == 0:
		s.passed.unwanted(match.Envelope)
		return nil, false
	}
	o := SourceOrigin(m)
	if o.Replayed {
		if match.Actions = s.replayed(match.Actions, &o); match.Actions == 0 && match.Malformed == nil {
			s.passed.noMatch++
			return nil, false
		}
	}
	return &Event{stream: s, Message: *m, Origin: o, Actions: match.Actions, Malformed: match.Malformed}, true
}

// replayed masks the actions that a replayed dead letter isn't for.
func (s *Stream) replayed(mask uint64, o *Origin) uint64 {
	for i, name := range s.parts.Actions {
		if !o.Replay.Wants(s.cfg.Destination, name) {
			mask &^= 1 << i
		}
	}
	return mask
}

// examineRetry is examine for a tier's record.
func (s *Stream) examineRetry(m *kafka.Message) (*Event, bool) {
	if partition.IsMarker(m) {
		s.passed.control++
		return nil, false
	}
	o, ok := RetryOrigin(m)
	if !ok {
		// Not ours: somebody wrote into our topic. An analyst should see it.
		o = SourceOrigin(m)
		return &Event{stream: s, Message: *m, Origin: o, Malformed: errNotARetry}, true
	}
	if due := s.due(m, o.NotBefore); time.Until(due) > 0 {
		s.dueAt = due
		return notNow, false
	}
	ev := &Event{stream: s, Message: *m, Origin: o}
	if i := slices.Index(s.parts.Actions, o.Action); i >= 0 {
		ev.Actions = 1 << i
	}
	return ev, true
}

var errNotARetry = errors.New("a record in a retry topic that says neither where it came from nor for which action it is")

// sighting is when a tier's records up to an offset were there for sure.
type sighting struct {
	end int64
	at  time.Time
}

// due is when a tier's record may be taken in: when its writer meant it to, but
// at most the tier's delay after it was seen, whatever the writer's clock said.
func (s *Stream) due(m *kafka.Message, notBefore time.Time) time.Time {
	if m.Offset >= s.sight.end {
		s.sight = sighting{end: max(m.HighWaterMark, m.Offset+1), at: time.Now()}
	}
	if latest := s.sight.at.Add(s.cfg.Delay); latest.Before(notBefore) {
		return latest
	}
	return notBefore
}

// admit waits for room and opens the event; false when ctx ended first.
func (s *Stream) admit(ctx context.Context, conn *kafka.Conn, ev *Event) bool {
	s.end.Store(max(s.end.Load(), ev.Message.HighWaterMark)) // what follows may take long
	cost, err := s.parts.Budget.Acquire(ctx, ev.size())
	if err != nil {
		return false
	}
	ev.cost = cost
	defer s.full.Store(false)
	for !s.open(ev) {
		s.full.Store(true)
		select {
		case <-s.room:
		case <-ctx.Done():
			ev.Release()
			return false
		}
	}
	// Reading the rest of the answer may have had to wait for long.
	conn.SetReadDeadline(time.Now().Add(readGrace))
	return true
}

// open opens the event in the watermark, if its span leaves room.
func (s *Stream) open(ev *Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mark.span() >= s.cfg.MaxUncommitted {
		return false
	}
	ev.mark, ev.ticket = s.mark, s.mark.open(ev.Message.Offset)
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
