package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
)

// lookAgain is how often a topic that isn't there is looked for.
const lookAgain = 10 * time.Second

// Run reads what is new in the log, and writes what Accepted and Apply are
// given, until ctx ends. It returns with nothing of its own left running.
// reading is passed while the log is read.
func (f *Follower) Run(ctx context.Context, reading Gate) {
	var writer sync.WaitGroup
	defer writer.Wait()
	f.missing = time.Time{}
	writer.Go(func() { f.journal.Run(ctx) })
	for ctx.Err() == nil {
		f.restoreUntilDone(ctx, reading)
		select {
		case <-f.lost:
		case <-ctx.Done():
		}
	}
}

// Gate bounds how many logs are read at the same time; see
// semaphore.Weighted.
type Gate interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}

// restoreUntilDone reads what is new, however long that takes.
func (f *Follower) restoreUntilDone(ctx context.Context, reading Gate) {
	pauses := pause.Growing(100*time.Millisecond, 5*time.Second)
	for {
		if reading.Acquire(ctx, 1) != nil {
			return
		}
		err := f.restore(ctx)
		reading.Release(1)
		wait := pauses.NextBackOff()
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case errors.Is(err, kafka.UnknownTopicOrPartition):
			if !f.isAbsent() {
				f.parts.Logger.Error().Msg("the status topic doesn't exist: messages are sent, and nobody knows what becomes of them; run `engage-worker topics create`")
				f.vanish()
				<-f.lost // it is looked for already
			}
			wait = lookAgain
		default:
			f.parts.Logger.Warn().Err(err).Msg("the status topic can't be read; trying again")
		}
		if !pause.For(ctx, wait) {
			return
		}
	}
}

// restore reads what the log holds beyond what is known already.
func (f *Follower) restore(ctx context.Context) error {
	start := time.Now()
	first, end, err := f.parts.Log.Bounds(ctx)
	if err != nil {
		return fmt.Errorf("restore the statuses: %w", err)
	}
	f.mu.Lock()
	f.absent = false
	from := f.next
	if from < 0 {
		from = f.begin
	}
	if from < first || from > end {
		from = first
	}
	f.mu.Unlock()
	if err := f.fold(ctx, from, end, true); err != nil {
		return fmt.Errorf("restore the statuses: %w", err)
	}
	f.mu.Lock()
	f.next = max(f.next, end)
	f.knows.Do(func() { close(f.known) })
	n := f.pending
	f.mu.Unlock()
	f.parts.Metrics.StatusRestore.WithLabelValues(f.cfg.Destination).Observe(time.Since(start).Seconds())
	f.parts.Logger.Debug().Int64("from", from).Int64("end", end).Int("pending", n).Dur("took", time.Since(start)).Msg("statuses read")
	return nil
}

// fold takes in [from, end), which isn't known. While restoring, what has ended
// needn't be kept: nothing is known yet that could be news of it.
func (f *Follower) fold(ctx context.Context, from, end int64, restoring bool) error {
	if from >= end {
		return nil
	}
	var again []int64
	now := time.Now()
	err := f.parts.Log.Read(ctx, from, end, func(r ledger.Record) {
		var record Record
		if r.Value != nil {
			var err error
			if record, err = ParseRecord(r.Value); err != nil {
				f.parts.Logger.Error().Err(err).Int64("offset", r.Offset).Msg("a record of the status topic can't be read and is passed over; was it written by a newer version, or by something else?")
				return
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if offset := f.foldOne(r.Key, r.Value != nil, &record, r.Offset, now, restoring); offset >= 0 {
			again = append(again, offset)
		}
	})
	if err != nil {
		return err
	}
	return f.carry(ctx, again)
}

// foldOne takes in one record. Where another message counts whose record lies
// before it, its offset is returned: that record must be written again, before
// compaction drops it. The caller holds f.mu.
func (f *Follower) foldOne(recordKey []byte, there bool, r *Record, offset int64, now time.Time, restoring bool) (again int64) {
	key := f.index.key(recordKey)
	known, ok := f.index.table.Get(entry{key: key})
	switch {
	case ok && offset <= known.offset():
		return -1
	case !there:
		f.remove(entry{key: key})
		return -1
	}
	e := f.entryOf(key, r, offset, now, true)
	switch {
	case ok && e.tag != known.tag && !restoring:
		return known.offset() // a former owner's, of an earlier message
	case e.state().Final() && (restoring || !ok):
		f.remove(e)
	default:
		f.put(e)
	}
	return -1
}
