package worker

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"engage-worker/internal/config"
)

// TestMetricsShowFromTheStart: whatever docs/operations.md lists is there
// before there is anything to count, except for what belongs to a shard.
func TestMetricsShowFromTheStart(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(`destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: s}
    actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(cfg, zerolog.Nop(), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	families, err := w.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, f := range families {
		if name := f.GetName(); regexp.MustCompile(`^engage_`).MatchString(name) {
			shown = append(shown, name)
		}
	}
	ofShards := []string{"engage_events_total", "engage_lag_records", "engage_lag_seconds", "engage_callbacks_received_total", "engage_messages_total", "engage_oldest_open_seconds", "engage_records_read_total", "engage_uncommitted_offsets", "engage_watermark_offset"}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(engage_\\w+)` \\|").FindAllSubmatch(page, -1) {
		if name := string(row[1]); !slices.Contains(ofShards, name) {
			documented = append(documented, name)
		}
	}
	slices.Sort(documented)
	slices.Sort(shown)
	if len(shown) == 0 || !slices.Equal(shown, documented) {
		t.Errorf("shown\n%q\ndocumented\n%q", shown, documented)
	}
}
