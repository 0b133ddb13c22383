package connect_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/sim/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker starts an embedded cluster for the test.
func broker(t *testing.T, opts ...kfake.Opt) *embedded.Broker {
	t.Helper()
	b, err := embedded.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// client connects to Kafka as cfg says, for the test.
func client(t *testing.T, cfg config.Kafka) *kafka.Client {
	t.Helper()
	c, err := connect.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.CloseClient(c) })
	return c
}

// brief is a context that ends well before a hung test would.
func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
	}
}
