package liquid

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestDatesAsV8 reads texts as V8 does: testdata/dates.json holds, written by
// Node.js in UTC, each with its time in milliseconds since 1970, or null.
func TestDatesAsV8(t *testing.T) {
	raw, err := os.ReadFile("testdata/dates.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]*int64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for text, ms := range want {
		got, ok := parseDate(text)
		if ok != (ms != nil) || ok && got.UnixMilli() != *ms {
			t.Errorf("%q: got %v, %t, want %s", text, got, ok, show(ms))
		}
	}
}

func show(ms *int64) string {
	if ms == nil {
		return "none"
	}
	return time.UnixMilli(*ms).UTC().String()
}
