package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/ratelimit"
)

// onBroker is the HTTP surface of a worker with one destination, and none of
// its groups.
func onBroker(t *testing.T) (*operating, *Worker) {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	cfg := config.Default()
	cfg.Kafka.Brokers = b.Brokers()
	cfg.Destinations = []config.Destination{{Definition: actions.Definition{Name: "onboarding"}}}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.CloseClient(client) })
	w := &Worker{doors: ratelimit.NewDoors(nil, zerolog.Nop()), cfg: cfg, log: zerolog.Nop(), registry: prometheus.NewRegistry(), client: client}
	return newOperating(cfg, w), w
}

// What is told to one who asks holds for others: one who hangs up makes no
// error of it.
func TestReadyForACallerWhoHangsUp(t *testing.T) {
	o, w := onBroker(t)
	if _, err := topics.Ensure(t.Context(), w.client, topics.Of(w.cfg), topics.Sizes{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if err := o.ready(gone, w); err != nil {
		t.Errorf("for a caller who is gone: %v", err)
	}
	if err := o.ready(t.Context(), w); err != nil {
		t.Errorf("for the next: %v", err)
	}
}

// A topic that is gone is named.
func TestReadyNamesAMissingTopic(t *testing.T) {
	o, w := onBroker(t)
	all := topics.Of(w.cfg)
	without := append(all[:2:2], all[3:]...) // a retry topic
	if _, err := topics.Ensure(t.Context(), w.client, without, topics.Sizes{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	got := answer(o.server.Handler, "GET", "/readyz", "", "")
	want := "audience-events.onboarding.retry.30s: the topic doesn't exist; run `engage-worker topics create`\n"
	if got.Code != http.StatusServiceUnavailable || got.Body.String() != want {
		t.Errorf("%d %q, want %q", got.Code, got.Body, want)
	}
}

// A connection whose body never comes ends, and what net/http has to say is
// JSON.
func TestTheServerWaitsForNobody(t *testing.T) {
	_, o, logged := operated(t, "open")
	for name, limit := range map[string]bool{"ReadHeaderTimeout": o.server.ReadHeaderTimeout > 0, "ReadTimeout": o.server.ReadTimeout > 0, "WriteTimeout": o.server.WriteTimeout > 0, "IdleTimeout": o.server.IdleTimeout > 0} {
		if !limit {
			t.Errorf("there is no %s", name)
		}
	}
	o.server.ErrorLog.Println("http: TLS handshake error")
	line := map[string]string{}
	if err := json.Unmarshal(bytes.TrimSpace(logged.Bytes()), &line); err != nil || line["level"] != "warn" || line["error"] != "http: TLS handshake error" {
		t.Errorf("logged %s (%v)", logged, err)
	}

	server := httptest.NewUnstartedServer(o.server.Handler)
	server.Config.ReadTimeout = o.server.ReadTimeout / 20 // the same, sooner
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PUT /loglevel HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open\r\nContent-Length: 5\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Fatal(res, err)
	}
	if rest, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(rest), "the body is a level") {
		t.Errorf("%q, %v", rest, err)
	}
}
