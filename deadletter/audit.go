package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
)

// AuditTopic is the name of the compacted topic that remembers each replay of
// a dead-letter topic's records: who, when, what, and how far it came. It has
// the source's partition count; a replay's records are in the partition of
// its event.
func AuditTopic(deadLetterTopic string) string { return deadLetterTopic + ".replays" }

// ReplayState is how far the replay of one dead letter came.
type ReplayState string

const (
	// Intended: about to be published. Whether it was, the source topic
	// tells from SourceEnd on.
	Intended ReplayState = "intended"
	// Published: in the source topic, acknowledged by all in-sync replicas.
	Published ReplayState = "published"
	// Abandoned: surely not published, because it was interrupted or
	// because another plan was first.
	Abandoned ReplayState = "abandoned"

	// Dismissed: closed by somebody, and Reopened: not any more. Replay is the
	// number of the replay that it would have had.
	Dismissed ReplayState = "dismissed"
	Reopened  ReplayState = "reopened"

	// Begun and Finished are of a whole series of plans; see Audit.Series.
	Begun    ReplayState = "begun"
	Finished ReplayState = "finished"
)

// Audit is a record of the audit topic: of one step of one dead letter's
// replay, or, without an ID, of a series' beginning or end. It holds nothing
// of the event.
type Audit struct {
	ID          string      `json:"id,omitempty"`     // of the dead letter
	Origin      string      `json:"origin,omitempty"` // topic/partition/offset of the event's first appearance; earlier versions don't say
	Replay      int         `json:"replay,omitempty"` // its number, from 1
	Plan        string      `json:"plan"`
	Series      string      `json:"series"` // the first plan, when this one goes on with an interrupted one
	Selection   string      `json:"selection,omitempty"`
	Asked       string      `json:"asked,omitempty"` // of a Begun or Finished; see Planner.Asked
	State       ReplayState `json:"state"`
	By          string      `json:"by"`
	At          time.Time   `json:"at"`
	Destination string      `json:"destination,omitempty"`
	Action      string      `json:"action,omitempty"`
	Reason      string      `json:"reason,omitempty"`
	DeadLetter  string      `json:"deadLetter,omitempty"` // topic/partition/offset
	SourceEnd   int64       `json:"sourceEnd,omitempty"`  // of the event's partition, before publishing
	Why         string      `json:"why,omitempty"`        // of a Dismissed: in somebody's words
	Event       string      `json:"event,omitempty"`      // the SHA-256 of its value, in hexadecimal; earlier versions don't say
	Permission

	offset int64 // where it was read, in its partition
}

// encode makes the Kafka message. The key is the replay's under its plan, so
// that compaction keeps the last state of each plan.
func (a Audit) encode() (kafka.Message, error) {
	value, err := json.Marshal(a)
	key := a.ID + "/" + strconv.Itoa(a.Replay) + "/" + a.Plan + "/" + a.Origin
	switch a.State {
	case Begun, Finished:
		key = "series/" + a.Series
	case Dismissed, Reopened: // whoever does it last
		key = "dismissed/" + a.ID + "/" + strconv.Itoa(a.Replay) + "/" + a.Origin
	}
	return kafka.Message{Key: []byte(key), Value: value}, err
}

// LastSteps are the records of dead letters without those that a later record
// of the same replay under the same plan stands for, by replays and in time.
// The records come in their order.
func LastSteps(all []Audit) []Audit {
	var last []Audit
	for _, a := range all {
		i := slices.IndexFunc(last, func(b Audit) bool { return a.key() == b.key() && a.Plan == b.Plan })
		if i < 0 {
			last = append(last, a)
		} else {
			last[i] = a
		}
	}
	slices.SortStableFunc(last, func(a, b Audit) int { return cmp.Or(cmp.Compare(a.Replay, b.Replay), a.At.Compare(b.At)) })
	return last
}

// OfSeries reports whether the record is of a whole series, and of no letter.
func (a Audit) OfSeries() bool { return a.State == Begun || a.State == Finished }

// errNotAudit marks a record of the audit topic that can't be understood. It
// is never passed over: what it was may decide whether somebody is texted.
var errNotAudit = errors.New("not a replay's record")

// DecodeAudit reads the value of a record of the audit topic.
func DecodeAudit(value []byte) (Audit, error) {
	var a Audit
	err := json.Unmarshal(value, &a)
	if err != nil || a.Plan == "" || !a.OfSeries() && (a.ID == "" || a.Replay < 1) {
		return a, errNotAudit
	}
	return a, nil
}

// AuditLog reads and writes the audit topic. It is not safe for concurrent use.
type AuditLog struct {
	cluster *records.Cluster
	topic   string
	w       *acked.Writer
	next    []int64 // by partition: read up to here
}

// OpenAudit opens the audit topic. Close it in the end.
func OpenAudit(ctx context.Context, cluster *records.Cluster, topic string) (*AuditLog, error) {
	counts, err := cluster.Count(ctx, topic)
	if err != nil {
		return nil, err
	}
	n := counts[topic]
	if n == 0 {
		return nil, fmt.Errorf("open the replays' record %s: %w", topic, kafka.UnknownTopicOrPartition)
	}
	return &AuditLog{
		cluster: cluster,
		topic:   topic,
		w:       acked.NewWriter(cluster.Client.Addr, cluster.Client.Transport, topic),
		next:    make([]int64, n),
	}, nil
}

// Close waits for what is under way.
func (l *AuditLog) Close() error { return l.w.Close() }

// partitionOf is where the replays of a source partition's events are.
func (l *AuditLog) partitionOf(source int) int { return source % len(l.next) }

// Read calls each for what all partitions hold beyond what was read before.
func (l *AuditLog) Read(ctx context.Context, each func(Audit)) error {
	for p := range l.next {
		if err := l.readPartition(ctx, p, each); err != nil {
			return err
		}
	}
	return nil
}

func (l *AuditLog) readPartition(ctx context.Context, p int, each func(Audit)) error {
	end, err := scanFrom(ctx, l.cluster, l.topic, p, l.next[p], nil, func(block []records.Record) error {
		for _, rec := range block {
			if rec.Value == nil {
				continue
			}
			a, err := DecodeAudit(rec.Value)
			if err != nil {
				return fmt.Errorf("%s/%d at offset %d: %w", l.topic, p, rec.Offset, err)
			}
			a.offset = rec.Offset
			each(a)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the replays' record: %w", err)
	}
	l.next[p] = max(l.next[p], end)
	return nil
}

// write returns nil once all in-sync replicas have the records, which are of
// events of one source partition.
func (l *AuditLog) write(ctx context.Context, source int, audits []Audit) error {
	messages := make([]kafka.Message, len(audits))
	for i, a := range audits {
		m, err := a.encode()
		if err != nil {
			return fmt.Errorf("write the replays' record: %w", err)
		}
		messages[i] = m
	}
	// A leader may be moving, or still to be found: the topic may be new. A
	// record that is written twice says the same twice.
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := l.w.WriteAll(ctx, messages, l.partitionOf(source))
		if err == nil {
			return nil
		}
		var failed *acked.WriteError
		if wait > auditPatience || !errors.As(err, &failed) || !failed.Temporary() || !pause.For(ctx, wait) {
			return fmt.Errorf("write the replays' record: %w", err)
		}
	}
}

// auditPatience is the longest wait between two attempts at a record; they
// end after about twice that.
const auditPatience = 3 * time.Second

// replayKey is one replay of one dead letter, whoever plans it.
type replayKey struct {
	id, origin string
	replay     int
}

func (a Audit) key() replayKey { return replayKey{a.ID, a.Origin, a.Replay} }

// position writes a dead letter's position for people.
func (p Position) String() string {
	return strings.Join([]string{p.Topic, strconv.Itoa(p.Partition), strconv.FormatInt(p.Offset, 10)}, "/")
}
