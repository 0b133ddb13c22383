package status

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/metrics"
)

// Config is a shard's part of a destination's status topic.
type Config struct {
	Destination string // its name, the metrics' label
	Group       string // the consumer group's id
	Source      string // the source topic
	SweepAfter  time.Duration
	GiveUpAfter time.Duration
}

// Parts are what a Follower works with; all are safe for concurrent use.
type Parts struct {
	Log         topicLog
	Events      events
	Replays     replays // of the source's replayed dead letters; nil: there are none
	DeadLetters deadLetters
	Room        *Room
	Metrics     *metrics.Metrics
	Logger      zerolog.Logger // names the topic and the partition
}

// topicLog is the log that holds the records; see ledger.Partition.
type topicLog interface {
	Bounds(ctx context.Context) (first, end int64, err error)
	Read(ctx context.Context, from, end int64, each func(ledger.Record)) error
	Append(ctx context.Context, records []ledger.Record) (base int64, err error)
}

// events is the source topic. A nil message without an error means that the
// event isn't there any more.
type events interface {
	Event(ctx context.Context, at Position) (*kafka.Message, error)
}

// replays tells whether a source record is a replayed dead letter, and which.
type replays interface {
	Confirm(ctx context.Context, m *kafka.Message) (r deadletter.Replayed, ok bool, err error)
}

// deadLetters publishes one dead letter; nil means acknowledged by all
// in-sync replicas.
type deadLetters interface {
	Publish(ctx context.Context, r *deadletter.Record) error
}

// Follower follows a shard's messages. It is safe for concurrent use.
//
// Its life: New; Run while the shard is owned, again at each assignment. The
// other methods may be called before Run and wait for it.
type Follower struct {
	cfg      Config
	parts    Parts
	schedule schedule
	journal  *acked.Journal[change]
	missing  time.Time // since when the topic isn't there; zero: it is. It is the journal's

	applying sync.Mutex // held while news is merged: of two changes of a message the second sees the first

	mu       sync.Mutex
	index    index
	begin    int64         // nothing before it is pending, as far as an earlier owner said
	next     int64         // the log is known up to here; -1: nothing is
	position int64         // nothing before it is pending; -1: that isn't known
	overflow int64         // from here on some that are pending aren't in the index; -1: all are
	absent   bool          // there is no topic
	lost     chan struct{} // of size one: the topic is gone, and is to be looked for again
	pending  int           // messages in the index that haven't ended
	known    chan struct{} // closed once the log is read for the first time, or isn't there
	knows    sync.Once     // closes it
}

// New makes a Follower that knows nothing yet.
func New(cfg Config, parts Parts) *Follower {
	f := &Follower{
		cfg: cfg, parts: parts, schedule: schedule{cfg.SweepAfter}, index: index{hashes: hashes{maphash.MakeSeed()}},
		begin: -1, next: -1, position: -1, overflow: -1, lost: make(chan struct{}, 1), known: make(chan struct{}),
	}
	f.journal = acked.NewJournal(acked.Owner[change]{
		Append: f.append, Stale: f.stale, Written: f.written, Refused: f.refused,
		Trouble: func(err error) {
			parts.Logger.Warn().Err(err).Msg("the status topic can't be written; what Twilio has accepted isn't settled until it can")
		},
	})
	return f
}

// Begin tells where to begin to read, for a Follower that knows nothing yet: the
// Position that an earlier owner has committed; negative for none. It isn't for
// use during Run.
func (f *Follower) Begin(at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next < 0 {
		f.begin = at
	}
}

// Position is what to commit: where the next owner may begin to read. ok is
// false where that isn't known.
func (f *Follower) Position() (at int64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.position, f.position >= 0
}

// Accepted begins to follow a message: it returns once all in-sync replicas have
// its record, or when ctx ends. Where there is no topic it returns at once, and
// the message isn't followed. What of the record is the Follower's own
// is filled in.
func (f *Follower) Accepted(ctx context.Context, recordKey []byte, r Record) error {
	r.Status = Accepted
	t, ok := f.enqueue(recordKey, &r, entry{})
	if !ok {
		return nil
	}
	return t.Wait(ctx)
}

// Withdraw says that a message that was said to be accepted under a key is
// another's. It returns like Accepted.
func (f *Follower) Withdraw(ctx context.Context, recordKey []byte, sid string) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	e, ok := f.find(recordKey, sid)
	if !ok {
		return nil
	}
	t, ok := f.enqueue(recordKey, &Record{}, e)
	if !ok {
		return nil
	}
	if err := t.Wait(ctx); !errors.Is(err, errOvertaken) {
		return err
	}
	return nil // by a message that begins under the key
}

// find is the entry of a message.
func (f *Follower) find(recordKey []byte, sid string) (entry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.index.table.Get(entry{key: f.index.key(recordKey)})
	return e, ok && e.tag == f.index.tag(sid)
}

// put stores an entry in place of its key's, if there is room. A message that
// came to its end is kept for a while. The caller holds f.mu.
func (f *Follower) put(e entry) {
	old, had := f.index.table.Get(e)
	if !had && !f.parts.Room.take() {
		if f.overflow < 0 {
			f.overflow = e.offset()
			f.parts.Logger.Warn().Int64("offset", f.overflow).Msg("there is no room for more pending messages; the rest wait in the status topic")
		}
		return
	}
	if had && !old.state().Final() {
		f.pending--
	}
	if !e.state().Final() {
		f.pending++
	}
	f.index.table.Put(e)
}

// remove takes an entry out. The caller holds f.mu.
func (f *Follower) remove(e entry) {
	old, had := f.index.table.Get(e)
	if !had {
		return
	}
	if !old.state().Final() {
		f.pending--
	}
	f.index.table.Remove(e)
	f.parts.Room.give(1)
}

// grace is how long a message that came to its end is kept, so that late news
// of it is recognised.
const grace = 10 * time.Minute

// readGrace is how long one is kept that was delivered and may still be read.
const readGrace = 24 * time.Hour

// entryOf is a record's, at its place in the log.
func (f *Follower) entryOf(key uint64, r *Record, offset int64, now time.Time, atOnce bool) entry {
	tag := f.index.tag(r.SID)
	if r.Status.Final() {
		keep := grace
		if r.Status == Delivered && strings.HasPrefix(r.To, "whatsapp:") {
			keep = readGrace
		}
		return newEntry(key, tag, offset, r.Status, 0, ticksOf(now.Add(keep)))
	}
	return f.schedule.pending(key, tag, offset, r.Status, r.AcceptedAt, now, atOnce)
}

// Close gives the index's room back. Nothing may be called afterwards.
func (f *Follower) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts.Room.give(f.index.table.Len())
	f.index.table.Clear()
	f.pending = 0
}
