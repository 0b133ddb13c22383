package trigger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestHosted compares with the hosted destination's own parser and evaluator
// (@segment/destination-subscriptions 3.37.0) on the triggers of its presets
// and tests, of Segment's documentation, and as its builder writes conditions.
// One that it reads otherwise is refused here or of a kind that
// docs/conformance.md lists.
func TestHosted(t *testing.T) {
	text, err := os.ReadFile("testdata/hosted.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Events   []json.RawMessage
		Triggers [][]string // the trigger, for each event 1 if it is wanted, and the kind of difference
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	agree, refused := 0, 0
	for _, c := range table.Triggers {
		trigger, err := Compile(c[0])
		if err != nil {
			refused++
			continue
		}
		got := make([]byte, len(table.Events))
		for i, event := range table.Events {
			got[i] = '0'
			if trigger.Match(event) {
				got[i] = '1'
			}
		}
		differs, listed := string(got) != c[1], len(c) == 3
		if differs != listed {
			t.Errorf("%s\nhosted %s\nhere   %s\nlisted as a difference: %t", c[0], c[1], got, listed)
		}
		if !differs {
			agree++
		}
		if listed && !slices.Contains(kinds, c[2]) {
			kinds = append(kinds, c[2])
		}
	}
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	page = bytes.Join(bytes.Fields(page), []byte(" "))
	said := fmt.Sprintf("%d triggers and %d events", len(table.Triggers), len(table.Events))
	if counts := fmt.Sprintf("%d agree, %d are refused", agree, refused); !bytes.Contains(page, []byte(said)) || !bytes.Contains(page, []byte(counts)) {
		t.Errorf("docs/conformance.md doesn't say %q, %q", said, counts)
	}
	slices.Sort(kinds)
	var rows []string
	for _, row := range docTable(t, "../../docs/conformance.md", "kind") {
		rows = append(rows, row[0])
	}
	slices.Sort(rows)
	if !slices.Equal(kinds, rows) {
		t.Errorf("there are %q, docs/conformance.md lists %q", kinds, rows)
	}
}
