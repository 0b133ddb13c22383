package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/acked"
)

// Apply takes news in, and returns once whatever it changed is written, with
// the dead letters before it. News that isn't of a message that is pending, or
// ended lately, counts for nothing. After an error the news is to be applied again;
// what was done of it already is not done twice, but for dead letters.
func (f *Follower) Apply(ctx context.Context, news []News) error {
	select {
	case <-f.known: // before, news of anything would be news of nothing
	case <-ctx.Done():
		return ctx.Err()
	}
	f.applying.Lock()
	defer f.applying.Unlock()
	for range applyTries {
		overtaken, err := f.apply(ctx, news)
		if err != nil || !overtaken {
			return err
		}
	}
	return errOvertaken
}

// applyTries is how often news is merged anew because a record was written
// again meanwhile (see carry).
const applyTries = 5

// apply is Apply for once; overtaken reports that some of it is to be merged anew.
func (f *Follower) apply(ctx context.Context, news []News) (overtaken bool, err error) {
	moving := f.moving(news)
	if len(moving) == 0 {
		return false, nil
	}
	found, err := f.read(ctx, entriesOf(moving))
	if err != nil {
		return false, fmt.Errorf("read what is known of messages: %w", err)
	}
	var failed errgroup.Group
	failed.SetLimit(lettersAtOnce)
	var further []*moved
	for _, m := range moving {
		at, ok := found[m.entry.offset()]
		if !ok || !bytes.Equal(at.Key, m.news[0].Key) {
			continue // another key of the same hash, or it was compacted away meanwhile
		}
		m.to = at
		for i := range m.news {
			m.to.Record.take(&m.news[i])
		}
		if m.to.Record.Status <= at.Record.Status {
			continue
		}
		if m.to.Record.Status.Failure() && !at.Record.Status.Failure() {
			failed.Go(func() error { return f.bury(ctx, m.to.Key, &m.to.Record) })
		}
		further = append(further, m)
	}
	if err := failed.Wait(); err != nil {
		return false, err
	}
	tickets := make([]acked.Ticket, len(further))
	for i, m := range further {
		var ok bool
		if tickets[i], ok = f.enqueue(m.to.Key, &m.to.Record, m.entry); !ok {
			return false, nil
		}
	}
	for _, t := range tickets {
		if err := t.Wait(ctx); errors.Is(err, errOvertaken) {
			overtaken = true
		} else if err != nil {
			return false, err
		}
	}
	return overtaken, nil
}

// lettersAtOnce bounds the dead letters that are being written at the same time.
const lettersAtOnce = 16

// moving are the messages that news brings further, each with all of its news.
type moved struct {
	entry entry
	news  []News
	to    Known // what they make of it
}

func (f *Follower) moving(news []News) []*moved {
	f.mu.Lock()
	defer f.mu.Unlock()
	byKey := map[uint64]*moved{}
	var all []*moved
	for _, n := range news {
		e, ok := f.index.table.Get(entry{key: f.index.key(n.Key)})
		if !ok || e.tag != f.index.tag(n.SID) || n.Status <= e.state() {
			continue
		}
		m := byKey[e.key]
		if m == nil {
			m = &moved{entry: e}
			byKey[e.key], all = m, append(all, m)
		}
		m.news = append(m.news, n)
	}
	return all
}

func entriesOf(moving []*moved) []entry {
	entries := make([]entry, len(moving))
	for i, m := range moving {
		entries[i] = m.entry
	}
	return entries
}

// Known is a record where it stands in the topic.
type Known struct {
	Key    []byte
	Record Record
}

// read reads the records of entries back, by their offsets. What isn't there
// any more is left out.
func (f *Follower) read(ctx context.Context, entries []entry) (map[int64]Known, error) {
	offsets := make([]int64, len(entries))
	for i, e := range entries {
		offsets[i] = e.offset()
	}
	slices.Sort(offsets)
	found := make(map[int64]Known, len(offsets))
	for len(offsets) > 0 {
		n := 1
		for n < len(offsets) && offsets[n]-offsets[n-1] < readThrough {
			n++
		}
		span := offsets[:n]
		offsets = offsets[n:]
		err := f.parts.Log.Read(ctx, span[0], span[n-1]+1, func(r ledger.Record) {
			if _, wanted := slices.BinarySearch(span, r.Offset); !wanted || r.Value == nil {
				return
			}
			if record, err := ParseRecord(r.Value); err == nil {
				found[r.Offset] = Known{Key: bytes.Clone(r.Key), Record: record}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readThrough is how many records may lie between two that are read in one go.
const readThrough = 500

// carry writes the records at offsets again, unchanged, without waiting for it.
func (f *Follower) carry(ctx context.Context, offsets []int64) error {
	if len(offsets) == 0 {
		return nil
	}
	entries := make([]entry, len(offsets))
	for i, offset := range offsets {
		entries[i] = entry{where: uint64(offset) << 16}
	}
	found, err := f.read(ctx, entries)
	if err != nil {
		return err
	}
	for _, at := range found {
		if e, ok := f.find(at.Key, at.Record.SID); ok {
			f.enqueue(at.Key, &at.Record, e)
		}
	}
	return nil
}
