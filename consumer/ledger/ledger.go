package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
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
type Record struct {
	Offset     int64     // where it is read
	Time       time.Time // when it is appended
	Key, Value []byte
}

// Ledger is a shard's part of the ledger. It is safe for concurrent use.
//
// Its life: New, Restore (at the start of each assignment, before anything is
// sent), Run while the shard is owned, and again Restore at the next
// assignment, which reads only what is new.
type Ledger struct {
	cfg Config
	log topicLog

	mu      sync.Mutex
	index   *index
	pending []*pending
	next    int64 // the log is known up to here; -1: nothing is
	seen    sighting
	wake    chan struct{} // of size one: a signal that pending isn't empty
}

// pending is a record that waits to be written.
type pending struct {
	key, value []byte
	entry      Entry
	done       chan error // of size one, so that the writer never waits
}

// record makes an entry's.
func (l *Ledger) record(key []byte, e Entry) *pending {
	return &pending{key: key, value: l.value(e), entry: e, done: make(chan error, 1)}
}

// New makes a ledger over a log, which knows nothing yet.
func New(cfg Config, log topicLog) *Ledger {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Ledger{cfg: cfg, log: log, index: newIndex(cfg.Retention), next: -1, wake: make(chan struct{}, 1)}
}

const (
	// companyWait is how long an outcome waits for an intent to go along with.
	// Only its offset waits for it, but a crash in between leaves it in doubt.
	companyWait = 5 * time.Millisecond

	maxBatch      = 1000      // records a write
	maxBatchBytes = 256 << 10 // of keys and values a write, but for a single record
)

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

// Begin begins to write an entry, at once; the channel tells once how that
// ended, nil when all in-sync replicas have it. It is for intents: a request
// waits for them. Begin needs Run.
func (l *Ledger) Begin(recordKey []byte, e Entry) <-chan error {
	p := l.record(recordKey, e)
	l.enqueue(p)
	l.signal()
	return p.done
}

// Append writes an entry and returns once all in-sync replicas have it. When
// ctx ends first, the entry may or may not be written. It is for outcomes: they
// go along with the next intent, or alone after a moment. Append needs Run.
func (l *Ledger) Append(ctx context.Context, recordKey []byte, e Entry) error {
	p := l.record(recordKey, e)
	if first := l.enqueue(p); first {
		time.AfterFunc(companyWait, l.signal)
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue adds to what is pending and reports whether nothing was.
func (l *Ledger) enqueue(p *pending) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = len(l.pending) == 0
	l.pending = append(l.pending, p)
	return first
}

// signal wakes the writer.
func (l *Ledger) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run writes what Append is given, in batches over the shard's concurrent
// deliveries, until ctx ends: what can't be written is tried again with
// backoff. It returns with nothing of its own left running.
func (l *Ledger) Run(ctx context.Context) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.refuse(ctx.Err())
			return
		}
		for batch := l.take(); len(batch) > 0; batch = l.take() {
			l.write(ctx, batch)
		}
	}
}

// take removes a batch from what is pending, bounded in records and bytes.
func (l *Ledger) take() []*pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, bytes := 0, 0
	for n < len(l.pending) && n < maxBatch {
		if bytes += len(l.pending[n].key) + len(l.pending[n].value); n > 0 && bytes > maxBatchBytes {
			break
		}
		n++
	}
	batch := l.pending[:n:n]
	if l.pending = l.pending[n:]; len(l.pending) == 0 {
		l.pending = nil
	}
	return batch
}

// refuse answers all that is pending.
func (l *Ledger) refuse(err error) {
	for batch := l.take(); len(batch) > 0; batch = l.take() {
		for _, p := range batch {
			p.done <- err
		}
	}
}

// write produces one batch and answers its records. A batch that the topic
// refuses is written in halves, so that only the record that is to blame fails.
func (l *Ledger) write(ctx context.Context, batch []*pending) {
	base, err := l.produce(ctx, batch)
	if permanent(err) && len(batch) > 1 {
		l.write(ctx, batch[:len(batch)/2])
		l.write(ctx, batch[len(batch)/2:])
		return
	}
	if err != nil {
		for _, p := range batch {
			p.done <- err
		}
		return
	}
	l.mu.Lock()
	known := l.next
	l.mu.Unlock()
	// A gap before our records holds somebody else's writes, or ours that were
	// applied without an answer. The log's order counts: they come first. If
	// they can't be read now, the next assignment does: known stays.
	end := base + int64(len(batch))
	var hidden map[string]Entry
	var read error
	if known >= 0 && base > known {
		_, hidden, read = l.fold(ctx, known, base)
	}
	now := l.cfg.Now()
	l.mu.Lock()
	l.seen.own = true
	for _, p := range batch {
		delete(hidden, string(p.key)) // behind which this record is
		k := l.index.keys.of(p.key)
		stored := l.index.put(k, p.entry, now)
		if !stored {
			hidden = l.hide(hidden, p.key, k, p.entry)
		}
		if !stored && p.entry.State == Sent {
			p.done <- ErrClaimed
		} else {
			p.done <- nil
		}
	}
	l.mu.Unlock()
	if read == nil {
		read = l.again(ctx, hidden, end)
	}
	if read != nil {
		l.cfg.Log.Warn().Err(read).Msg("records in the ledger that this owner didn't write couldn't be read yet")
	} else if known >= 0 {
		l.mu.Lock()
		l.next = end
		l.mu.Unlock()
	}
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

// produce writes the batch with acknowledgement by all in-sync replicas,
// again and again until it works or ctx ends.
func (l *Ledger) produce(ctx context.Context, batch []*pending) (base int64, err error) {
	pauses := pause.Growing(50*time.Millisecond, 2*time.Second)
	records := make([]Record, len(batch))
	for i, p := range batch {
		records[i] = Record{Key: p.key, Value: p.value, Time: p.entry.Time}
	}
	for failures := 1; ; failures++ {
		start := time.Now()
		// Not bounded by ctx alone: a request that hangs must be given up.
		attempt, cancel := context.WithTimeout(ctx, produceTimeout)
		base, err = l.log.Append(attempt, records)
		cancel()
		if err == nil {
			if l.cfg.Observe != nil {
				l.cfg.Observe(time.Since(start))
			}
			return base, nil
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("write the ledger: %w", ctx.Err())
		}
		if permanent(err) {
			return 0, fmt.Errorf("write the ledger: %w", err)
		}
		if failures == failuresBeforeWarning {
			l.cfg.Log.Warn().Err(err).Msg("the ledger can't be written; its deliveries are held until it can")
		}
		pause.For(ctx, pauses.NextBackOff())
	}
}

// failuresBeforeWarning is how many writes must fail in a row: a leader's move
// is no news.
const failuresBeforeWarning = 4

// produceTimeout is how long one write may take before it's tried again.
const produceTimeout = 5 * time.Second

// permanent tells errors of the record itself, which trying again can't mend.
func permanent(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidRecord)
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
	var records []*pending
	for recordKey, e := range hidden {
		if e.Time.IsZero() {
			e.Time = now
		}
		records = append(records, l.record([]byte(recordKey), e))
	}
	l.mu.Lock()
	l.pending = append(records, l.pending...)
	l.mu.Unlock()
	l.signal()
	return nil
}
