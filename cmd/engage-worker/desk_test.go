package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"engage-worker/cmd/engage-worker/cli"
)

const deskConfig = `
kafka: {brokers: ["127.0.0.1:1"]}
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC0, twilioApiKeySID: SK0, twilioApiKeySecret: secret, profileApiAccessToken: token, spaceId: spa_1}
    actions: [{name: welcome, type: sendSms, mapping: {from: MG0, body: Welcome}}]
`

// TestDesk: it says where it is, only shows when told to, and ends when it is told.
func TestDesk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(deskConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0"} {
		var stderr bytes.Buffer
		if code := run(t.Context(), []string{"desk", "-c", path, "--listen", address}, strings.NewReader(""), io.Discard, &stderr); code != cli.ExitBadInput || !strings.Contains(stderr.String(), "needs desk.token") {
			t.Errorf("%s: exit code %d\n%s", address, code, &stderr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, log := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"desk", "-c", path, "--listen", "127.0.0.1:0", "--read-only"}, strings.NewReader(""), io.Discard, log)
		log.Close()
	}()
	buffer := make([]byte, 4096)
	n, err := lines.Read(buffer)
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	found := regexp.MustCompile(`"address":"(http://127\.0\.0\.1:\d+)","readOnly":true`).FindSubmatch(buffer[:n])
	if err != nil || found == nil {
		t.Fatalf("%s, %v", buffer[:n], err)
	}
	for page, want := range map[string]string{"/healthz": "alive\n", "/try": "only shows"} {
		res, err := http.Get(string(found[1]) + page)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %v\n%s", page, res.StatusCode, err, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if code := <-ended; code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}
