package records

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/pause"
)

const (
	// heldBytes bounds the answers that are in memory, beside those of long
	// polls, of which each has at most an eighth of answerBytes.
	heldBytes = 24 << 20

	// findTimeout bounds a look at who leads a partition.
	findTimeout = 15 * time.Second
)

// Options are what a Cluster may be told.
type Options struct {
	// ClientID is what brokers see in their logs and quotas; "" means the
	// client's.
	ClientID string

	// Rack is where this process is. Partitions that have a replica there are
	// read from it, where the brokers say so. "": from their leaders.
	Rack string

	// Throttled is told of each pause that a broker asked for; may be nil.
	// It returns at once.
	Throttled func(time.Duration)
}

// Cluster reads a Kafka cluster's partitions, and appends to them. It is safe
// for concurrent use.
type Cluster struct {
	Client *kafka.Client // its Addr leads to the cluster

	options Options
	appends *acked.Appender
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // all its goroutines

	asking chan struct{} // of size one: who is in it asks of leaders, and has recent
	recent leaders

	mu      sync.Mutex
	closed  bool
	brokers map[int]*broker
	lost    []place // whose leader isn't known
	finding bool    // it is looked for
	held    int     // bytes of answers, with those that are asked for
	starved bool    // a fetch waits for some to be given back
}

// NewCluster makes a Cluster that asks through client's connections. It does
// nothing until it is used; Close it in the end.
func NewCluster(client *kafka.Client, options Options) *Cluster {
	if options.ClientID == "" {
		options.ClientID = connect.ClientID(client)
	}
	c := &Cluster{Client: client, options: options, brokers: map[int]*broker{}, asking: make(chan struct{}, 1), recent: leaders{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.appends = acked.NewAppender(client, options.ClientID, c.leader)
	return c
}

var errClosed = errors.New("the reader of partitions is closed")

// Close ends all reading and appending: every Next and Append fails. It returns
// with nothing of its own left running. The client stays open.
func (c *Cluster) Close() {
	c.appends.Close()
	c.mu.Lock()
	c.closed = true
	for _, b := range c.brokers {
		b.refuse()
	}
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
}

// Bytes say how much of a partition is in memory at a time.
type Bytes struct {
	Answer int // of the broker's, about; a larger batch comes whole
	Block  int // of decompressed records, about; a larger record comes whole
}

// Open begins to read a partition at an offset. Close the Log when it
// isn't read for long: it holds memory.
func (c *Cluster) Open(topic string, partition int, offset int64, bytes Bytes) *Log {
	s := &seat{cluster: c, topic: topic, partition: int32(partition), end: -1, replies: make(chan reply, 1)}
	s.log = newLog(offset, bytes, s.fetch, c.give)
	return s.log
}

// seat is where a Log waits for answers.
type seat struct {
	cluster   *Cluster
	log       *Log // only to tell it what was seen
	topic     string
	partition int32
	replies   chan reply // of size one: there is a reply only to who waits

	// Guarded by the Cluster's mu.
	broker  *broker // that is asked; nil: unknown
	near    nearness
	waiting bool
	turn    uint64 // how often it waited
	end     int64  // of the log, as last seen; -1 unknown
}

type reply struct {
	answer answer
	err    error
}

// fetch waits for an answer that has something.
func (s *seat) fetch(ctx context.Context, offset int64, maxBytes int) (answer, error) {
	c := s.cluster
	c.mu.Lock()
	s.waiting = true
	s.turn++
	p := place{seat: s, turn: s.turn, offset: offset, maxBytes: int32(maxBytes)}
	switch {
	case c.closed:
		s.reply(answer{}, errClosed)
	case s.broker == nil || s.near.stale(time.Now()):
		c.find(p)
	default:
		s.broker.put(p)
		s.broker.kick()
	}
	c.mu.Unlock()
	select {
	case r := <-s.replies:
		return r.answer, r.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.waiting = false
	select {
	case r := <-s.replies: // at the same moment
		r.answer.buffer.free()
		c.release(len(r.answer.batches))
	default:
	}
	return answer{}, ctx.Err()
}

// reply ends the waiting. The caller holds the Cluster's mu.
func (s *seat) reply(a answer, err error) {
	s.waiting = false
	s.replies <- reply{a, err}
}

// saw notes what an answer says of the log. The caller holds the Cluster's mu.
func (s *seat) saw(a answer) {
	s.end = a.end
	s.log.saw(a)
}

// give takes an answer's memory back.
func (c *Cluster) give(a answer) {
	size := len(a.batches)
	a.buffer.free()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(size)
}

// release makes room for other answers.
func (c *Cluster) release(size int) {
	c.held -= size
	if c.starved && heldBytes-c.held >= leastRoom {
		c.starved = false
		for _, b := range c.brokers {
			b.kick()
		}
	}
}

// ask asks a question, and hands out each partition's part of the answer as it
// comes. empty are those that got none, though the broker spoke of them.
func (c *Cluster) ask(q *question) (empty []place, served bool, err error) {
	if len(q.places) == 0 {
		return nil, false, nil
	}
	var seen []answer // of the empty ones
	if q.wait > 0 {   // as nearly all are
		empty, seen = make([]place, 0, len(q.places)), make([]answer, 0, len(q.places))
	}
	q.answered = func(p *place, a answer, err error) {
		if err == nil && a.nearest >= 0 && a.nearest != q.broker {
			c.mu.Lock()
			moved := p.waits() && c.moveTo(a.nearest, *p, a)
			c.mu.Unlock()
			if moved {
				return
			}
		}
		if err == nil && len(a.batches) == 0 {
			empty, seen = append(empty, *p), append(seen, a)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		served = served || err == nil
		if !p.waits() {
			a.buffer.free()
			return
		}
		if err != nil && p.seat.near.follower {
			c.leave(*p)
			return
		}
		if err == nil {
			p.seat.saw(a)
		} else if !errors.Is(err, kafka.OffsetOutOfRange) {
			p.seat.broker = nil
		}
		c.held += len(a.batches)
		p.seat.reply(a, err)
	}
	_, err = c.transport().RoundTrip(c.ctx, c.Client.Addr, q)
	if err != nil {
		q.end()
		if c.ctx.Err() != nil {
			err = errClosed
		}
	}
	c.mu.Lock()
	for i := range empty {
		if empty[i].waits() {
			empty[i].seat.saw(seen[i])
		}
	}
	c.mu.Unlock()
	return empty, served, err
}

func (c *Cluster) transport() kafka.RoundTripper {
	if c.Client.Transport == nil {
		return kafka.DefaultTransport
	}
	return c.Client.Transport
}

func (c *Cluster) throttled(d time.Duration) {
	if c.options.Throttled != nil {
		c.options.Throttled(d)
	}
}

// sleep waits, at most until Close.
func (c *Cluster) sleep(d time.Duration) {
	pause.For(c.ctx, d)
}

// find looks for the leader of a place's partition. The caller holds mu.
func (c *Cluster) find(p place) {
	c.lost = append(c.lost, p)
	if !c.finding {
		c.finding = true
		c.work.Go(c.findLeaders)
	}
}

// findLeaders finds all that are lost, as often as there are new ones.
func (c *Cluster) findLeaders() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.lost) > 0 {
		lost := c.lost
		c.lost = nil
		var topics []string
		known := map[string]bool{}
		for _, p := range lost {
			if !known[p.seat.topic] {
				known[p.seat.topic] = true
				topics = append(topics, p.seat.topic)
			}
		}
		c.mu.Unlock()
		ctx, cancel := context.WithTimeout(c.ctx, findTimeout)
		leaders, err := c.leaders(ctx, topics...)
		cancel()
		c.mu.Lock()
		for _, p := range lost {
			if !p.waits() {
				continue
			}
			id, problem := 0, err
			if err == nil {
				id, problem = leaders.of(p.seat.topic, int(p.seat.partition))
			}
			switch {
			case c.closed:
				p.seat.reply(answer{}, errClosed)
			case problem != nil:
				p.seat.reply(answer{}, fmt.Errorf("find the leader of %s/%d: %w", p.seat.topic, p.seat.partition, problem))
			default:
				p.seat.broker, p.seat.near.follower = c.broker(id), false
				p.seat.broker.put(p)
			}
		}
		for _, b := range c.brokers {
			b.kick()
		}
	}
	c.finding = false
}

// broker finds or makes a broker. The caller holds mu.
func (c *Cluster) broker(id int) *broker {
	if c.brokers[id] == nil {
		c.brokers[id] = &broker{cluster: c, id: id}
	}
	return c.brokers[id]
}

// Append is acked.Appender's.
func (c *Cluster) Append(ctx context.Context, topic string, partition int, records []acked.Record) (base int64, err error) {
	return c.appends.Append(ctx, topic, partition, records)
}

// routed puts what kafka-go says of a partition that it knows no leader of
// into the broker's words.
func routed(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return kafka.UnknownTopicOrPartition
	case errors.Is(err, protocol.ErrNoLeader):
		return kafka.LeaderNotAvailable
	}
	return err
}
