package status

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/acked"
)

// change is what a record that is being written changes.
type change struct {
	to, over       entry // to is still without a place, and without a state if nothing counts any more; over is empty where a message begins
	action, region string
	queued         time.Duration // at Twilio, until it was sent; negative: unknown
}

// missingFor is how long the topic must be missing before it counts as gone: a
// broker that has just started may not know it yet.
const missingFor = 30 * time.Second

// errOvertaken says that another change of the message came first.
var errOvertaken = errors.New("the message has another record by now")

// enqueue has a change written; false where there is no topic.
func (f *Follower) enqueue(recordKey []byte, r *Record, over entry) (t acked.Ticket, ok bool) {
	if f.isAbsent() {
		return t, false
	}
	now := time.Now()
	c := change{to: f.entryOf(f.index.key(recordKey), r, 0, now, false), over: over, action: r.Action, region: r.Region, queued: -1}
	if !r.SentAt.IsZero() {
		c.queued = max(0, r.SentAt.Sub(r.AcceptedAt))
	}
	var text [usualValue]byte
	var value []byte
	if r.Status != 0 {
		value = r.append(text[:0])
	}
	return f.journal.Put(recordKey, value, now, c, true), true
}

// usualValue is above what a record takes as a rule.
const usualValue = 512

// stale tells which changes follow something that is there no more.
func (f *Follower) stale(of []change) (overtaken map[int]error) {
	follows := func(c change) bool { return !c.over.Empty() }
	if !slices.ContainsFunc(of, follows) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	overtaken = map[int]error{}
	changed := map[uint64]bool{} // keys on this page
	for i, c := range of {
		now, ok := f.index.table.Get(c.over)
		if follows(c) && (!ok || now.offset() != c.over.offset() || changed[c.to.key]) {
			overtaken[i] = errOvertaken
		} else {
			changed[c.to.key] = true
		}
	}
	return overtaken
}

// written notes where records are, and counts them.
func (f *Follower) written(ctx context.Context, base int64, page *acked.Page[change]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A gap before our records holds a former owner's, or ours that were
	// written without an answer: they come first. If they can't be read now, they are
	// with the next page.
	known := f.next
	var err error
	if known >= 0 && base > known {
		f.mu.Unlock()
		err = f.fold(ctx, known, base, false)
		f.mu.Lock()
	}
	for i := range page.Of {
		if c := &page.Of[i]; c.to.state() == 0 {
			f.remove(c.over)
		} else {
			f.put(c.to.at(base + int64(i)))
			f.count(c)
		}
	}
	if known >= 0 && err == nil {
		f.next = base + int64(len(page.Of))
	}
}

// append makes one attempt at writing. A topic that is missing for long is gone.
func (f *Follower) append(ctx context.Context, records []ledger.Record) (base int64, err error) {
	base, err = f.parts.Log.Append(ctx, records)
	switch {
	case !errors.Is(err, kafka.UnknownTopicOrPartition):
		f.missing = time.Time{}
	case f.missing.IsZero():
		f.missing = time.Now()
	}
	if err != nil && (f.isAbsent() || !f.missing.IsZero() && time.Since(f.missing) > missingFor) {
		f.missing = time.Time{}
		f.vanish()
		err = acked.ErrGone
	}
	return base, err
}

// refused is told of a record that can't be written ever. Nobody gains by waiting for it.
func (f *Follower) refused(err error) error {
	f.parts.Logger.Error().Err(err).Msg("what became of a message can't be written down; it isn't followed")
	return nil
}

func (f *Follower) isAbsent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.absent
}

// vanish gives up what was in a topic that is gone.
func (f *Follower) vanish() {
	f.mu.Lock()
	f.knows.Do(func() { close(f.known) })
	f.absent, f.next, f.begin, f.position, f.overflow = true, -1, -1, -1, -1
	f.parts.Room.give(f.index.table.Len())
	f.index.table.Clear()
	f.pending = 0
	f.mu.Unlock()
	f.journal.Answer(nil)
	select {
	case f.lost <- struct{}{}:
	default:
	}
}

// count counts how far a message came by a change.
func (f *Follower) count(c *change) {
	before, now, m := c.over.state(), c.to.state(), f.parts.Metrics
	for _, s := range reached(before, now) {
		m.Messages.WithLabelValues(f.cfg.Destination, c.action, c.region, s.String()).Inc()
	}
	if before < Sent && now >= Sent && c.queued >= 0 {
		m.TwilioQueue.WithLabelValues(f.cfg.Destination, c.region).Observe(c.queued.Seconds())
	}
}

// reached are the states that a message is known to have gone through between
// two: who is delivered was sent.
func reached(before, now State) (all []State) {
	if now <= before {
		return nil
	}
	sent := before < Sent && (now == Delivered || now == Read || now == Undelivered)
	if before == 0 && now != Accepted {
		all = append(all, Accepted)
	}
	if sent {
		all = append(all, Sent)
	}
	if now == Read && before < Delivered {
		all = append(all, Delivered)
	}
	return append(all, now)
}
