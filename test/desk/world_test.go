package desk

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/desk"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/scene"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/internal/worker"
)

// world is what a desk looks at: a broker, a worker, a simulated Twilio.
type world struct {
	t      *testing.T
	cfg    *config.Config
	client *kafka.Client
	sim    *twiliosim.Sim
	logs   *lines
}

const configuration = `kafka:
  brokers: [%q]
  topic: %[2]s
  groupPrefix: %[2]s # tests share a real broker, not a group
  startOffset: earliest
  commitInterval: 200ms
http: {listen: %q}
desk: {listen: "127.0.0.1:0", workers: [%[3]q], token: %[5]q}
status: {sweepAfter: 1s, rate: 50}
regions:
  us-west-2: {rate: 1000, senders: {MG00000000000000000000000000000001: {rate: 900}}}
  eu-west-1: {rate: 1000}
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: made-up
      twilioHostname: %[4]s
      contentHostname: %[4]s
      profileApiHostname: %[4]s
      profileApiEnvironment: production
      profileApiAccessToken: made-up
      spaceId: spa_sample
      region: us-west-2
    actions:
      - name: welcome-sms
        type: sendSms
        trigger: type = "track" and event = "Audience Entered"
        mapping:
          from: MG00000000000000000000000000000001
          body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome! Your offer: https://shop.example.com/welcome"
          region: {"@path": "$.properties.region"}
`

var worlds struct {
	sync.Mutex
	n int
}

// newWorld makes topics of its own and a configuration for them. token is the
// desk's, "" for none.
func newWorld(t *testing.T, token string) *world {
	t.Helper()
	wanted(t)
	w := &world{t: t, logs: &lines{}}
	brokers := clusterBrokers
	if brokers == nil {
		b, err := embedded.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		brokers = b.Brokers()
	}
	var err error
	if w.sim, err = twiliosim.New(twiliosim.Options{SentAfter: 100 * time.Millisecond, DeliveredAfter: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sim.Close)
	vendor, err := w.sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	worlds.Lock()
	worlds.n++
	topic := fmt.Sprintf("desk-%d-%d", os.Getpid(), worlds.n)
	worlds.Unlock()
	file := filepath.Join(t.TempDir(), "engage.yaml")
	text := fmt.Sprintf(configuration, brokers[0], topic, freeAddress(t), vendor.URL(), token)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.cfg, err = config.Load(file); err != nil {
		t.Fatal(err)
	}
	if w.client, err = connect.Client(w.cfg.Kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.CloseClient(w.client) })
	if _, err := topics.Ensure(t.Context(), w.client, topics.Of(w.cfg), topics.Sizes{Partitions: 3, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", w.logs)
		}
	})
	return w
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runs has something go on until the test ends.
func (w *world) runs(what string, run func(context.Context) error, end func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the %s ended with %v", what, err)
		}
		end()
	})
}

// worker runs one.
func (w *world) worker() {
	w.t.Helper()
	one, err := worker.New(w.cfg, zerolog.New(w.logs), "1.0.0", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.runs("worker", one.Run, one.Close)
}

// desk serves one, and returns its origin.
func (w *world) desk(change func(*desk.Options)) string {
	w.t.Helper()
	options := desk.Options{Config: w.cfg, Who: "ada", Version: "1.0.0", Log: zerolog.New(w.logs)}
	if change != nil {
		change(&options)
	}
	d, err := desk.New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.runs("desk", func(ctx context.Context) error { return d.Serve(ctx, l) }, d.Close)
	return "http://" + l.Addr().String()
}

// produce publishes events.
func (w *world) produce(events ...sample.Event) {
	w.t.Helper()
	writer := &kafka.Writer{Addr: w.client.Addr, Transport: w.client.Transport, Topic: w.cfg.Kafka.Topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.Hash{}, BatchTimeout: 5 * time.Millisecond}
	defer writer.Close()
	var messages []kafka.Message
	for _, e := range events {
		messages = append(messages, kafka.Message{Key: e.Key, Value: e.Value})
	}
	if err := writer.WriteMessages(w.t.Context(), messages...); err != nil {
		w.t.Fatal(err)
	}
}

// events are made-up ones, of people who want messages unless mixed.
func events(seed uint64, n int, mixed bool) []sample.Event {
	options := sample.Options{Europe: 0.35}
	if mixed {
		options = sample.Mix()
		options.BadNumber, options.OptedOut, options.Malformed = 0.05, 0.05, 0.05
	}
	options.Start = time.Now().Add(-time.Minute)
	g := sample.New(seed, options)
	all := make([]sample.Event, n)
	for i := range all {
		all[i] = g.Next()
	}
	return all
}

// refuse has Twilio refuse every sender, or none.
func (w *world) refuse(every bool) {
	w.t.Helper()
	if err := w.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{SenderRefused: every}}); err != nil {
		w.t.Fatal(err)
	}
}

// lines is a log, of which the last lines are shown.
type lines struct{ scene.Log }

func (l *lines) String() string {
	all := strings.Split(l.Log.String(), "\n")
	return strings.Join(all[max(0, len(all)-60):], "\n")
}
