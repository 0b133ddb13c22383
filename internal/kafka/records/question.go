package records

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// fetchVersion is what Kafka has spoken since 2.3.
	fetchVersion = 11

	// grace is how long a broker may be silent, beyond the wait that it was
	// asked for, before the connection counts as dead.
	grace = 20 * time.Second

	// largestAnswer is well above what brokers take as a batch, which comes
	// whole whatever was asked for.
	largestAnswer = 1 << 30

	// keptBytes bounds the buffers that are kept for later.
	keptBytes = 4 << 20
)

// answer is what a broker says of one partition.
type answer struct {
	start   int64 // of the log
	end     int64 // of what can be read of it: the last stable offset
	batches []byte
	aborted []aborted // transactions, by their first offset
	nearest int       // the replica to read from; -1: this one
	buffer  *buffer   // below batches
}

// aborted is an aborted transaction.
type aborted struct{ producer, first int64 }

// buffer is an answer's memory.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer(size int) *buffer {
	b := buffers.Get().(*buffer)
	if cap(b.bytes) < size {
		b.bytes = make([]byte, size)
	}
	b.bytes = b.bytes[:size]
	return b
}

// free gives the buffer back.
func (b *buffer) free() {
	if b != nil && cap(b.bytes) <= keptBytes {
		buffers.Put(b)
	}
}

// question is one fetch. kafka-go finds a connection to the broker for it, and
// lets it speak for itself there.
type question struct {
	clientID string
	broker   int
	wait     time.Duration // at the broker, for a first byte
	maxBytes int           // of the whole answer, about
	places   []place       // by topic
	rack     string        // that a nearer replica is wanted in

	// answered takes what the answer says of a place, as soon as it is there.
	answered func(*place, answer, error)

	throttle time.Duration // that the broker asks for
	bytes    int           // of batches that came

	mu    sync.Mutex
	conn  io.Closer     // while it is asked
	over  bool          // nobody waits for it any more
	ended chan struct{} // closed when conn isn't used any more
}

// place is a partition's part of a question.
type place struct {
	seat     *seat
	turn     uint64 // of the seat's
	offset   int64
	maxBytes int32 // of its answer, about; a larger batch comes whole
	tried    bool  // a connection was lost that it was asked on
	done     bool  // the answer had it
}

var (
	_ protocol.BrokerMessage = (*question)(nil)
	_ protocol.RawExchanger  = (*question)(nil)
)

// ApiKey is of protocol.Message.
//
//nolint:staticcheck // the name is kafka-go's
func (q *question) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker is of protocol.BrokerMessage.
func (q *question) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return brokerOf(cluster, q.broker)
}

// brokerOf finds a broker by its number.
func brokerOf(cluster protocol.Cluster, id int) (protocol.Broker, error) {
	b, ok := cluster.Brokers[int32(id)]
	if !ok {
		return b, kafka.BrokerNotAvailable
	}
	return b, nil
}

// Required is of protocol.RawExchanger.
func (q *question) Required(map[protocol.ApiKey]int16) bool { return true }

// correlation numbers the requests.
var correlation atomic.Int32

// RawExchange is of protocol.RawExchanger: it writes the request and reads
// the answer, on a connection that is its alone.
func (q *question) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	conn := rw.(interface {
		io.Closer
		SetDeadline(time.Time) error
	})
	if !q.begin(conn) {
		return nil, errClosed
	}
	defer close(q.ended)
	silent := func(d time.Duration) error { return conn.SetDeadline(time.Now().Add(d)) }
	if err := silent(q.wait + grace); err != nil {
		return nil, err
	}
	defer func() { _ = conn.SetDeadline(time.Time{}) }() // fails on a connection that has ended, which its next user learns
	id := correlation.Add(1)
	if _, err := rw.Write(q.encode(id)); err != nil {
		return nil, err
	}
	w := wire{r: rw, left: 8, alive: func() error { return silent(grace) }}
	size, got := w.int32(), w.int32()
	switch {
	case w.err != nil:
		return nil, w.err
	case got != id:
		return nil, fmt.Errorf("the broker answered request %d instead of %d", got, id)
	case size < 4 || size > largestAnswer:
		return nil, fmt.Errorf("the broker announced an answer of %d bytes", size)
	}
	w.left = int(size) - 4
	return q, q.read(&w)
}

// begin takes a connection, unless nobody waits any more.
func (q *question) begin(conn io.Closer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return false
	}
	q.conn, q.ended = conn, make(chan struct{})
	return true
}

// end returns once nothing is asked any more. What still is loses its connection.
func (q *question) end() {
	q.mu.Lock()
	q.over = true
	conn, ended := q.conn, q.ended
	q.mu.Unlock()
	if conn != nil {
		conn.Close()
		<-ended
	}
}

// encode is the request.
func (q *question) encode(id int32) []byte {
	be := binary.BigEndian
	b := make([]byte, 4, 128+40*len(q.places))
	text := func(s string) { b = append(be.AppendUint16(b, uint16(len(s))), s...) }
	b = be.AppendUint16(b, uint16(protocol.Fetch))
	b = be.AppendUint16(b, fetchVersion)
	b = be.AppendUint32(b, uint32(id))
	text(q.clientID)
	b = be.AppendUint32(b, 0xffffffff) // no replica
	b = be.AppendUint32(b, uint32(q.wait.Milliseconds()))
	b = be.AppendUint32(b, 1) // byte at least
	b = be.AppendUint32(b, uint32(q.maxBytes))
	b = append(b, 1)                   // read committed
	b = be.AppendUint32(b, 0)          // no session
	b = be.AppendUint32(b, 0xffffffff) // nor a new one
	topics := 0
	for i := range q.places {
		if i == 0 || q.places[i].seat.topic != q.places[i-1].seat.topic {
			topics++
		}
	}
	b = be.AppendUint32(b, uint32(topics))
	for from := 0; from < len(q.places); {
		topic := q.places[from].seat.topic
		to := from
		for to < len(q.places) && q.places[to].seat.topic == topic {
			to++
		}
		text(topic)
		b = be.AppendUint32(b, uint32(to-from))
		for _, p := range q.places[from:to] {
			b = be.AppendUint32(b, uint32(p.seat.partition))
			b = be.AppendUint32(b, 0xffffffff) // any leader epoch
			b = be.AppendUint64(b, uint64(p.offset))
			b = be.AppendUint64(b, 0xffffffffffffffff) // no log start
			b = be.AppendUint32(b, uint32(p.maxBytes))
		}
		from = to
	}
	b = be.AppendUint32(b, 0) // forgotten
	text(q.rack)
	be.PutUint32(b, uint32(len(b)-4))
	return b
}

var errAnswer = errors.New("the broker's answer can't be understood")

// read reads an answer. Partitions that it doesn't mention have nothing: a
// broker whose quota is used up says nothing else but how long to wait.
func (q *question) read(w *wire) error {
	q.throttle = time.Duration(max(0, w.int32())) * time.Millisecond
	code := w.int16()
	w.int32() // session
	if w.err == nil && code != 0 {
		return kafka.Error(code)
	}
	next := 0 // in the order of the question, as brokers answer
	for topics := w.int32(); topics > 0 && w.err == nil; topics-- {
		topic := string(w.take(int(w.int16())))
		for partitions := w.int32(); partitions > 0 && w.err == nil; partitions-- {
			p, err := q.find(&next, topic, w.int32())
			if w.err != nil || err != nil {
				return cmp.Or(w.err, err)
			}
			if err := q.readPartition(w, p); err != nil {
				return err
			}
		}
	}
	if w.err == nil && w.left != 0 {
		return errAnswer
	}
	return w.err
}

// find is the place of a partition that wasn't answered yet.
func (q *question) find(next *int, topic string, partition int32) (*place, error) {
	for range q.places {
		p := &q.places[*next%len(q.places)]
		*next++
		if !p.done && p.seat.partition == partition && p.seat.topic == topic {
			return p, nil
		}
	}
	return nil, errAnswer
}

// readPartition reads what an answer says of a partition.
func (q *question) readPartition(w *wire, p *place) error {
	code := w.int16()
	a := answer{end: w.int64()}
	if stable := w.int64(); stable >= 0 {
		a.end = stable
	}
	a.start = w.int64()
	n := int(w.int32()) // -1 is null
	if n > w.left/16 {
		return errAnswer
	}
	for range n {
		a.aborted = append(a.aborted, aborted{producer: w.int64(), first: w.int64()})
	}
	slices.SortFunc(a.aborted, func(x, y aborted) int { return cmp.Compare(x.first, y.first) })
	a.nearest = int(w.int32())
	size := int(w.int32())
	switch {
	case w.err != nil:
		return w.err
	case size > w.left:
		return errAnswer
	}
	if size > 0 {
		a.buffer = newBuffer(size)
		a.batches = a.buffer.bytes
		if w.fill(a.batches); w.err != nil {
			a.buffer.free()
			return w.err
		}
		q.bytes += size
	}
	p.done = true
	if code != 0 {
		a.buffer.free()
		q.answered(p, answer{}, kafka.Error(code))
	} else {
		q.answered(p, a, nil)
	}
	return nil
}

// wire reads an answer from a connection. After an error, which it keeps, all
// is zero.
type wire struct {
	r     io.Reader
	left  int          // bytes of the answer
	alive func() error // called before reading what may take long
	err   error
	few   [8]byte
	text  []byte
}

// fill reads b.
func (w *wire) fill(b []byte) {
	if w.err != nil {
		return
	}
	if len(b) > w.left {
		w.err = errAnswer
		return
	}
	w.left -= len(b)
	if w.err = w.alive(); w.err == nil {
		_, err := io.ReadFull(w.r, b)
		w.err = noEOF(err)
	}
}

// take reads n bytes, which are good until the next take.
func (w *wire) take(n int) []byte {
	if n < 0 || n > w.left {
		w.err = cmp.Or(w.err, errAnswer)
	}
	if w.err != nil {
		return nil
	}
	w.text = slices.Grow(w.text[:0], n)[:n]
	w.fill(w.text)
	return w.text
}

func (w *wire) number(n int) uint64 {
	b := w.few[:n]
	if w.err == nil && n > w.left {
		w.err = errAnswer
	}
	if w.err == nil {
		w.left -= n
		_, err := io.ReadFull(w.r, b)
		w.err = noEOF(err)
	}
	if w.err != nil {
		return 0
	}
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}

func (w *wire) int16() int16 { return int16(w.number(2)) }
func (w *wire) int32() int32 { return int32(w.number(4)) }
func (w *wire) int64() int64 { return int64(w.number(8)) }

// noEOF keeps a lost connection from looking like an end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
