package demo

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T, out io.Writer) Options {
	t.Setenv("TMPDIR", t.TempDir())
	return Options{
		Rate: 200, Seed: 1, Out: out, Command: "engage-worker", Version: "test",
		Logger: func(out io.Writer, _ config.Log) zerolog.Logger { return zerolog.New(out) },
	}
}

// The whole demo, with its outage and its faults.
func TestDemo(t *testing.T) {
	var out scene.Log
	opts := options(t, &out)
	opts.Events = 600
	if err := Run(t.Context(), opts); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"the first message is sent, ",
		"europe's Twilio goes down: connections are refused",
		"europe's Twilio is back",
		"\n deliveries                                600      600      600      600\n",
		"\n lost                           0   ",
		"\n sent twice                     0   ",
		"\n ends told wrongly              0   ",
		"Twilio says of a message that it had accepted that it failed",
		"\n   delivered ",
		"engage-worker preview --config ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q isn't shown", want)
		}
	}
	_, ending, _ := strings.Cut(out.String(), "\n\n")
	ending, _, _ = strings.Cut(ending, " To try next:") // what follows is to be copied
	for line := range strings.Lines(ending) {
		if n := length(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// Whoever tries the demo's topic makes events of their own: these are counted
// apart, whatever comes of them.
func TestOthersEvents(t *testing.T) {
	var out scene.Log
	opts := options(t, &out)
	opts.Events = 200
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), opts) }()
	var cfg *config.Config
	for cfg == nil {
		select {
		case err := <-ended:
			t.Fatalf("%v\n%s", err, out.String())
		case <-time.After(10 * time.Millisecond):
		}
		if !strings.Contains(out.String(), "the first message is sent") {
			continue
		}
		found, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "engage-demo-*", configFile))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		if cfg, err = config.Load(found[0]); err != nil {
			t.Fatal(err)
		}
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(cfg.Kafka.Brokers...), Topic: cfg.Kafka.Topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: transport}
	defer w.Close()
	const event = `{"type":"track","event":"Audience Entered","messageId":"mine","userId":"me","properties":{"region":"us-west-2"},` +
		`"context":{"traits":{}},"external_ids":[{"type":"phone","id":"+15005550010","channelType":"sms","isSubscribed":true}]}`
	for _, value := range []string{event, event, "not JSON", `{"type":"page"}`} {
		if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte("me"), Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"; 4 events by others", "\n others' events                 4   ", "\n lost                           0   ",
		"\n deliveries                                200      204      200      204      8\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q isn't shown", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// An endless demo ends when it is interrupted, wherever it is.
func TestInterrupted(t *testing.T) {
	var out scene.Log
	opts := options(t, &out)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, opts) }()
	for !strings.Contains(out.String(), "the first message is sent") {
		select {
		case err := <-ended:
			t.Fatalf("%v\n%s", err, out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"dlq stats --config ", "\n Stopped with ", "\n sent twice                     0   "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q isn't shown", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
