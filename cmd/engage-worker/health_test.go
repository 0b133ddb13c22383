package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"engage-worker/cmd/engage-worker/cli"
)

// health asks where the configuration has the worker listen.
func TestHealth(t *testing.T) {
	worker := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			http.Error(rw, "kafka doesn't answer", http.StatusServiceUnavailable)
			return
		}
		rw.Write([]byte("alive\n"))
	}))
	address := strings.TrimPrefix(worker.URL, "http://")
	path := filepath.Join(t.TempDir(), "engage.yaml")
	text, err := os.ReadFile("starter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	listening := string(text) + "\nhttp: {listen: \"" + address + "\"}\ncallbacks: {listen: \"" + address + "\"}\ndesk: {listen: \"" + address + "\"}\n"
	if err := os.WriteFile(path, []byte(listening), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "health", "--config", path); got != (result{cli.ExitOK, "alive\n", ""}) {
		t.Errorf("of a worker that lives: %+v", got)
	}
	if got := command(t, "health", "--of", "callbacks", "--config", path); got != (result{cli.ExitOK, "alive\n", ""}) {
		t.Errorf("of a receiver that lives: %+v", got)
	}
	if got := command(t, "health", "--of", "desk", "--ready", "--config", path); got != (result{cli.ExitOK, "alive\n", ""}) {
		t.Errorf("of a desk that lives: %+v", got)
	}
	if got := command(t, "health", "--ready", "--config", path); got.code != cli.ExitFailure || !strings.Contains(got.stderr, "kafka doesn't answer") {
		t.Errorf("of a worker that isn't ready: %+v", got)
	}
	worker.Close()
	if got := command(t, "health", "--config", path); got.code != cli.ExitFailure || !strings.Contains(got.stderr, "nobody answers at http.listen") {
		t.Errorf("of none: %+v", got)
	}
	if got := command(t, "health", "--of", "callbacks", "--config", path); got.code != cli.ExitFailure || !strings.Contains(got.stderr, "nobody answers at callbacks.listen") {
		t.Errorf("of no receiver: %+v", got)
	}
}
