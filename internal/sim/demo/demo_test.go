package demo

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"engage-worker/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is written by the demo and read by the test.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func options(t *testing.T, out io.Writer) Options {
	t.Setenv("TMPDIR", t.TempDir())
	return Options{
		Rate: 200, Seed: 1, Out: out, Command: "engage-worker", Version: "test",
		Logger: func(out io.Writer, _ config.Log) zerolog.Logger { return zerolog.New(out) },
	}
}

// The whole demo, with its outage and its faults.
func TestDemo(t *testing.T) {
	var out output
	opts := options(t, &out)
	opts.Events = 600
	if err := Run(t.Context(), opts); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"the first message is sent, ",
		"europe's Twilio goes down: connections are refused",
		"europe's Twilio is back",
		"\n deliveries                                     600       600       600       600\n",
		"\n lost                           0   ",
		"\n sent twice                     0   ",
		"engage-worker preview --config ",
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
	var out output
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
