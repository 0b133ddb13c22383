package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
)

// claimsReplay reports whether a record's headers say that it is a replayed
// dead letter.
func claimsReplay(r *records.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h records.Header) bool { return deadletter.Claims(h.Name) })
}

// examineReplay is examine for a source record that says that it is a replayed
// dead letter. It decides only where the record of replays says so, too:
// otherwise it is an event as any other. ok is false when ctx ended first.
func (s *Stream) examineReplay(ctx context.Context, r *records.Record, match actions.Match) (ev *Event, decided, ok bool) {
	ev = s.event(r)
	replay, confirmed, ok := s.confirm(ctx, ev)
	if !ok || !confirmed {
		return nil, false, ok
	}
	if slices.Contains(s.cfg.FormerNames, replay.Destination) {
		replay.Destination = s.cfg.Destination
	}
	if !replay.WantsDestination(s.cfg.Destination) {
		s.passed.noMatch++
		return nil, true, true
	}
	ev.Origin, ev.Malformed = SourceOrigin(&ev.Message), match.Malformed
	ev.Origin.Replay, ev.Origin.Replayed = replay, true
	// Where none is left, its letter is to know what came of it.
	ev.Actions = s.meant(match.Actions, replay)
	if s.unknown(replay.Destination, replay.Action) {
		ev.Origin.Action = replay.Action
	}
	return ev, true, true
}

// confirm asks the record of replays, until it answers; ok is false when ctx
// ended first.
func (s *Stream) confirm(ctx context.Context, ev *Event) (replay deadletter.Replayed, confirmed, ok bool) {
	pauses := pause.Growing(100*time.Millisecond, 5*time.Second)
	for {
		replay, confirmed, err := s.parts.Replays.Confirm(ctx, &ev.Message)
		switch {
		case ctx.Err() != nil:
			return replay, false, false
		case err == nil && !confirmed:
			s.sayUnconfirmed(ev.Message.Offset)
			return replay, false, true
		case err == nil:
			return replay, true, true
		}
		level := zerolog.WarnLevel
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			level = zerolog.DebugLevel // the first replay has just made it
		}
		s.parts.Log.WithLevel(level).Err(err).Int64("offset", ev.Message.Offset).
			Msg("whether a record is a replayed dead letter can't be told, as the record of replays can't be read; reading goes on once it can")
		if !pause.For(ctx, pauses.NextBackOff()) {
			return replay, false, false
		}
	}
}

// sayUnconfirmedEvery is how often the log tells of records that aren't the
// replays that they say.
const sayUnconfirmedEvery = time.Minute

// sayUnconfirmed tells of one, unless that was just done.
func (s *Stream) sayUnconfirmed(offset int64) {
	s.unconfirmed++
	if time.Since(s.saidUnconfirmed) < sayUnconfirmedEvery {
		return
	}
	s.parts.Log.Warn().Int64("offset", offset).Int("records", s.unconfirmed).
		Msg("a record has the headers of a replayed dead letter, and the record of replays doesn't know it: it is an event as any other")
	s.unconfirmed, s.saidUnconfirmed = 0, time.Now()
}

// meant masks the actions that a replayed dead letter isn't for.
func (s *Stream) meant(mask uint64, replay deadletter.Replayed) uint64 {
	for i := range s.parts.Actions {
		if !slices.ContainsFunc(s.names(i), func(name string) bool { return replay.Wants(s.cfg.Destination, name) }) {
			mask &^= 1 << i
		}
	}
	return mask
}
