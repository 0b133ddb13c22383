// Package partition connects to the leader of one topic partition and reads
// its log with kafka-go's Conn, the fastest way that kafka-go offers.
package partition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// Cluster is how to reach a Kafka cluster. It is safe for concurrent use.
type Cluster struct {
	Client *kafka.Client // its Addr leads to the cluster
	Dialer *kafka.Dialer
}

// Count is the number of partitions of each topic that exists; topics that
// don't are absent.
func (c Cluster) Count(ctx context.Context, topics ...string) (map[string]int, error) {
	meta, err := c.Client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %v: %w", topics, err)
	}
	n := make(map[string]int, len(topics))
	for _, t := range meta.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil:
			return nil, fmt.Errorf("read the metadata of topic %s: %w", t.Name, t.Error)
		default:
			n[t.Name] = len(t.Partitions)
		}
	}
	return n, nil
}

// Dial connects to the partition's leader. A partition without a leader is
// kafka.LeaderNotAvailable, an unknown one kafka.UnknownTopicOrPartition.
func (c Cluster) Dial(ctx context.Context, topic string, partition int) (*kafka.Conn, error) {
	meta, err := c.Client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, err)
	}
	for _, t := range meta.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, t.Error)
		}
		for _, p := range t.Partitions {
			if p.ID != partition {
				continue
			}
			if p.Leader.Host == "" {
				return nil, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, kafka.LeaderNotAvailable)
			}
			conn, err := c.Dialer.DialPartition(ctx, "tcp", "", kafka.Partition{Topic: topic, ID: partition, Leader: p.Leader})
			if err != nil {
				return nil, fmt.Errorf("connect to %s, the leader of %s/%d: %w", net.JoinHostPort(p.Leader.Host, strconv.Itoa(p.Leader.Port)), topic, partition, err)
			}
			return conn, nil
		}
	}
	return nil, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, kafka.UnknownTopicOrPartition)
}

// Bounds are the partition's first offset and the one after its last.
func (c Cluster) Bounds(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	res, err := c.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err != nil {
		return 0, 0, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, err)
	}
	for _, p := range res.Topics[topic] {
		if p.Partition != partition {
			continue
		}
		if p.Error != nil {
			return 0, 0, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, p.Error)
		}
		return p.FirstOffset, p.LastOffset, nil
	}
	return 0, 0, fmt.Errorf("read the bounds of %s/%d: %w", topic, partition, kafka.UnknownTopicOrPartition)
}

// FetchConfig bounds one fetch.
type FetchConfig struct {
	MaxBytes int           // of one answer; a larger record still comes whole
	MaxWait  time.Duration // how long the broker may wait for a first byte
}

// fetchGrace is how long an answer may take beyond MaxWait before the
// connection counts as dead.
const fetchGrace = 10 * time.Second

// Fetch asks conn for one batch from offset on and calls each for its
// records, in order. It returns the next offset to ask for, stepping over
// what compaction took away, and the log's end as the broker saw it. When
// each returns false, fetching stops after that record. The message is each's
// until it returns; its key, value and headers stay. End ctx to interrupt
// a fetch: that closes conn.
func Fetch(ctx context.Context, conn *kafka.Conn, offset int64, cfg FetchConfig, each func(*kafka.Message) bool) (next, end int64, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		read := false
		next, end, err = fetch(ctx, conn, offset, cfg, func(m *kafka.Message) bool { read = true; return each(m) })
		if err != nil || read || next > offset || end <= offset {
			return next, end, err
		}
		// There is more, and nothing of it came: kafka-go doesn't step over a
		// compressed batch whose last records were compacted away, unless it
		// sees the next one.
		if cfg.MaxBytes *= 2; cfg.MaxBytes > largestFetch {
			return next, end, fmt.Errorf("nothing can be read at offset %d, though the log ends at %d", offset, end)
		}
	}
}

// largestFetch is well above what brokers take as a batch.
const largestFetch = 256 << 20

func fetch(ctx context.Context, conn *kafka.Conn, offset int64, cfg FetchConfig, each func(*kafka.Message) bool) (next, end int64, err error) {
	var m kafka.Message // one for all: each doesn't keep it
	return read(ctx, conn, offset, cfg, func(batch *kafka.Batch) (goOn bool, err error) {
		if m, err = batch.ReadMessage(); err != nil {
			return false, err
		}
		return each(&m), nil
	})
}

// Skim is Fetch for records of which nearly all are of no interest: it reads
// their values only, one after another into buf, so that they cost no
// allocation. It goes on as long as pass says so, and returns the offset of
// the first record that pass didn't let by, which is to be fetched. So is one
// whose value is empty, null or longer than buf, or that lies behind a longer
// one in its batch: pass isn't asked about those. clean tells that there was
// none of them.
func Skim(ctx context.Context, conn *kafka.Conn, offset int64, cfg FetchConfig, buf []byte, pass func(value []byte) bool) (next, end int64, clean bool, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	stopped := int64(-1)
	next, end, err = read(ctx, conn, offset, cfg, func(batch *kafka.Batch) (goOn bool, err error) {
		n, err := batch.Read(buf)
		at := batch.Offset() - 1
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			stopped = at + 1 // where kafka-go stays then
			return false, nil
		case err != nil:
			return false, err
		case at >= offset && (n == 0 || !pass(buf[:n])): // a batch may begin before
			stopped = at
			return false, nil
		}
		return true, nil
	})
	if errors.Is(err, io.ErrShortBuffer) {
		err = nil
	}
	if stopped >= 0 {
		return max(offset, stopped), end, false, err
	}
	return next, end, true, err
}

// read asks conn for one batch and calls one, which reads a record of it, until
// the batch is over or one tells not to go on.
func read(ctx context.Context, conn *kafka.Conn, offset int64, cfg FetchConfig, one func(*kafka.Batch) (goOn bool, err error)) (next, end int64, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(cfg.MaxWait + fetchGrace)); err != nil {
		return offset, -1, err
	}
	if _, err := conn.Seek(offset, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
		return offset, -1, err
	}
	batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: cfg.MaxBytes, MaxWait: cfg.MaxWait})
	end = batch.HighWaterMark()
	for {
		goOn, err := one(batch)
		if err != nil {
			// Only Close tells a fully consumed batch (io.EOF) from a broken one.
			next = max(offset, batch.Offset())
			if cerr := batch.Close(); cerr != nil {
				err = cerr
			}
			if ctx.Err() != nil {
				return next, end, ctx.Err()
			}
			// io.EOF ends a batch; kafka-go says RequestTimedOut for one
			// that is empty because the log ends here, and for one whose
			// records took each longer than the answer's deadline.
			if errors.Is(err, io.EOF) || errors.Is(err, kafka.RequestTimedOut) && (end == offset || next > offset) {
				err = nil
			}
			return next, end, err
		}
		if !goOn {
			next = batch.Offset()
			return next, end, batch.Close()
		}
	}
}

// IsMarker tells a transaction's marker, which kafka-go hands out like a
// record: a key of version 0 and type abort or commit, and a value of six bytes.
func IsMarker(m *kafka.Message) bool {
	return len(m.Key) == 4 && m.Key[0] == 0 && m.Key[1] == 0 && m.Key[2] == 0 && m.Key[3] <= 1 &&
		len(m.Value) == 6 && m.Value[0] == 0 && m.Value[1] == 0
}

// ErrGone is a record that retention or compaction took away.
var ErrGone = errors.New("it isn't there any more")

// Record reads one record exactly: unlike Fetch, whose Conn shows them both as
// nil, it tells null keys and values from empty ones. The error is ErrGone when
// there is none at offset.
func (c Cluster) Record(ctx context.Context, topic string, partition int, offset int64) (kafka.Message, error) {
	fail := func(err error) (kafka.Message, error) {
		return kafka.Message{}, fmt.Errorf("read %s/%d at %d again: %w", topic, partition, offset, err)
	}
	res, err := c.Client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 1, MaxWait: time.Second})
	if err != nil {
		return fail(err)
	}
	switch {
	case errors.Is(res.Error, kafka.OffsetOutOfRange):
		return fail(ErrGone)
	case res.Error != nil:
		return fail(res.Error)
	}
	for {
		r, err := res.Records.ReadRecord()
		switch {
		case errors.Is(err, io.EOF): // of the offset's batch
			return fail(ErrGone)
		case err != nil:
			return fail(err)
		}
		if r.Offset < offset {
			continue
		}
		if r.Offset > offset {
			return fail(ErrGone)
		}
		m := kafka.Message{Topic: topic, Partition: partition, Offset: offset, Time: r.Time, Headers: r.Headers}
		if m.Key, err = kafka.ReadAll(r.Key); err != nil {
			return fail(err)
		}
		if m.Value, err = kafka.ReadAll(r.Value); err != nil {
			return fail(err)
		}
		return m, nil
	}
}
