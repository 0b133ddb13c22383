// Package integration runs the whole worker against a Kafka protocol and the
// simulated Twilio: on the embedded broker, or on real Apache Kafka with
// ENGAGE_TEST_BROKER=kafka.
package integration

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"engage-worker/consumer"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/internal/worker"
	testkafka "engage-worker/test/kafka"
)

// cluster is the one Apache Kafka of this run, shared by the tests, which use
// topics of their own.
var cluster *testkafka.Cluster

func onKafka() bool { return os.Getenv("ENGAGE_TEST_BROKER") == "kafka" }

func TestMain(m *testing.M) {
	flag.Parse()
	if part := os.Getenv(asPart); part != "" {
		what := strings.Split(part, "\n")
		os.Exit(runPart(what[0], what[1:]...))
	}
	// The scenarios wait more than they compute, seven seconds for one of a core:
	// on a machine of two cores, two at a time would take minutes.
	if err := flag.Set("test.parallel", "7"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := func() int {
		if onKafka() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			var err error
			if cluster, err = testkafka.Run(ctx, testkafka.Options{Properties: map[string]string{"group.min.session.timeout.ms": "1000"}}); err != nil {
				fmt.Fprintln(os.Stderr, "start Apache Kafka:", err)
				return 1
			}
			defer cluster.Close()
		}
		code := m.Run()
		if err := goleak.Find(); code == 0 && !onKafka() && err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}()
	os.Exit(code)
}

// rig is a broker, a vendor and a configuration.
type rig struct {
	t       *testing.T
	broker  *embedded.Broker // nil on real Kafka
	brokers []string
	sim     *twiliosim.Sim
	vendor  *twiliosim.Listener
	topic   string
	file    string // the configuration's
	cfg     *config.Config
	client  *kafka.Client
	cluster *records.Cluster
	logs    *log
	level   zerolog.Level // from which on workers log
}

// settings are what a test varies of the configuration.
type settings struct {
	broker     []kfake.Opt // of the embedded broker
	brokers    []string    // others than the run's; with their security in kafka
	partitions int         // default 6
	delivery   string      // lines of the delivery section, indented by two
	regions    string      // lines of the regions section, indented by two
	kafka      string      // lines of the kafka section, indented by two
	more       string      // whole sections
	actions    string      // of the one destination; default: an SMS to who enters
	sim        twiliosim.Options
}

const smsAction = `      - name: welcome-sms
        type: sendSms
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@template": "Welcome, {{properties.first_name}}! Yours, {{messageId}}"}
          region: {"@path": "$.properties.region"}
`

var topicNumber struct {
	sync.Mutex
	n int
}

func newRig(t *testing.T, s settings) *rig {
	t.Helper()
	r := &rig{t: t, logs: &log{}, level: zerolog.InfoLevel}
	switch {
	case s.brokers != nil:
		r.brokers = s.brokers
	case onKafka():
		r.brokers = cluster.Brokers()
	default:
		b, err := embedded.Start(s.broker...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		r.broker, r.brokers = b, b.Brokers()
	}
	var err error
	if r.sim, err = twiliosim.New(s.sim); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.sim.Close)
	if r.vendor, err = r.sim.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	topicNumber.Lock()
	topicNumber.n++
	r.topic = fmt.Sprintf("events-%d-%d", os.Getpid(), topicNumber.n)
	topicNumber.Unlock()
	if s.actions == "" {
		s.actions = smsAction
	}
	if s.regions == "" {
		s.regions = "  us-west-2: {rate: 100000, burst: 1000, maxInFlight: 64}\n  eu-west-1: {rate: 100000, burst: 1000, maxInFlight: 64}\n"
	}
	text := fmt.Sprintf(`kafka:
  brokers: [%q]
  topic: %s
  groupPrefix: %s # tests share a real broker, not a group
  startOffset: earliest
  commitInterval: 200ms
%shttp: {listen: "127.0.0.1:0"}
delivery:
  backoff: {initial: 50ms, max: 1s}
%sregions:
%s%sdestinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: secret
      twilioHostname: %s
      contentHostname: %s
      profileApiHostname: %s
      spaceId: spa_1
      region: us-west-2
    actions:
%s`, r.brokers[0], r.topic, r.topic, s.kafka, s.delivery, s.regions, s.more, r.vendor.URL(), r.vendor.URL(), r.vendor.URL(), s.actions)
	r.file = filepath.Join(t.TempDir(), "engage.yaml")
	r.configure(text)
	if r.client, err = connect.Client(r.cfg.Kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.CloseClient(r.client) })
	r.cluster = records.NewCluster(r.client, records.Options{})
	t.Cleanup(r.cluster.Close)
	if s.partitions == 0 {
		s.partitions = 6
	}
	r.makeTopics(s.partitions)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the workers' log:\n%s", r.logs.tail())
		}
	})
	return r
}

// makeTopics makes the configuration's topics that aren't there.
func (r *rig) makeTopics(partitions int) {
	r.t.Helper()
	if _, err := topics.Ensure(r.t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{Partitions: partitions}); err != nil {
		r.t.Fatal(err)
	}
}

// configure makes text the configuration of what is started from then on.
func (r *rig) configure(text string) {
	r.t.Helper()
	err := os.WriteFile(r.file, []byte(text), 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.cfg, err = config.Load(r.file); err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
}

// change changes the configuration of what is started from then on: pairs of
// what stands there and what is to.
func (r *rig) change(pairs ...string) {
	r.t.Helper()
	text := r.text()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			r.t.Fatalf("the configuration has no %q", pairs[i])
		}
	}
	r.configure(strings.NewReplacer(pairs...).Replace(text))
}

// text is the configuration's.
func (r *rig) text() string {
	r.t.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// replica is a worker in this process.
type replica struct {
	*worker.Worker
	stop func() // and wait
}

// start runs a worker until the test ends, or its stop.
func (r *rig) start(tune ...func(*consumer.Config)) *replica {
	r.t.Helper()
	w, err := worker.New(r.cfg, zerolog.New(r.logs).Level(r.level).With().Timestamp().Logger(), "test", nil, tune...)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Errorf("the worker ended with %v", err)
			}
			w.Close()
		})
	}
	r.t.Cleanup(stop)
	return &replica{w, stop}
}

// produce writes records and waits for their acknowledgement.
func (r *rig) produce(messages ...kafka.Message) {
	r.t.Helper()
	w := &kafka.Writer{Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.Hash{}, BatchTimeout: 5 * time.Millisecond, BatchSize: 500}
	defer w.Close()
	if err := w.WriteMessages(r.t.Context(), messages...); err != nil {
		r.t.Fatal(err)
	}
}

// patience is how long a scenario is waited for at least, where a machine has
// much else to do. It only ends one that hangs: no figure hangs on it.
const patience = 2 * time.Minute

// await waits until check returns nil, or fails with what it says last.
func (r *rig) await(within time.Duration, check func() error) {
	r.t.Helper()
	within = max(within, patience)
	deadline := time.Now().Add(within)
	// Less and less often: checks that ask the broker of every partition are
	// what a long scenario would compute most.
	for pause := 10 * time.Millisecond; ; pause = min(pause*3/2, 200*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("after %v: %v", within, err)
		}
		time.Sleep(pause)
	}
}

// ends are the log ends of a topic's partitions.
func (r *rig) ends(topic string) map[int]int64 {
	r.t.Helper()
	count, err := r.cluster.Count(r.t.Context(), topic)
	if err != nil {
		r.t.Fatal(err)
	}
	ends := map[int]int64{}
	for p := range count[topic] {
		r.await(10*time.Second, func() (err error) { // leaders may be moving
			_, ends[p], err = r.cluster.Bounds(r.t.Context(), topic, p)
			return err
		})
	}
	return ends
}

// committed are the group's offsets of a topic.
func (r *rig) committed(topic string) map[int]int64 {
	r.t.Helper()
	var partitions []int
	for p := range r.ends(topic) {
		partitions = append(partitions, p)
	}
	res, err := r.client.OffsetFetch(r.t.Context(), &kafka.OffsetFetchRequest{GroupID: r.cfg.GroupID("onboarding"), Topics: map[string][]int{topic: partitions}})
	if err != nil {
		r.t.Fatal(err)
	}
	offsets := map[int]int64{}
	for _, p := range res.Topics[topic] {
		offsets[p.Partition] = p.CommittedOffset
	}
	return offsets
}

// awaitDone waits until all of the source is committed.
func (r *rig) awaitDone(within time.Duration) {
	r.t.Helper()
	ends := r.ends(r.topic)
	r.await(within, func() error {
		if got := r.committed(r.topic); fmt.Sprint(got) != fmt.Sprint(ends) {
			return fmt.Errorf("committed %v, the logs end at %v; accepted %d", got, ends, r.sim.Stats().Accepted)
		}
		return nil
	})
}

// awaitSettled waits until the source and the retry topics are committed to
// their ends: nothing is due any more.
func (r *rig) awaitSettled(within time.Duration) {
	r.t.Helper()
	retries := r.cfg.RetryTopics("onboarding")
	r.await(within, func() error {
		for _, topic := range append([]string{r.topic}, retries[:]...) {
			if got, ends := r.committed(topic), r.ends(topic); fmt.Sprint(got) != fmt.Sprint(ends) {
				return fmt.Errorf("%s: committed %v, the logs end at %v; accepted %d", topic, got, ends, r.sim.Stats().Accepted)
			}
		}
		return nil
	})
}

// shortTiers makes the retry topics' delays a second.
func shortTiers(c *consumer.Config) {
	for i := range c.Topics.Retry {
		c.Topics.Retry[i].Delay = time.Second
	}
}

// read reads a whole topic.
func (r *rig) read(topic string) []kafka.Message {
	r.t.Helper()
	var all []kafka.Message
	scanner := records.Scanner{Cluster: r.cluster, MaxBytes: 1 << 20}
	for p, end := range r.ends(topic) {
		if err := scanner.Scan(r.t.Context(), records.Span{Topic: topic, Partition: p, End: end}, func(block []records.Record) error {
			for i := range block {
				all = append(all, block[i].Message(topic, p))
			}
			return nil
		}); err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// deadLetters are all records of the dead-letter topic.
func (r *rig) deadLetters() []*deadletter.Record {
	r.t.Helper()
	var letters []*deadletter.Record
	for _, m := range r.read(r.cfg.DeadLetterTopic()) {
		rec, err := deadletter.Decode(m)
		if err != nil {
			r.t.Fatal(err)
		}
		letters = append(letters, rec)
	}
	return letters
}

// accepted are the messages that the vendor took.
func (r *rig) accepted() []twiliosim.Message {
	var all []twiliosim.Message
	for m := range r.sim.Messages() {
		all = append(all, m)
	}
	return all
}

// value is a metric's, summed over the series whose labels include want.
func value(t *testing.T, reg *prometheus.Registry, name string, want map[string]string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			for k, v := range want {
				if labels[k] != v {
					continue series
				}
			}
			sum += number(m)
		}
	}
	return sum
}

func number(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	default:
		return float64(m.Histogram.GetSampleCount())
	}
}

// log keeps what workers log; it is safe for concurrent use.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*log)(nil)

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), text)
}

// all is the whole log.
func (l *log) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tail is the last of the log.
func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 12_000
	s := l.buf.String()
	return s[max(0, len(s)-most):]
}

// messageOf is the messageId of the event that a message is for, as smsAction
// writes it into the body.
func messageOf(m *twiliosim.Message) string {
	body := m.Value("Body")
	return body[strings.LastIndexByte(body, ' ')+1:]
}

// person is an event of its own user, with a working number.
func person(n int, fields string) kafka.Message {
	id := fmt.Sprintf("m-%06d", n)
	return kafka.Message{Key: fmt.Appendf(nil, "user-%d", n), Value: fmt.Appendf(nil,
		`{"type":"track","event":"Audience Entered","userId":"user-%d","messageId":%q,"properties":{"first_name":"P%d","region":"us-west-2"%s},"external_ids":[{"id":"+1415%07d","type":"phone","isSubscribed":true}]}`,
		n, id, n, fields, 2000000+n)}
}

// people are n of them.
func people(n int, fields string) []kafka.Message {
	all := make([]kafka.Message, n)
	for i := range all {
		all[i] = person(i, fields)
	}
	return all
}

// onceEach checks that each of n people got one message.
func (r *rig) onceEach(n int) {
	r.t.Helper()
	got := map[string]int{}
	for _, m := range r.accepted() {
		got[messageOf(&m)]++
	}
	lost, doubled := 0, 0
	for i := range n {
		switch c := got[fmt.Sprintf("m-%06d", i)]; {
		case c == 0:
			lost++
		case c > 1:
			doubled++
		}
	}
	if lost > 0 || doubled > 0 || len(got) != n {
		r.t.Errorf("%d lost, %d sent more than once; %d events, messages for %d", lost, doubled, n, len(got))
	}
}

// runWorker runs a worker until it ends by itself, or ctx does.
func runWorker(ctx context.Context, r *rig) error {
	w, err := worker.New(r.cfg, zerolog.New(r.logs).Level(r.level), "test", nil)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Run(ctx)
}
