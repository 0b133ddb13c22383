package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/intake"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source, ledgerTopic, retryTopic, deadTopic = "events", "events.d.ledger", "events.d.retry.1s", "events.dlq"
	shards                                     = 2
)

// rig is a broker with a destination's topics, and a vendor that counts.
type rig struct {
	t       *testing.T
	broker  *embedded.Broker
	client  *kafka.Client
	cluster *records.Cluster
	dead    *deadletter.Publisher
	retries *acked.Writer

	mu   sync.Mutex
	sent map[string]int // by messageId
	down int            // how many requests fail before the first one is taken

	asked func(sid string) (twilio.Report, error) // what became of a message; may be nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for _, topic := range []string{source, ledgerTopic, retryTopic, deadTopic} {
		if err := b.CreateTopic(topic, shards, nil); err != nil {
			t.Fatal(err)
		}
	}
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	r := &rig{t: t, broker: b, sent: map[string]int{}}
	r.client = &kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}
	r.cluster = records.NewCluster(r.client, records.Options{})
	t.Cleanup(r.cluster.Close)
	r.dead = deadletter.NewPublisher(r.client.Addr, transport, deadTopic)
	t.Cleanup(func() { r.dead.Close() })
	r.retries = acked.NewWriter(r.client.Addr, transport, "")
	t.Cleanup(func() { r.retries.Close() })
	return r
}

// group makes a member; its log and its traces are the test's to look at.
func (r *rig) group(log zerolog.Logger, change func(*Config, *Parts)) *Group {
	m := metrics.New(prometheus.NewRegistry())
	gates := ratelimit.NewGates(nil, ratelimit.Config{Rate: 10_000, Burst: 10_000, MaxInFlight: 50}, m, log)
	cfg := Config{
		Destination: "d", GroupID: "g", Brokers: []string{r.client.Addr.String()},
		Topics:          Topics{Source: source, Ledger: ledgerTopic, Retry: []intake.Tier{{Topic: retryTopic, Name: "1s", Delay: 100 * time.Millisecond}}},
		LedgerRetention: 7 * 24 * time.Hour, SessionTimeout: 3 * time.Second, CommitInterval: 50 * time.Millisecond, ShutdownTimeout: 5 * time.Second, StartEarliest: true,
		Attempts: 1, RequestTimeout: 5 * time.Second, MaxUncommitted: 100,
	}
	parts := Parts{
		Cluster: r.cluster, Dialer: &kafka.Dialer{Timeout: 5 * time.Second}, Destination: r, Gates: gates, DeadLetters: r.dead, Retries: r.retries,
		Budget: intake.NewBudget(1<<20, m.OpenBytes), Metrics: m, Log: log,
		Share: func(owned []int, total int, until time.Time) {
			part := ratelimit.Part{From: 0, To: float64(len(owned)) / float64(max(1, total)), Until: until}
			gates.SetParts(func(string) []ratelimit.Part { return []ratelimit.Part{part} }, true)
		},
	}
	if change != nil {
		change(&cfg, &parts)
	}
	return NewGroup(cfg, parts)
}

// run runs a member until stop.
func (r *rig) run(g *Group) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("the group ended with %v", err)
		}
	})
}

// write puts a record into a partition.
func (r *rig) write(topic string, partition int, m kafka.Message) {
	r.t.Helper()
	m.Topic = topic
	if err := r.retries.Write(r.t.Context(), m, partition); err != nil {
		r.t.Fatal(err)
	}
}

// committed are the group's offsets of a topic.
func (r *rig) committed(topic string) (offsets []int64) {
	r.t.Helper()
	var partitions []int
	for p := range shards {
		partitions = append(partitions, p)
	}
	res, err := r.client.OffsetFetch(r.t.Context(), &kafka.OffsetFetchRequest{GroupID: "g", Topics: map[string][]int{topic: partitions}})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range res.Topics[topic] {
		offsets = append(offsets, p.CommittedOffset)
	}
	return offsets
}

// await waits until all of the topics is committed.
func (r *rig) await(topics ...string) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var open []string
		for _, topic := range topics {
			offsets := r.committed(topic)
			for p := range shards {
				_, end, err := r.cluster.Bounds(r.t.Context(), topic, p)
				if err != nil {
					r.t.Fatal(err)
				}
				if len(offsets) != shards || offsets[p] != end {
					open = append(open, fmt.Sprintf("%s/%d: %v of %d", topic, p, offsets, end))
				}
			}
		}
		if len(open) == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not committed: %q", open)
		}
	}
}

// The vendor and the decisions: each event is sent, to the person it names.
func (r *rig) Actions() []string { return []string{"sms"} }

func (r *rig) Match(value []byte) actions.Match {
	switch {
	case value == nil:
		return actions.Match{Tombstone: true}
	case !bytes.HasPrefix(value, []byte("{")):
		return actions.Match{Malformed: fmt.Errorf("%q is no event", value)}
	case bytes.Contains(value, []byte("nobody")):
		return actions.Match{}
	}
	return actions.Match{Actions: 1}
}

func (r *rig) Decode(value []byte) (*actions.Event, error) {
	return new(actions.Destination).Decode(value)
}

func (r *rig) FormerNames() [][]string { return make([][]string, len(r.Actions())) }

func (r *rig) Wants([]byte, int) bool { return true }

func (r *rig) Former(*twilio.Message) []*twilio.Message { return nil }

func (r *rig) Prepare(_ context.Context, ev *actions.Event, _ int) actions.Delivery {
	return actions.Delivery{
		Action: "sms", Decision: actions.DecisionSend, Region: "region", MessageID: ev.MessageID(), Recipient: "+14155550100",
		Message: &twilio.Message{To: "+14155550100", From: "MG1", Body: ev.MessageID()},
	}
}

func (r *rig) Send(_ context.Context, m *twilio.Message, leave func() error) twilio.Result {
	if err := leave(); err != nil {
		return twilio.Result{Kind: outcome.Unavailable, Reason: outcome.ReasonTwilioUnavailable, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down > 0 {
		r.down--
		return twilio.Result{Kind: outcome.Unavailable, Reason: outcome.ReasonTwilioUnavailable, Err: fmt.Errorf("down")}
	}
	r.sent[m.Body]++
	return twilio.Result{Kind: outcome.Sent, SID: "SM" + m.Body}
}

func (r *rig) Find(context.Context, *twilio.Message, time.Time) ([]twilio.Candidate, error) {
	return nil, nil
}

func (r *rig) Present(region string) string { return region }

func (r *rig) Report(_ context.Context, _, sid string) (twilio.Report, error) {
	if r.asked == nil {
		return twilio.Report{}, errors.New("nobody asks")
	}
	return r.asked(sid)
}

func (r *rig) Reports(context.Context, string, time.Time, time.Time, string, func(twilio.Report)) (string, error) {
	return "", errors.New("nobody asks")
}

func event(id string) []byte { return fmt.Appendf(nil, `{"type":"track","messageId":%q}`, id) }

// TestAGroupsLife: one member delivers what is there, and what comes back by a
// retry; the next one sends nothing of it again.
func TestAGroupsLife(t *testing.T) {
	r := newRig(t)
	want := map[string]int{}
	for i := range 40 {
		id := fmt.Sprint("m", i)
		want[id] = 1
		var key []byte
		if i%5 > 0 {
			key = fmt.Append(nil, "u", i%3)
		}
		r.write(source, i%shards, kafka.Message{Key: key, Value: event(id), Headers: []kafka.Header{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}}})
	}
	r.write(source, 0, kafka.Message{Value: []byte("no event")})
	r.write(source, 0, kafka.Message{Value: event("nobody")})
	r.write(source, 1, kafka.Message{Key: []byte("u1")})
	r.write(retryTopic, 1, kafka.Message{Value: []byte("nor a retry")})
	r.down = 3
	var logged lockedBuffer
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	g := r.group(zerolog.New(&logged), func(_ *Config, p *Parts) { p.Tracer = tracer })
	stop := r.run(g)
	r.await(source, retryTopic)
	if s := g.State(); !s.Joined || s.Owned != shards || s.Since.IsZero() {
		t.Errorf("while it runs: %+v", s)
	}
	stop()
	if s := g.State(); s.Joined || s.Owned != 0 {
		t.Errorf("after it has left: %+v", s)
	}
	names := map[string]int{}
	for _, s := range spans.Ended() {
		names[s.Name()]++
	}
	for _, name := range []string{"process " + source, "process " + retryTopic, "prepare", "gate", "request", "settle", "commit"} {
		if names[name] == 0 {
			t.Errorf("there is no span %q: %v", name, names)
		}
	}

	again := r.run(r.group(zerolog.Nop(), nil))
	defer again()
	for i := range 10 { // the same messageIds
		r.write(source, i%shards, kafka.Message{Key: []byte("u"), Value: event(fmt.Sprint("m", i))})
	}
	want["new"] = 1
	r.write(source, 0, kafka.Message{Value: event("new")})
	r.await(source, retryTopic)
	again()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fmt.Sprint(r.sent) != fmt.Sprint(want) {
		t.Errorf("sent %v", r.sent)
	}
	var dead []int64
	for p := range shards {
		_, end, err := r.cluster.Bounds(t.Context(), deadTopic, p)
		if err != nil {
			t.Fatal(err)
		}
		dead = append(dead, end)
	}
	if !slices.Equal(dead, []int64{1, 1}) {
		t.Errorf("%v dead letters in the partitions, want one each\n%s", dead, logged.String())
	}
}

// TestWithoutTheLedger: it can be switched off, and then everything else goes on.
func TestWithoutTheLedger(t *testing.T) {
	r := newRig(t)
	r.write(source, 0, kafka.Message{Value: event("a")})
	stop := r.run(r.group(zerolog.Nop(), func(c *Config, _ *Parts) { c.WithoutLedger = true }))
	defer stop()
	r.await(source)
	if _, end, err := r.cluster.Bounds(t.Context(), ledgerTopic, 0); end != 0 || err != nil {
		t.Errorf("the ledger has %d records, %v", end, err)
	}
}

// TestWhereAGroupBegins: a group without offsets begins at the end or at the
// beginning, at once for all partitions, and never again.
func TestWhereAGroupBegins(t *testing.T) {
	for _, c := range []struct {
		earliest bool
		want     []int64
	}{{false, []int64{1, 0}}, {true, []int64{0, 0}}} {
		r := newRig(t)
		r.write(source, 0, kafka.Message{Value: event("a")})
		g := r.group(zerolog.Nop(), func(cfg *Config, _ *Parts) { cfg.StartEarliest = c.earliest })
		for range 2 {
			if err := g.settleStartOffsets(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.committed(source); !slices.Equal(got, c.want) {
				t.Errorf("earliest %t: it begins at %v, want %v", c.earliest, got, c.want)
			}
			r.write(source, 1, kafka.Message{Value: event("b")})
		}
	}
}

// TestANewSourceBegins: a source that comes to a group whose members read
// another one. Who has its first partition settles where all of it begins; the
// others wait for that, and a partition that was added later has no start.
func TestANewSourceBegins(t *testing.T) {
	for _, earliest := range []bool{false, true} {
		r := newRig(t)
		r.write(source, 0, kafka.Message{Value: event("a")})
		r.write(source, 1, kafka.Message{Value: event("b")})
		r.write(source, 1, kafka.Message{Value: event("c")})
		want := []int64{1, 2}
		if earliest {
			want = []int64{0, 0}
		}
		g := r.group(zerolog.Nop(), func(cfg *Config, _ *Parts) { cfg.StartEarliest = earliest })
		of := func(ids ...int) (all []kafka.PartitionAssignment) {
			for _, id := range ids {
				all = append(all, kafka.PartitionAssignment{ID: id, Offset: -1})
			}
			return all
		}
		committing := committer{r}
		second := of(1, 7)
		waiting := make(chan error, 1)
		go func() { waiting <- g.settleNewSource(t.Context(), nil, second) }() // which must not commit
		first := of(0)
		if err := g.settleNewSource(t.Context(), committing, first); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		if got := []int64{first[0].Offset, second[0].Offset}; !slices.Equal(got, want) || second[1].Offset != -1 {
			t.Errorf("earliest %t: it begins at %v and %d, want %v and -1", earliest, got, second[1].Offset, want)
		}
		if got := r.committed(source); !slices.Equal(got, want) {
			t.Errorf("earliest %t: %v is committed, want %v", earliest, got, want)
		}
		r.write(source, 0, kafka.Message{Value: event("d")})
		again := []kafka.PartitionAssignment{{ID: 0, Offset: want[0]}, {ID: 1, Offset: want[1]}}
		if err := g.settleNewSource(t.Context(), nil, again); err != nil || again[0].Offset != want[0] {
			t.Errorf("earliest %t: known offsets are settled anew: %v, %v", earliest, again, err)
		}
	}
	t.Run("ended", func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.group(zerolog.Nop(), nil).settleNewSource(ctx, nil, []kafka.PartitionAssignment{{ID: 1, Offset: -1}}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want %v", err, context.Canceled)
		}
	})
	t.Run("refused", func(t *testing.T) {
		r := newRig(t)
		refused := commitsFunc(func() error { return kafka.IllegalGeneration })
		if err := r.group(zerolog.Nop(), nil).settleNewSource(t.Context(), refused, []kafka.PartitionAssignment{{ID: 0, Offset: -1}}); !errors.Is(err, kafka.IllegalGeneration) {
			t.Errorf("%v, want %v", err, kafka.IllegalGeneration)
		}
	})
}

// committer commits for the group without a member.
type committer struct{ *rig }

func (c committer) CommitOffsets(offsets map[string]map[int]int64) error {
	req := &kafka.OffsetCommitRequest{GroupID: "g", GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{}}
	for topic, partitions := range offsets {
		for p, offset := range partitions {
			req.Topics[topic] = append(req.Topics[topic], kafka.OffsetCommit{Partition: p, Offset: offset})
		}
	}
	_, err := c.client.OffsetCommit(c.t.Context(), req)
	return err
}

// TestPartitionsThatChange: a source that has grown takes the other topics
// along; more or fewer shards are assigned anew, and a source that is gone is
// given up.
func TestPartitionsThatChange(t *testing.T) {
	r := newRig(t)
	grown := 0
	g := r.group(zerolog.Nop(), func(_ *Config, p *Parts) {
		p.Grow = func(ctx context.Context) error {
			grown++
			return grow(ctx, r.client, retryTopic, ledgerTopic)
		}
	})
	gen := &generation{group: g, intake: t.Context(), total: unknown, shards: []*shard{{}}}
	changed := func(want bool) {
		t.Helper()
		if got := gen.partitionsChanged(); got != want {
			t.Errorf("changed: %t, want %t", got, want)
		}
	}
	changed(false) // known from now on
	if gen.total != shards {
		t.Errorf("%d shards", gen.total)
	}
	if err := grow(t.Context(), r.client, source); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !gen.partitionsChanged(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the growth isn't seen")
		}
	}
	if grown == 0 {
		t.Error("the other topics didn't grow along")
	}
	if _, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{source}}); err != nil {
		t.Fatal(err)
	}
	for known := shards; known > 0; time.Sleep(20 * time.Millisecond) { // the client's metadata is a little old
		var err error
		if _, known, err = g.shardsOfAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	changed(false) // a broker that has just started may not know it
	changed(true)
}

// TestACommitNamesTheTopicThatIsGone: one missing topic fails the commits of
// all, and whoever reads the log has to know which.
func TestACommitNamesTheTopicThatIsGone(t *testing.T) {
	r := newRig(t)
	var logged lockedBuffer
	g := r.group(zerolog.New(&logged), func(c *Config, _ *Parts) { c.CommitInterval = 5 * time.Second })
	gen := &generation{group: g, shards: []*shard{{}}, commits: commitsFunc(func() error { return kafka.UnknownTopicOrPartition })}
	warned := func(want ...string) (missing bool) {
		t.Helper()
		before := len(logged.String())
		if err := gen.commit(); !errors.Is(err, kafka.UnknownTopicOrPartition) {
			t.Fatal(err)
		}
		line := logged.String()[before:]
		for _, part := range want {
			if !strings.Contains(line, part) {
				return false
			}
		}
		return true
	}
	if !warned("a commit failed") || warned("missing") {
		t.Errorf("all topics are there: %s", logged.String())
	}
	if _, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{retryTopic}}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !warned(`"missing":["`+retryTopic+`"]`, "topics create"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) { // the client's metadata is a little old
			t.Fatalf("the topic isn't named: %s", logged.String())
		}
	}
}

func grow(ctx context.Context, client *kafka.Client, topics ...string) error {
	req := &kafka.CreatePartitionsRequest{}
	for _, topic := range topics {
		req.Topics = append(req.Topics, kafka.TopicPartitionsConfig{Name: topic, Count: shards + 1})
	}
	_, err := client.CreatePartitions(ctx, req)
	return err
}

// lockedBuffer is a log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
