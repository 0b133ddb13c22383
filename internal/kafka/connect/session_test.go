package connect

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/embedded"
)

func TestFrames(t *testing.T) {
	var stream []byte
	for _, size := range []int{0, 1, 5, 300, 0, 2} {
		stream = binary.BigEndian.AppendUint32(stream, uint32(size))
		stream = append(stream, make([]byte, size)...)
	}
	for step := 1; step <= len(stream); step++ {
		var f frames
		ended := 0
		for part := range slices.Chunk(stream, step) {
			ended += f.pass(part)
		}
		if ended != 6 || !f.between() {
			t.Fatalf("in steps of %d: %d frames, between %v", step, ended, f.between())
		}
	}
	var f frames
	if f.pass([]byte{0, 0}); f.between() {
		t.Error("half a size is between frames")
	}
}

// expiring is a broker whose sessions last so long. It counts the logins and
// the connections that they are on, and closes, as Kafka does, a connection
// that is used beyond its session.
func expiring(t *testing.T, lasts time.Duration) (b *embedded.Broker, cfg config.Kafka, logins func() int) {
	t.Helper()
	b, err := embedded.Start(kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "worker", "right"),
		kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": fmt.Sprint(lasts.Milliseconds())}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	var mu sync.Mutex
	n := 0
	b.ControlKey(int16(kmsg.SASLHandshake), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		n++
		return nil, nil, false
	})
	cfg = config.Kafka{Brokers: b.Brokers(), SASL: config.SASL{Mechanism: config.SASLScramSHA256, Username: "worker", Password: "right"}}
	return b, cfg, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// One connection goes on over many sessions, with requests side by side.
func TestASessionIsRenewedBetweenRequests(t *testing.T) {
	b, cfg, logins := expiring(t, 1200*time.Millisecond)
	if err := b.CreateTopic("t", 1, nil); err != nil {
		t.Fatal(err)
	}
	dialer, err := Dialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialer.DialLeader(t.Context(), "tcp", b.Brokers()[0], "t", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := logins()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				if _, _, err := conn.ReadOffsets(); err != nil {
					t.Errorf("a request in the middle: %v", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	asking.Wait()
	if n := logins() - before; n < 2 {
		t.Errorf("%d more logins in four sessions' time", n)
	}
}

// A connection that was idle beyond its session logs in before its next
// request.
func TestAnIdleSessionIsRenewed(t *testing.T) {
	b, cfg, logins := expiring(t, 1200*time.Millisecond)
	client, err := Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseClient(client)
	for range 2 {
		if _, err := client.ApiVersions(t.Context(), &kafka.ApiVersionsRequest{Addr: kafka.TCP(b.Brokers()...)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
	if logins() < 2 {
		t.Errorf("%d logins", logins())
	}
}

// A login that is refused the second time ends the connection, and says why.
func TestARefusedRenewal(t *testing.T) {
	b, cfg, _ := expiring(t, 1200*time.Millisecond)
	dialer, err := Dialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", b.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode = int16(kafka.SASLAuthenticationFailed)
		return res, nil, true
	})
	time.Sleep(1300 * time.Millisecond)
	_, err = conn.Brokers()
	if want := "Kafka at " + b.Brokers()[0] + " refused the login by scram-sha-256: check kafka.sasl.username, password and mechanism"; Explain(err) != want {
		t.Errorf("got %q, want %q", Explain(err), want)
	}
}
