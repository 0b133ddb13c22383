package deadletter

import (
	"context"
	"errors"
	"time"

	"engage-worker/internal/pause"
)

// awaitEvery is how often Await looks.
const awaitEvery = 500 * time.Millisecond

// Await waits for what comes of what Run has published, and counts its letters by
// their states: as long as some are StateReplayed, up to a time, or until ctx
// ends, which is no error.
func (r *Replayer) Await(ctx context.Context, plan *Plan, upTo time.Duration) (map[State]int, error) {
	end := time.Now().Add(upTo)
	for {
		if err := r.learn(ctx, plan); err != nil && ctx.Err() == nil {
			return nil, err
		}
		counts := plan.count()
		if counts[StateReplayed] == 0 || !pause.For(ctx, min(awaitEvery, max(time.Until(end), 0))) || time.Now().After(end) {
			return counts, nil
		}
	}
}

// learn takes in what is new since the plan was made, or since it did so last.
func (r *Replayer) learn(ctx context.Context, plan *Plan) error {
	spans, err := r.Reader.Spans(ctx, time.Time{})
	if err != nil {
		return err
	}
	for i, s := range spans {
		if i < len(plan.ends) {
			spans[i].From = max(s.From, plan.ends[i].End)
		}
	}
	err = r.Reader.Read(ctx, spans, nil, func(rec *Record, fault error) error {
		if !errors.Is(fault, ErrForeign) {
			plan.states.Died(rec)
		}
		return nil
	})
	if err != nil {
		return err
	}
	plan.ends = spans
	sources := r.Sources
	sources.Replays = "" // which Run told of
	return plan.states.Learn(ctx, sources, nil)
}

// count counts what was published by its letters' states.
func (p *Plan) count() map[State]int {
	counts := map[State]int{}
	for _, i := range p.items {
		if i.done() {
			state, _ := p.states.OfRef(i.ref)
			counts[state]++
		}
	}
	return counts
}
