package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/consumer/callbacks"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/port"
)

const callbackKey = "0123456789abcdef0123456789abcdef"

// receiving is a running `engage-worker callbacks`.
type receiving struct {
	url    string
	log    *lockedBuffer
	client *http.Client
	stop   context.CancelFunc // as SIGINT and SIGTERM do
	code   <-chan int
}

// lockedBuffer is written by the command and read by the test.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// receive starts the command and waits until it listens.
func receive(t *testing.T, config string) *receiving {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	code := make(chan int, 1)
	r := &receiving{log: &lockedBuffer{}, client: &http.Client{Transport: &http.Transport{}}, stop: stop, code: code}
	go func() {
		code <- run(ctx, []string{"callbacks", "--config", config}, strings.NewReader(""), io.Discard, r.log)
	}()
	t.Cleanup(func() {
		stop()
		r.client.CloseIdleConnections()
	})
	for r.url == "" {
		select {
		case c := <-code:
			t.Fatalf("ended with %d: %s", c, r.log)
		case <-time.After(time.Millisecond):
		}
		for line := range strings.Lines(r.log.String()) {
			var said struct{ Message, HTTP string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Message == "receiving callbacks" {
				r.url = "http://" + said.HTTP
			}
		}
	}
	return r
}

// get is the status and the body of an answer.
func (r *receiving) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	return answerOf(t)(r.client.Get(r.url + path))
}

// post posts a callback of a message.
func (r *receiving) post(t *testing.T, path string) (status int) {
	t.Helper()
	status, _ = answerOf(t)(r.client.PostForm(r.url+path, url.Values{"MessageSid": {"SM" + strings.Repeat("0", 32)}, "MessageStatus": {"delivered"}}))
	return status
}

func answerOf(t *testing.T) func(*http.Response, error) (int, string) {
	return func(res *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode, string(body)
	}
}

// receiverConfig writes a configuration whose receiver takes any port.
func receiverConfig(t *testing.T, brokers string) string {
	t.Helper()
	return configFile(t, fmt.Sprintf("kafka: {topic: events, brokers: [%q]}\ncallbacks: {publicUrl: \"https://callbacks.example.com/t/\", listen: \"127.0.0.1:0\", key: %s}", brokers, callbackKey))
}

// TestCallbacksCommand: it answers 204 once Kafka has acknowledged, and not before,
// also while it is told to stop; what Kafka refuses, 503.
func TestCallbacksCommand(t *testing.T) {
	const topic = "events.onboarding.callbacks"
	broker, err := embedded.Start(kfake.SeedTopics(2, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	r := receive(t, receiverConfig(t, broker.Brokers()[0]))
	path := callbacks.NewKeys(callbackKey).Path(callbacks.Address{Destination: "onboarding", Shard: 1, Key: []byte("welcome\x00m1")})
	for probe, want := range map[string]string{"/healthz": "alive\n", "/readyz": "receives for https://callbacks.example.com/t/\n"} {
		if status, body := r.get(t, probe); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", probe, status, body)
		}
	}
	broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas})
	if status := r.post(t, path); status != http.StatusServiceUnavailable {
		t.Errorf("%d for what Kafka refuses", status)
	}
	held, release := make(chan struct{}), make(chan struct{})
	broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.DropControl()
		broker.SleepControl(func() {
			close(held)
			<-release
		})
		return nil, nil, false
	})
	answered := make(chan int, 1)
	go func() { answered <- r.post(t, "/t"+path) }()
	<-held
	r.stop()
	select {
	case status := <-answered:
		t.Errorf("answered with %d before Kafka has it", status)
	case code := <-r.code:
		t.Errorf("ended with %d while a callback is under way: %s", code, r.log)
	default:
	}
	close(release)
	if status := <-answered; status != http.StatusNoContent {
		t.Errorf("%d", status)
	}
	if code := <-r.code; code != cli.ExitOK || !strings.Contains(r.log.String(), `"message":"stopped"`) {
		t.Errorf("stopped with %d: %s", code, r.log)
	}
	if info := broker.PartitionInfo(topic, 1); info.HighWatermark != 1 {
		t.Errorf("%d callbacks in the partition", info.HighWatermark)
	}
}

// TestCallbacksWithoutKafka: the receiver lives, isn't ready, and has Twilio try again;
// once Kafka is there it goes on.
func TestCallbacksWithoutKafka(t *testing.T) {
	const topic = "events.onboarding.callbacks"
	kafka, err := port.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	r := receive(t, receiverConfig(t, kafka.Addr().String()))
	path := callbacks.NewKeys(callbackKey).Path(callbacks.Address{Destination: "onboarding", Shard: 0, Key: []byte("welcome\x00m1")})
	for probe, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		if status, body := r.get(t, probe); status != want {
			t.Errorf("%s: %d %q", probe, status, body)
		}
	}
	if status := r.post(t, path); status != http.StatusServiceUnavailable {
		t.Errorf("%d without Kafka", status)
	}
	broker, err := embedded.Start(kfake.ListenFn(func(string, string) (net.Listener, error) { return kafka.Listen() }), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	for r.post(t, path) != http.StatusNoContent {
		time.Sleep(10 * time.Millisecond)
	}
	if _, page := r.get(t, "/metrics"); !strings.Contains(page, `engage_callbacks_received_total{destination="onboarding",result="ok"} 1`) {
		t.Error("the metrics don't tell of the callback")
	}
	r.stop()
	if code := <-r.code; code != cli.ExitOK {
		t.Errorf("stopped with %d: %s", code, r.log)
	}
}

// TestCallbacksRefuses: without anybody to call, and where something else listens.
func TestCallbacksRefuses(t *testing.T) {
	if got := command(t, "callbacks", "--config", configFile(t, "kafka: {topic: events, brokers: [\"localhost:1\"]}")); got.code != cli.ExitBadInput || !strings.Contains(got.stderr, "set callbacks.publicUrl and callbacks.key") {
		t.Errorf("%+v", got)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := configFile(t, fmt.Sprintf("kafka: {topic: events, brokers: [\"localhost:1\"]}\ncallbacks: {publicUrl: \"https://callbacks.example.com\", listen: %q, key: %s}", taken.Addr(), callbackKey))
	if got := command(t, "callbacks", "--config", config); got.code != cli.ExitFailure || !strings.Contains(got.stderr, "callbacks.listen: listen tcp 127.0.0.1") {
		t.Errorf("%+v", got)
	}
}
