package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rs/zerolog"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
)

// hostile drives a terminal by an escape sequence, by its C1 form, and by a mark
// that turns the direction of writing around.
const hostile = "=1+1\x1b[2J\u009b31m\u202Egnp"

func drives(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
	})
}

// TestEventsDriveNoTerminal: whatever is in an event, what a command prints of
// it is text, and JSON and Parquet keep it as it was.
func TestEventsDriveNoTerminal(t *testing.T) {
	p := newDLQPlace(t)
	event, err := json.Marshal(map[string]any{"type": "track", "event": "Audience Entered", "messageId": hostile, "userId": hostile})
	if err != nil {
		t.Fatal(err)
	}
	event = []byte(strings.NewReplacer(`\u001b`, "x").Replace(string(event))) // C1 and the mark stay raw
	p.put(dlqLetter(1, func(r *deadletter.Record) {
		r.UserID, r.MessageID, r.Action, r.Region, r.Message, r.Recipient = hostile, hostile, hostile, hostile, hostile, "+15***001"
		r.Key, r.Value, r.RequestID = []byte(hostile), event, hostile
	}), dlqLetter(2, malformed, func(r *deadletter.Record) { r.Value = []byte(hostile) }))
	id := dlqLetter(1, func(r *deadletter.Record) { r.MessageID, r.Action = hostile, hostile }).ID()
	for _, args := range [][]string{
		{"stats"}, {"stats", "-o", "json"}, {"stats", "-o", "csv"}, {"list"}, {"list", "-o", "json"}, {"list", "-o", "csv"},
		{"show", id}, {"export"}, {"export", "--format", "csv"}, {"export", "--format", "csv", "-"}, {"replay", "--dry-run"},
	} {
		code, stdout, stderr := p.run(args...)
		if code != cli.ExitOK || drives(stdout) || drives(stderr) {
			t.Errorf("%s: code %d\n%q\n%q", args, code, stdout, stderr)
		}
	}
	var row struct {
		UserID     string `json:"user_id"`
		Value, Key string
	}
	for line := range strings.Lines(p.ok("export")) {
		if strings.Contains(line, id) {
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if row.UserID != hostile || row.Value != string(event) || row.Key != hostile {
		t.Errorf("JSON has another value: %+q", []string{row.UserID, row.Value, row.Key})
	}
	rows, err := csv.NewReader(strings.NewReader(p.ok("export", "--format", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range append(rows, []string(nil)) {
		for _, cell := range cells {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("a cell is a formula: %q", cell)
			}
		}
		if i := slices.Index(rows[0], "value"); len(cells) > 0 && cells[0] == id {
			var got, want any
			if json.Unmarshal([]byte(cells[i]), &got) != nil || json.Unmarshal(event, &want) != nil || got.(map[string]any)["userId"] != want.(map[string]any)["userId"] {
				t.Errorf("the event's value is %q", cells[i])
			}
			if c := cells[slices.Index(rows[0], "recipient")]; c != "'+15***001" || cells[slices.Index(rows[0], "twilio_code")] != "21610" {
				t.Errorf("recipient %q, in %q", c, cells)
			}
		}
	}
}

func TestPreviewDrivesNoTerminal(t *testing.T) {
	event := strings.Replace(previewEvent, `"userId"`, `"messageId":"\u001b[2Jm`+"\u009b\u202E"+`","userId"`, 1)
	event = strings.ReplaceAll(event, `"J"`, `"\u001b]0;\r`+"\u009b\u202E"+`"`)
	for _, output := range []string{"json", "table"} {
		code, stdout, stderr := previewOf(t, previewConfig, event, "--output", output)
		if code != cli.ExitOK || drives(stdout) || drives(stderr) || !strings.Contains(strings.ToLower(stdout), "send") {
			t.Errorf("%d\n%q\n%q", code, stdout, stderr)
		}
	}
}

// TestLogsDriveNoTerminal: JSON keeps the value, with an escape for it.
func TestLogsDriveNoTerminal(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	for _, format := range []config.LogFormat{config.LogJSON, config.LogConsole} {
		var out bytes.Buffer
		log := newLogger(&out, config.Log{Level: "info", Format: format})
		log.Warn().Str("messageId", hostile).Err(errors.New(hostile)).Msg("an event failed: " + hostile)
		if drives(out.String()) {
			t.Errorf("%s: %q", format, out.String())
		}
		var fields map[string]any
		if format == config.LogJSON && (json.Unmarshal(out.Bytes(), &fields) != nil || fields["messageId"] != hostile) {
			t.Errorf("%q", out.String())
		}
	}
	var out bytes.Buffer
	if code := cli.Report(&out, errors.New("line 1\n"+hostile)); code != cli.ExitFailure || drives(out.String()) || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%q", out.String())
	}
}

// TestExportReplacesNothing without --force: no file, and no link to one that
// isn't there.
func TestExportReplacesNothing(t *testing.T) {
	p := newDLQPlace(t)
	p.put(dlqLetter(1))
	dir := t.TempDir()
	link := filepath.Join(dir, "all.csv")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := p.run("export", link); code != cli.ExitBadInput || !strings.Contains(stderr, "exists: name another file") {
		t.Errorf("code %d: %s", code, stderr)
	}
	if target, err := os.Readlink(link); err != nil || target != filepath.Join(dir, "elsewhere") {
		t.Errorf("the link is %q (%v)", target, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v (%v)", left, err)
	}
	p.ok("export", "--force", link)
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v (%v)", info, err)
	}
}
