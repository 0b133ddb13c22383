package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"engage-worker/internal/packed"
)

// Tails are the last parts of the ledgers that others write: those of other
// destinations, and of a destination's shards that others own. They are read
// when somebody asks, and only what is new since the last question; whoever
// asks meanwhile shares the answer. Tails are safe for concurrent use.
type Tails struct {
	logs  Logs
	own   string // a topic, of which
	owned []int  // are the asker's own
	other []string
	sids  maphash.Seed

	busy  chan struct{} // of size one: holds a token while somebody reads
	from  time.Time     // what was written since is known; this and below are the token's holder's
	asked time.Time     // when the ends were asked for, up to which all is known
	tails map[place]*tail
}

// Logs are the partitions of ledger topics in Kafka.
type Logs interface {
	// Count is how many partitions topics have; one that isn't there is absent.
	Count(ctx context.Context, topics ...string) (map[string]int, error)
	// Ends are where partitions end.
	Ends(ctx context.Context, topic string, partitions []int) ([]int64, error)
	// Offsets are where partitions have their first record of a time, in Unix
	// milliseconds, or later; -1 where there is none.
	Offsets(ctx context.Context, topic string, partitions []int, at int64) ([]int64, error)
	// Read calls each for the records of [from, end).
	Read(ctx context.Context, topic string, partition int, from, end int64, each func(Record)) error
}

// Doubt is an intent without an outcome.
type Doubt struct {
	Tags Tags
	Made Made
	Seen time.Time // when it was read first; of another's ledger alone
}

// Account is what others' ledgers say: which of the SIDs in question they
// account for, and what they have in doubt.
type Account struct {
	Claimed map[string]bool
	Doubts  []Doubt
}

const (
	// tailSkew is how far the clocks of two writers may be apart for a record
	// to be found by its time. The last of a log are read whatever their time.
	tailSkew   = 10 * time.Minute
	leastTail  = 1000      // records
	tailSpan   = time.Hour // an older tail is begun anew, from where it is needed
	mostSIDs   = 4_000_000 // in memory, 10 to 13 bytes each
	tailsAtOne = 4         // partitions that are read at the same time
	lookWithin = 20 * time.Second
)

// ErrTooMuch says that others have sent more since then than can be kept apart.
var ErrTooMuch = errors.New("other ledgers have too much since then to be searched")

// NewTails makes the tails of the other topics, and of own but for the
// partitions owned. It reads nothing yet.
func NewTails(logs Logs, own string, owned []int, other []string) *Tails {
	return &Tails{logs: logs, own: own, owned: owned, other: other, sids: maphash.MakeSeed(), busy: make(chan struct{}, 1), tails: map[place]*tail{}}
}

type place struct {
	topic     string
	partition int
}

// tail is what is known of a partition.
type tail struct {
	next    int64 // up to here
	claimed packed.Table[claim]
	open    map[string]openIntent // by record key
}

type openIntent struct {
	entry Entry
	seen  time.Time
}

// Look reads the ledgers up to where they end now, from since on, and says
// what they account for. It takes 20 s at most.
func (t *Tails) Look(ctx context.Context, since time.Time, sids []string) (Account, error) {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return Account{}, fmt.Errorf("read other ledgers: %w", ctx.Err())
	}
	since = since.Add(-tailSkew)
	if since.Before(t.from) || !t.asked.After(now) {
		if err := t.read(ctx, since); err != nil {
			return Account{}, fmt.Errorf("read other ledgers: %w", err)
		}
	}
	return t.account(sids), nil
}

// account says what is known. The caller has the token.
func (t *Tails) account(sids []string) Account {
	a := Account{Claimed: map[string]bool{}}
	for _, tail := range t.tails {
		for _, sid := range sids {
			if _, ok := tail.claimed.Get(t.claim(sid)); ok {
				a.Claimed[sid] = true
			}
		}
		for _, o := range tail.open {
			a.Doubts = append(a.Doubts, Doubt{Tags: o.entry.Tags, Made: o.entry.Made, Seen: o.seen})
		}
	}
	return a
}

func (t *Tails) claim(sid string) claim { return claim(max(1, maphash.String(t.sids, sid))) }

// read brings all tails up to now.
func (t *Tails) read(ctx context.Context, since time.Time) error {
	now := time.Now()
	if since.Before(t.from) || t.from.IsZero() || now.Sub(t.from) > max(tailSpan, 2*now.Sub(since)) {
		t.from, t.tails = since, map[place]*tail{}
	}
	counts, err := t.logs.Count(ctx, append([]string{t.own}, t.other...)...)
	if err != nil {
		return err
	}
	unread := map[*tail]place{}
	until := map[*tail]int64{}
	for topic, n := range counts {
		var partitions []int
		for p := range n {
			if topic != t.own || !slices.Contains(t.owned, p) {
				partitions = append(partitions, p)
			}
		}
		ends, err := t.begin(ctx, topic, partitions)
		if err != nil {
			return err
		}
		for i, p := range partitions {
			tail := t.tails[place{topic, p}]
			unread[tail], until[tail] = place{topic, p}, ends[i]
		}
	}
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(tailsAtOne)
	for tail, p := range unread {
		reading.Go(func() error { return t.follow(ctx, tail, p, until[tail]) })
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	t.asked = now
	return nil
}

// begin makes the tails of a topic that there aren't yet, and returns where
// all end.
func (t *Tails) begin(ctx context.Context, topic string, partitions []int) (ends []int64, err error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	if ends, err = t.logs.Ends(ctx, topic, partitions); err != nil {
		return nil, err
	}
	missing := func(p int) bool { return t.tails[place{topic, p}] == nil }
	if !slices.ContainsFunc(partitions, missing) {
		return ends, nil
	}
	starts, err := t.logs.Offsets(ctx, topic, partitions, t.from.UnixMilli())
	if err != nil {
		return nil, err
	}
	for i, p := range partitions {
		if !missing(p) {
			continue
		}
		from := max(0, ends[i]-leastTail)
		if starts[i] >= 0 {
			from = min(from, starts[i])
		}
		t.tails[place{topic, p}] = &tail{next: from, open: map[string]openIntent{}}
	}
	return ends, nil
}

// follow reads a partition from where its tail ends.
func (t *Tails) follow(ctx context.Context, tail *tail, p place, end int64) error {
	now := time.Now()
	if tail.next >= end {
		return nil
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err := t.logs.Read(ctx, p.topic, p.partition, tail.next, end, func(r Record) {
		tail.next = max(tail.next, r.Offset+1)
		if tail.claimed.Len() > mostSIDs/len(t.tails) {
			stop(ErrTooMuch)
			return
		}
		if e, err := ParseEntry(r.Value); err == nil {
			t.take(tail, string(r.Key), e, now)
		}
	})
	if err != nil {
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	tail.next = end // compaction may have taken the last
	return nil
}

// take takes a record in. As in the index, what an older generation says than the
// intent's doesn't count, but that it was sent.
func (t *Tails) take(tail *tail, recordKey string, e Entry, now time.Time) {
	known, open := tail.open[recordKey]
	switch {
	case open && e.State != Sent && earlier(e, known.entry):
	case e.State == Intent:
		tail.open[recordKey] = openIntent{e, now}
	default:
		delete(tail.open, recordKey)
	}
	if e.SID != "" {
		tail.claimed.Put(t.claim(e.SID))
	}
}
