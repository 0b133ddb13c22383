package status

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
)

// change is a record that waits to be written.
type change struct {
	key    []byte
	record *Record      // nil: nothing under the key counts any more
	over   *entry       // what it follows; nil: nothing, a message begins
	done   chan<- error // of size one, so that the writer never waits
}

const (
	maxBatch      = 1000
	maxBatchBytes = 256 << 10 // of keys and values, but for a single record

	// writeTimeout is how long one write may take before it's tried again.
	writeTimeout = 5 * time.Second

	// missingFor is how long the topic must be missing before it counts as gone:
	// a broker that has just started may not know it yet.
	missingFor = 30 * time.Second
)

// errOvertaken says that another change of the message came first.
var errOvertaken = errors.New("the message has another record by now")

// enqueue has a change written; false where there is no topic.
func (f *Follower) enqueue(c change) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.absent {
		return false
	}
	f.waiting = append(f.waiting, c)
	signal(f.wake)
	return true
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// write writes what waits, in batches, until ctx ends.
func (f *Follower) write(ctx context.Context) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			f.answer(ctx.Err())
			return
		}
		f.writeBatches(ctx)
	}
}

func (f *Follower) writeBatches(ctx context.Context) {
	for {
		batch, records := f.batch()
		if len(batch) == 0 {
			return
		}
		f.writeBatch(ctx, batch, records)
	}
}

// answer answers all that waits.
func (f *Follower) answer(err error) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.mu.Unlock()
	for _, c := range waiting {
		c.done <- err
	}
}

// batch takes out what is written next. What follows something that is there
// no more is overtaken.
func (f *Follower) batch() (batch []change, records []ledger.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, size := 0, 0
	changed := map[uint64]bool{} // keys in this batch
	for n < len(f.waiting) && len(batch) < maxBatch && size < maxBatchBytes {
		c := f.waiting[n]
		n++
		key := f.index.key(c.key)
		if c.over != nil {
			if now, ok := f.index.table.Get(*c.over); !ok || now.offset() != c.over.offset() || changed[key] {
				c.done <- errOvertaken
				continue
			}
		}
		changed[key] = true
		var value []byte
		if c.record != nil {
			value = c.record.append(nil)
		}
		size += len(c.key) + len(value)
		batch = append(batch, c)
		records = append(records, ledger.Record{Key: c.key, Value: value, Time: time.Now()})
	}
	if f.waiting = f.waiting[n:]; len(f.waiting) == 0 {
		f.waiting = nil
	}
	return batch, records
}

// writeBatch appends one batch, notes where its records are, and answers. A batch
// that the topic refuses is written in halves, so that only the record
// that is to blame fails.
func (f *Follower) writeBatch(ctx context.Context, batch []change, records []ledger.Record) {
	base, err := f.produce(ctx, records)
	if permanent(err) && len(batch) > 1 {
		half := len(batch) / 2
		f.writeBatch(ctx, batch[:half], records[:half])
		f.writeBatch(ctx, batch[half:], records[half:])
		return
	}
	if err != nil {
		for _, c := range batch {
			if permanent(err) || errors.Is(err, errAbsent) {
				f.parts.Logger.Error().Err(err).Msg("what became of a message can't be written down; it isn't followed")
				err = nil // nobody gains by waiting for it
			}
			c.done <- err
		}
		return
	}
	f.mu.Lock()
	known := f.next
	f.mu.Unlock()
	// A gap before our records holds a former owner's, or ours that were
	// written without an answer: they come first. If they can't be read now, they are
	// with the next batch.
	read := error(nil)
	if known >= 0 && base > known {
		read = f.fold(ctx, known, base, false)
	}
	now := time.Now()
	f.mu.Lock()
	for i, c := range batch {
		if c.record == nil {
			f.remove(*c.over)
		} else {
			f.put(f.entryOf(c.key, c.record, base+int64(i), now, false))
		}
	}
	if known >= 0 && read == nil {
		f.next = base + int64(len(batch))
	}
	f.mu.Unlock()
	for _, c := range batch {
		f.count(c)
		c.done <- nil
	}
}

// errAbsent says that the topic is gone.
var errAbsent = errors.New("the status topic is gone")

// produce appends the records, again and again until it works, ctx ends or the
// topic is gone.
func (f *Follower) produce(ctx context.Context, records []ledger.Record) (base int64, err error) {
	pauses := pause.Growing(50*time.Millisecond, 2*time.Second)
	var missing time.Time
	for failures := 1; ; failures++ {
		attempt, cancel := context.WithTimeout(ctx, writeTimeout)
		base, err = f.parts.Log.Append(attempt, records)
		cancel()
		switch {
		case err == nil:
			return base, nil
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case permanent(err):
			return 0, err
		case !errors.Is(err, kafka.UnknownTopicOrPartition):
			missing = time.Time{}
		case missing.IsZero():
			missing = time.Now()
		}
		if !missing.IsZero() && time.Since(missing) > missingFor || f.isAbsent() {
			f.vanish()
			return 0, errAbsent
		}
		if failures == failuresBeforeWarning {
			f.parts.Logger.Warn().Err(err).Msg("the status topic can't be written; what Twilio has accepted isn't settled until it can")
		}
		pause.For(ctx, pauses.NextBackOff())
	}
}

// failuresBeforeWarning is how many writes must fail in a row: a leader's move
// is no news.
const failuresBeforeWarning = 4

// permanent tells errors of the record itself, which trying again can't mend.
func permanent(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidRecord)
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
	f.answer(nil)
	signal(f.lost)
}

// count counts how far a message came by a change.
func (f *Follower) count(c change) {
	r := c.record
	if r == nil {
		return
	}
	before := State(0)
	if c.over != nil {
		before = c.over.state()
	}
	m := f.parts.Metrics
	for _, s := range reached(before, r.Status) {
		m.Messages.WithLabelValues(f.cfg.Destination, r.Action, r.Region, s.String()).Inc()
	}
	if before < Sent && r.Status >= Sent && !r.SentAt.IsZero() {
		m.TwilioQueue.WithLabelValues(f.cfg.Destination, r.Region).Observe(max(0, r.SentAt.Sub(r.AcceptedAt)).Seconds())
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
