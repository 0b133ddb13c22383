package intake

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/actions"
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

// confirmed is a record of replays that knows what is in it, by the event.
type confirmed map[string]deadletter.Replayed

func (c confirmed) Confirm(_ context.Context, m *kafka.Message) (r deadletter.Replayed, ok bool, err error) {
	r, ok = c[string(m.Value)]
	return r, ok, nil
}

// TestAReplayIsForWhomItSays: a replayed dead letter is made by its destination
// and its action only. Where the action doesn't want it any more, it is taken in
// all the same, for its letter to know; where it is another destination's, it isn't.
func TestAReplayIsForWhomItSays(t *testing.T) {
	var headers []records.Header
	for name, value := range map[string]string{deadletter.HeaderReplayID: "1", deadletter.HeaderReplayDestination: "x", deadletter.HeaderReplays: "2147483647"} {
		headers = append(headers, records.Header{Name: []byte(name), Value: []byte(value)})
	}
	for _, c := range []struct {
		destination, action string
		mask, want          uint64
		taken               bool
	}{
		{"d", "b", 0b111, 0b010, true},
		{"d", "b", 0b101, 0, true},
		{"d", "", 0b101, 0b101, true},
		{"d", "gone", 0b111, 0, true},
		{"other", "b", 0b111, 0, false},
	} {
		replay := deadletter.Replayed{ID: "1", Destination: c.destination, Action: c.action, Replays: 2}
		s := New(Config{Destination: "d", Topic: topic}, Parts{
			Matcher: masked(c.mask), Actions: []string{"a", "b", "c"}, Metrics: metrics.New(prometheus.NewRegistry()), Replays: confirmed{"{}": replay},
		})
		ev, _, ok := s.examine(t.Context(), &records.Record{Value: []byte("{}"), Headers: headers})
		switch {
		case !ok || (ev != nil) != c.taken:
			t.Errorf("for %s/%s: taken in: %t %t", c.destination, c.action, ev != nil, ok)
		case c.taken && (ev.Actions != c.want || !ev.Origin.Replayed || ev.Origin.Replay != replay):
			t.Errorf("for %s/%s: %b of %b, want %b; %+v", c.destination, c.action, ev.Actions, c.mask, c.want, ev.Origin)
		}
		if want := 1; !c.taken && s.passed.noMatch != want {
			t.Errorf("%d are counted as wanted by nobody, want %d", s.passed.noMatch, want)
		}
		// What the record of replays doesn't know is an event as any other.
		ev, _, ok = s.examine(t.Context(), &records.Record{Value: []byte("{ }"), Headers: headers})
		if !ok || ev == nil || ev.Actions != c.mask || ev.Origin.Replayed || ev.Origin.Replay != (deadletter.Replayed{}) {
			t.Errorf("unknown: %+v %t", ev, ok)
		}
	}
}

// masked wants every event for some actions.
type masked uint64

func (m masked) Match([]byte) actions.Match { return actions.Match{Actions: uint64(m)} }

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
