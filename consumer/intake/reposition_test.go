package intake

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
)

// TestAPositionThatTheLogHasNot: where a stream goes on when the log begins
// behind its position, or ends before it, and what is committed then.
func TestAPositionThatTheLogHasNot(t *testing.T) {
	for _, c := range []struct {
		name      string
		offset    int64 // where it begins; the log is [0, 10), or [4, 10) when deleted
		deleted   bool
		committed int64
		want      int64 // the first offset taken in
	}{
		{"it ends before: a log made anew", 25, false, 0, 0},
		{"it begins behind: retention", 1, true, 4, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := start(t, 1)
			put(t, cluster, 0, 4, wanted)
			put(t, cluster, 0, 6, wanted)
			if c.deleted {
				deleteBefore(t, cluster, 4)
			}
			m := metrics.New(prometheus.NewRegistry())
			s := New(Config{Destination: "d", Topic: topic, Name: "source", Offset: c.offset, MaxUncommitted: 100}, Parts{Cluster: cluster, Metrics: m, Log: zerolog.Nop()})
			if err := s.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer s.log.Close()
			if err := s.reposition(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.pos != c.want || s.Committable() != c.committed || s.log.Offset() != c.want {
				t.Errorf("it goes on at %d (the log at %d) and commits %d, want %d and %d", s.pos, s.log.Offset(), s.Committable(), c.want, c.committed)
			}
		})
	}
}

// TestReadingGoesOnWhereTheLogIs: by the broker's own answer to a position
// that is behind its end.
func TestReadingGoesOnWhereTheLogIs(t *testing.T) {
	c := start(t, 1)
	put(t, c, 0, 10, wanted)
	r := readFrom(t, c, 25)
	for offset := range int64(10) {
		ev := <-r.taken
		if ev.Message.Offset != offset {
			t.Fatalf("offset %d, want %d", ev.Message.Offset, offset)
		}
		settle(ev)
	}
	if got := r.Committable(); got != 10 {
		t.Errorf("done up to %d, want 10", got)
	}
}

func TestIsLeaderMove(t *testing.T) {
	for err, want := range map[error]bool{
		kafka.NotLeaderForPartition: true, kafka.LeaderNotAvailable: true, kafka.UnknownLeaderEpoch: true, kafka.FencedLeaderEpoch: true,
		kafka.TopicAuthorizationFailed: false, kafka.UnknownTopicOrPartition: false,
	} {
		if got := isLeaderMove(fmt.Errorf("fetch: %w", err)); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
}

// TestAReplayIsForWhomItSays: a replayed dead letter is made by its destination
// and its action only, and by nobody where the one is another's or the other is gone.
func TestAReplayIsForWhomItSays(t *testing.T) {
	s := New(Config{Destination: "d", Topic: topic}, Parts{Matcher: matching{}, Actions: []string{"a", "b", "c"}, Metrics: metrics.New(prometheus.NewRegistry())})
	for _, c := range []struct {
		destination, action string
		mask, want          uint64
	}{
		{"d", "b", 0b111, 0b010},
		{"d", "b", 0b101, 0},
		{"d", "", 0b101, 0b101},
		{"d", "gone", 0b111, 0},
		{"other", "b", 0b111, 0},
	} {
		o := &Origin{Replayed: true, Replay: deadletter.Replayed{Destination: c.destination, Action: c.action}}
		if got := s.replayed(c.mask, o); got != c.want {
			t.Errorf("for %s/%s: %b of %b, want %b", c.destination, c.action, got, c.mask, c.want)
		}
	}
	for action, want := range map[string]bool{"a": true, "b": false} { // the matcher wants the first only
		ev, _ := s.examine(&records.Record{Value: []byte(wanted), Headers: []records.Header{
			{Name: []byte(deadletter.HeaderReplayID), Value: []byte("1")},
			{Name: []byte(deadletter.HeaderReplayDestination), Value: []byte("d")},
			{Name: []byte(deadletter.HeaderReplayAction), Value: []byte(action)},
		}})
		if (ev != nil) != want {
			t.Errorf("a replay for %s is taken in: %t, want %t", action, ev != nil, want)
		}
	}
	if s.passed.noMatch != 1 {
		t.Errorf("%d are counted as wanted by nobody, want 1", s.passed.noMatch)
	}
}

// deleteBefore deletes what comes before an offset, as retention does.
func deleteBefore(t *testing.T, c *records.Cluster, offset int64) {
	t.Helper()
	conn, err := net.Dial("tcp", c.Client.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = offset
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic, of.Partitions = topic, append(of.Partitions, p)
	req.Topics = append(req.Topics, of)
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		t.Fatal(err)
	}
	var size int32
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
		t.Fatal(err)
	}
	if first, _, err := c.Bounds(t.Context(), topic, 0); first != offset || err != nil {
		t.Fatalf("the log begins at %d, %v; want %d", first, err, offset)
	}
}
