package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"engage-worker/cmd/engage-worker/cli"
)

// TestFilesThatHoldNoEvents: each command that reads events says what is wrong
// with a file by its name, and how it should be, and does nothing.
func TestFilesThatHoldNoEvents(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "engage.yaml")
	files := map[string]string{"engage.yaml": previewConfig, "empty": "", "blank": "\n \r\n", "table.csv": "name,phone\nJane,+14155550134\n"}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"":          " is a folder; name a file of events in it",
		"empty":     `empty holds no events; they are JSON objects, a line each: {"type":"track",...}`,
		"blank":     `blank holds no events; they are JSON objects, a line each: {"type":"track",...}`,
		"table.csv": "table.csv: this looks like a table (CSV), whose lines are no events; make each row a JSON object, a line each: {\"type\":\"track\",...}",
		"missing":   "missing: no such file or directory; name a file of events, a JSON object a line",
	} {
		for _, args := range [][]string{
			{"preview", "--config", config, filepath.Join(dir, name)},
			{"produce", "--brokers", "127.0.0.1:1", "--topic", produceTopic, filepath.Join(dir, name)},
			{"produce", "--brokers", "127.0.0.1:1", "--topic", produceTopic, "--strict", filepath.Join(dir, name)},
			{"send-test", "--config", config, "--action", "welcome", "--to", "+15557654321", "--yes", "--event", filepath.Join(dir, name)},
		} {
			got := command(t, args...)
			if got.code != cli.ExitBadInput || got.stdout != "" || !strings.Contains(got.stderr, want) {
				t.Errorf("%s of %q: %+v", args[0], name, got)
			}
		}
	}
}
