package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/internal/kafka/acked"
)

// Config is a shard's part of the ledger.
type Config struct {
	Retention time.Duration             // entries are remembered at least that long
	Observe   func(write time.Duration) // called for each acknowledged batch; may be nil
	Log       zerolog.Logger            // names the topic and the partition
	Others    Others
	Now       func() time.Time // the time, by which entries are forgotten; nil: this machine's
}

// topicLog is the log that a Ledger keeps its entries in; see Partition.
type topicLog interface {
	Bounds(ctx context.Context) (first, end int64, err error)
	Read(ctx context.Context, from, end int64, each func(Record)) error
	Append(ctx context.Context, records []Record) (base int64, err error)
}

// Record is one of the log's.
type Record = acked.Record

// Ticket is for an entry that is being written.
type Ticket = acked.Ticket

// Ledger is a shard's part of the ledger. It is safe for concurrent use.
//
// Its life: New, Restore (at the start of each assignment, before anything is
// sent), Run while the shard is owned, and again Restore at the next
// assignment, which reads only what is new.
type Ledger struct {
	cfg Config
	log topicLog

	journal *acked.Journal[pending]

	mu    sync.Mutex
	index *index
	next  int64 // the log is known up to here; -1: nothing is
	seen  sighting
}

// pending is an entry that is being written.
type pending struct {
	key   Key
	entry Entry
}

// New makes a ledger over a log, which knows nothing yet.
func New(cfg Config, log topicLog) *Ledger {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Ledger{cfg: cfg, log: log, index: newIndex(cfg.Retention), next: -1}
	l.journal = acked.NewJournal(acked.Owner[pending]{
		Append: l.append, Written: l.written,
		Trouble: func(err error) {
			cfg.Log.Warn().Err(err).Msg("the ledger can't be written; its deliveries are held until it can")
		},
		Refused: func(err error) error { return fmt.Errorf("write the ledger: %w", err) },
	})
	return l
}

// append makes one attempt at writing records.
func (l *Ledger) append(ctx context.Context, records []Record) (base int64, err error) {
	start := time.Now()
	base, err = l.log.Append(ctx, records)
	if err == nil && l.cfg.Observe != nil {
		l.cfg.Observe(time.Since(start))
	}
	return base, err
}

// Restore reads what the log holds beyond what is known already, up to its
// end at the time of the call, and returns how many records that were. A log
// that ends before what is known was made anew, and is read whole.
func (l *Ledger) Restore(ctx context.Context) (n int, err error) {
	first, end, err := l.log.Bounds(ctx)
	if err != nil {
		return 0, fmt.Errorf("restore the ledger: %w", err)
	}
	l.mu.Lock()
	from := l.next
	l.mu.Unlock()
	if from < first || from > end {
		from = first
	}
	n, hidden, err := l.fold(ctx, from, end)
	if err == nil {
		err = l.again(ctx, hidden, end)
	}
	if err != nil {
		return n, fmt.Errorf("restore the ledger: %w", err)
	}
	l.mu.Lock()
	l.next = end
	l.mu.Unlock()
	return n, nil
}

// read calls fold, with l.mu held, for the log's entries of [from, end) that
// count, and returns how many records there are. What lies behind end is left for later.
func (l *Ledger) read(ctx context.Context, from, end int64, fold func(recordKey []byte, e Entry)) (n int, err error) {
	if from >= end {
		return 0, nil
	}
	err = l.log.Read(ctx, from, end, func(r Record) {
		n++
		if r.Value == nil {
			return
		}
		e, err := ParseEntry(r.Value)
		if err != nil {
			l.cfg.Log.Error().Err(err).Int64("offset", r.Offset).
				Msg("a ledger record can't be read and is passed over; was it written by a newer version, or by something else?")
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		group := groupOf(r.Value)
		if l.see(group) {
			fold(r.Key, l.cfg.Others.ordered(group, e))
		}
	})
	return n, err
}

// Get is what is known of a delivery.
func (l *Ledger) Get(recordKey []byte) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.get(l.index.keys.of(recordKey))
}

// Key hashes a record key, for maps of what is going on in this process.
func (l *Ledger) Key(recordKey []byte) Key {
	return l.index.keys.of(recordKey)
}

// Claimed tells whether some delivery of the shard was sent under sid.
func (l *Ledger) Claimed(sid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.hasClaimed(sid)
}

// Doubtful are the body tags of the intents without an outcome that are of a kind,
// but for the one of recordKey. It looks at every such intent, of which there
// are few.
func (l *Ledger) Doubtful(of func(Doubt) bool, recordKey []byte) (bodies []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.bodies(of, l.index.keys.of(recordKey))
}

// Len is the number of entries in memory.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.len()
}

// Begin begins to write an entry, at once; the Ticket tells how that ended: nil when
// all in-sync replicas have it. It is for intents: a request waits for them. Begin
// needs Run.
func (l *Ledger) Begin(recordKey []byte, e Entry) Ticket { return l.put(recordKey, e, true) }

// Append writes an entry and returns once all in-sync replicas have it. When
// ctx ends first, the entry may or may not be written. It is for outcomes: they
// go along with the next intent, or alone after a moment, for which only their
// offset waits; but a crash in between leaves them in doubt. Append needs Run.
func (l *Ledger) Append(ctx context.Context, recordKey []byte, e Entry) error {
	return l.put(recordKey, e, false).Wait(ctx)
}

func (l *Ledger) put(recordKey []byte, e Entry, hurry bool) Ticket {
	var text [usualValue]byte
	return l.journal.Put(recordKey, l.value(text[:0], e), e.Time, pending{l.index.keys.of(recordKey), e}, hurry)
}

// Run writes what Begin and Append are given, in batches over the shard's concurrent
// deliveries, until ctx ends: what can't be written is tried again with
// backoff. It returns with nothing of its own left running.
func (l *Ledger) Run(ctx context.Context) { l.journal.Run(ctx) }

// written takes in what this owner wrote.
func (l *Ledger) written(ctx context.Context, base int64, page *acked.Page[pending]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A gap before our records holds somebody else's writes, or ours that were
	// applied without an answer. The log's order counts: they come first. If
	// they can't be read now, the next assignment does: what is known stays.
	known, end := l.next, base+int64(len(page.Of))
	var hidden map[string]Entry
	var err error
	if known >= 0 && base > known {
		l.mu.Unlock()
		_, hidden, err = l.fold(ctx, known, base)
		l.mu.Lock()
	}
	now := l.cfg.Now()
	l.seen.own = true
	for i := range page.Of {
		p, recordKey := &page.Of[i], page.Records[i].Key
		if hidden != nil {
			delete(hidden, string(recordKey)) // behind which this record is
		}
		if l.index.put(p.key, p.entry, now) {
			continue
		}
		hidden = l.hide(hidden, recordKey, p.key, p.entry)
		if p.entry.State == Sent {
			page.Fail(i, ErrClaimed)
		}
	}
	switch {
	case err != nil:
		l.unread(err)
	case len(hidden) == 0:
		l.knows(end)
	default:
		page.Then(l.restating(ctx, hidden, end))
	}
}

// restating writes once more what a page hides, up to which the log is known then.
func (l *Ledger) restating(ctx context.Context, hidden map[string]Entry, end int64) func() {
	return func() {
		if err := l.again(ctx, hidden, end); err != nil {
			l.unread(err)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.knows(end)
	}
}

// knows notes that the log is known up to end, unless it was never read. The
// caller holds l.mu.
func (l *Ledger) knows(end int64) {
	if l.next >= 0 {
		l.next = end
	}
}

func (l *Ledger) unread(err error) {
	l.cfg.Log.Warn().Err(err).Msg("records in the ledger that this owner didn't write couldn't be read yet")
}

// ErrClaimed says that another delivery of the shard is known to have been sent
// under this SID, or this one under another: a former owner's record said so late.
var ErrClaimed = errors.New("the message is another delivery's, or the delivery was sent already")

// hide notes what stands for a key, though e, which doesn't count, lies behind
// it in the log. The caller holds l.mu.
func (l *Ledger) hide(hidden map[string]Entry, recordKey []byte, k Key, e Entry) map[string]Entry {
	if hidden == nil {
		hidden = map[string]Entry{}
	}
	known, ok := l.index.get(k)
	if !ok {
		return hidden
	}
	known.Generation = max(known.Generation, e.Generation) // of an outcome, it isn't kept
	hidden[string(recordKey)] = known
	return hidden
}

// fold folds [from, end), which this owner didn't write, into the index. It
// returns how many records there are, and what the log would lose once it is
// compacted: what stands, though somebody's late record of the same key, which
// doesn't count, lies behind it.
func (l *Ledger) fold(ctx context.Context, from, end int64) (n int, hidden map[string]Entry, err error) {
	now := l.cfg.Now()
	n, err = l.read(ctx, from, end, func(recordKey []byte, e Entry) {
		k := l.index.keys.of(recordKey)
		if l.index.put(k, e, now) {
			delete(hidden, string(recordKey))
			return
		}
		hidden = l.hide(hidden, recordKey, k, e)
	})
	return n, hidden, err
}

// again writes entries once more, before all that is pending. The index keeps
// neither SIDs nor times: the log has them, up to end. Which of a delivery's
// SIDs counts is found as at a restore: by an index that takes the log in.
func (l *Ledger) again(ctx context.Context, hidden map[string]Entry, end int64) error {
	if len(hidden) == 0 {
		return nil
	}
	first, _, err := l.log.Bounds(ctx)
	if err != nil {
		return err
	}
	anew, now := newIndex(l.cfg.Retention), l.cfg.Now()
	if _, err = l.read(ctx, first, end, func(recordKey []byte, e Entry) {
		stored := anew.put(anew.keys.of(recordKey), e, now)
		if h, ok := hidden[string(recordKey)]; ok && stored && e.State == h.State {
			h.Time = e.Time
			if e.SID != "" {
				h.SID = e.SID
			}
			hidden[string(recordKey)] = h
		}
	}); err != nil {
		return err
	}
	var records []Record
	var of []pending
	for recordKey, e := range hidden {
		if e.Time.IsZero() {
			e.Time = now
		}
		r := Record{Key: []byte(recordKey), Value: l.value(nil, e), Time: e.Time}
		records, of = append(records, r), append(of, pending{l.index.keys.of(r.Key), e})
	}
	l.journal.PutFirst(records, of)
	return nil
}
