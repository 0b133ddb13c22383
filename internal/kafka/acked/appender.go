package acked

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// maxJoint is how many requests that several partitions share may be on
	// their way to a broker at a time.
	maxJoint = 5

	// jointBytes bounds what such a request holds, but for a single batch.
	jointBytes = 1 << 20

	// Where a request took crowd records or more there are as many again soon: the
	// next one leaves gathering later, and takes them along.
	crowd     = 16
	gathering = time.Millisecond

	// inSyncTime is how long a broker waits for all in-sync replicas. Then it
	// says which partition lacks them: it must be the less of the two.
	inSyncTime  = 4 * time.Second
	requestTime = 5 * time.Second
)

// Record is a record of a log. A nil Key or Value is null.
type Record struct {
	Offset     int64     // where it is read
	Time       time.Time // when it is appended
	Key, Value []byte
}

// Appender appends batches of records to partitions, one attempt each. What
// comes for one broker while a request to it is on its way goes along with the
// next one, whatever partitions it is for, and waits for that no longer than
// lingering; otherwise it goes at once.
//
// A partition's batches are written one after the other. What fails of one
// concerns no other: a batch whose partition failed the last time goes by itself.
//
// It is safe for concurrent use.
type Appender struct {
	exchange exchange
	leader   func(ctx context.Context, topic string, partition int) (int, error)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // requests

	mu         sync.Mutex
	partitions map[place]*partition
	brokers    map[int]*queue
}

// exchange asks a broker to append batches and answers each. It fails as a
// whole when the broker said nothing.
type exchange func(ctx context.Context, broker int, batches []*batch) error

type place struct {
	topic     string
	partition int
}

// partition is what is known of one.
type partition struct {
	leader int  // -1: unknown
	busy   bool // a batch is on its way
	failed bool // the last one wasn't acknowledged
}

// batch is on its way from Append until it is answered.
type batch struct {
	at      place
	of      *partition
	records []Record
	bytes   int
	since   time.Time // it waits

	base     int64
	err      error
	answered chan struct{} // closed once base and err are set
}

// queue is what waits for a broker, in the order in which it came.
type queue struct {
	waiting []*batch
	joint   int         // requests on their way
	next    time.Time   // before which no other leaves alone
	timer   *time.Timer // looks at the queue again; nil until first needed
	looks   time.Time   // when it does; zero when it doesn't
}

var errClosed = errors.New("the writer is closed")

// NewAppender makes an Appender that writes through client. leader finds a partition's
// leader; it is asked again after each failure. Close it in the end.
func NewAppender(client *kafka.Client, clientID string, leader func(ctx context.Context, topic string, partition int) (int, error)) *Appender {
	a := &Appender{
		exchange: (&producing{client: client, clientID: clientID}).ask, leader: leader,
		partitions: map[place]*partition{}, brokers: map[int]*queue{},
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Close gives up what is on its way, and returns with nothing of its own left
// running. Later calls of Append fail.
func (a *Appender) Close() {
	a.mu.Lock()
	a.cancel()
	for _, q := range a.brokers {
		for _, b := range q.waiting {
			b.err = errClosed
			close(b.answered)
		}
		q.waiting = nil
	}
	a.mu.Unlock()
	a.work.Wait()
}

// Append writes records into a partition and returns the first one's offset once
// all in-sync replicas have them. After an error, also ctx's, they may have been written
// all the same, or still be; where ctx ends before they have left they never are.
// Their memory must stay as it is.
func (a *Appender) Append(ctx context.Context, topic string, id int, records []Record) (base int64, err error) {
	at := place{topic, id}
	a.mu.Lock()
	of := a.partitions[at]
	if of == nil {
		of = &partition{leader: -1}
		a.partitions[at] = of
	}
	leader := of.leader
	a.mu.Unlock()
	if leader < 0 {
		if leader, err = a.leader(ctx, topic, id); err != nil {
			return 0, err
		}
	}
	b := &batch{at: at, of: of, records: records, since: time.Now(), answered: make(chan struct{})}
	for _, r := range records {
		b.bytes += len(r.Key) + len(r.Value)
	}
	if err := a.put(b, leader); err != nil {
		return 0, err
	}
	select {
	case <-b.answered:
		return b.base, b.err
	case <-ctx.Done():
		a.withdraw(b, leader)
		return 0, ctx.Err()
	}
}

// put lets a batch wait for its turn.
func (a *Appender) put(b *batch, leader int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil {
		return errClosed
	}
	b.of.leader = leader
	q := a.brokers[leader]
	if q == nil {
		q = &queue{}
		a.brokers[leader] = q
	}
	q.waiting = append(q.waiting, b)
	if q.looks.IsZero() || b.of.failed || q.joint == 0 && !b.since.Before(q.next) {
		a.kick(leader, q)
	}
	return nil
}

// withdraw takes out a batch that nobody waits for any more, unless it has left.
func (a *Appender) withdraw(b *batch, leader int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.brokers[leader]
	for i := range q.waiting {
		if q.waiting[i] == b {
			q.waiting = slices.Delete(q.waiting, i, i+1)
			return
		}
	}
}

// kick sends what may leave. The caller holds a.mu.
func (a *Appender) kick(broker int, q *queue) {
	if a.ctx.Err() != nil {
		return
	}
	var ready, rest []*batch
	for _, b := range q.waiting {
		switch {
		case b.of.busy:
			rest = append(rest, b)
		case b.of.failed:
			b.of.busy = true
			a.work.Go(func() { a.send(broker, q, []*batch{b}, 0) })
		default:
			b.of.busy = true
			ready = append(ready, b)
		}
	}
	now := time.Now()
	for len(ready) > 0 && (q.joint == 0 && !now.Before(q.next) || q.joint < maxJoint && now.Sub(ready[0].since) >= lingering) {
		n, bytes := 1, ready[0].bytes
		for n < len(ready) && bytes+ready[n].bytes <= jointBytes {
			bytes += ready[n].bytes
			n++
		}
		joint := ready[:n:n]
		ready = ready[n:]
		q.joint++
		a.work.Go(func() { a.send(broker, q, joint, 1) })
	}
	for _, b := range ready {
		b.of.busy = false
	}
	q.waiting = append(ready, rest...)
	if len(ready) > 0 && q.joint < maxJoint {
		at := ready[0].since.Add(lingering)
		if q.joint == 0 && q.next.Before(at) {
			at = q.next
		}
		a.lookAgain(broker, q, at, now)
	}
}

// lookAgain has the queue looked at again. The caller holds a.mu.
func (a *Appender) lookAgain(broker int, q *queue, at, now time.Time) {
	switch {
	case q.timer == nil:
		q.timer = time.AfterFunc(at.Sub(now), func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			q.looks = time.Time{}
			a.kick(broker, q)
		})
	case q.looks.IsZero() || at.Before(q.looks):
		q.timer.Reset(at.Sub(now))
	default:
		return
	}
	q.looks = at
}

// send makes one request and answers its batches. joint is 1 where it counts as
// one that partitions share, else 0.
func (a *Appender) send(broker int, q *queue, batches []*batch, joint int) {
	ctx, cancel := context.WithTimeout(a.ctx, requestTime)
	err := a.exchange(ctx, broker, batches)
	cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	records := 0
	for _, b := range batches {
		records += len(b.records)
		if err != nil {
			b.err = err
		}
		b.of.busy, b.of.failed = false, b.err != nil
		if b.of.failed {
			b.of.leader = -1
		}
		close(b.answered)
	}
	if q.joint -= joint; records >= crowd {
		q.next = time.Now().Add(gathering)
	}
	for broker, q := range a.brokers { // a partition may have moved to another one
		a.kick(broker, q)
	}
}
