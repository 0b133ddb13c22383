package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/internal/config"
)

// TestSignalChangesTheLogLevel: SIGUSR1 switches to debug and back; SIGHUP is
// answered, and ends nothing.
func TestSignalChangesTheLogLevel(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "warn", Format: config.LogJSON})
	stop := watchLogSignal(log, zerolog.GlobalLevel())
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for _, want := range []zerolog.Level{zerolog.DebugLevel, zerolog.WarnLevel} {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); zerolog.GlobalLevel() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the level is %s, not %s", zerolog.GlobalLevel(), want)
			}
		}
	}
	stop()
	if n := bytes.Count(out.Bytes(), []byte("log level changed")); n != 2 {
		t.Errorf("two changes were logged as\n%s", &out)
	}
	if n := bytes.Count(out.Bytes(), []byte("the configuration is not read again")); n != 1 {
		t.Errorf("SIGHUP was answered by\n%s", &out)
	}
}

// TestConsoleLogInAFile has no colours.
func TestConsoleLogInAFile(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "info", Format: config.LogConsole})
	log.Info().Str("topic", "events").Msg("started")
	if _, text, _ := bytes.Cut(out.Bytes(), []byte(" ")); string(text) != "INF started topic=events\n" {
		t.Errorf("%q", out.Bytes())
	}
}

// TestTracer: without an endpoint there is none; with one, spans reach it.
func TestTracer(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	tracer, stop, err := newTracer(t.Context(), "test")
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	stop(zerolog.Nop())

	got := make(chan string, 1) // of size one: one export
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got <- fmt.Sprint(r.Method, " ", r.URL.Path, " ", bytes.Contains(body, []byte("a span")), bytes.Contains(body, []byte("engage-worker")), err)
	}))
	defer endpoint.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.URL)
	if tracer, stop, err = newTracer(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "a span")
	span.End()
	stop(zerolog.Nop())
	select {
	case text := <-got:
		if text != "POST /v1/traces true true <nil>" {
			t.Error(text)
		}
	default:
		t.Error("nothing was exported")
	}
}
