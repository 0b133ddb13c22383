package mapping

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// hosted is what the hosted kit makes of mappings: testdata/hosted.json was
// written by running it.
type hosted struct {
	Event string // JSON
	Rows  []struct {
		Mapping string  // JSON
		Want    *string // JSON of what the field resolves to
		Absent  bool    // the field is undefined
		Error   bool    // the kit refuses the mapping, or fails
	}
}

// fromEvents are mappings whose rows take a template out of the event.
var fromEvents = map[string]bool{
	`{"@template":"{{{ properties.tpl }}}"}`:     true,
	`{"@template":"{{{properties.tpl}}}"}`:       true,
	`{"@template":{"@path":"$.properties.tpl"}}`: true,
}

func TestAsTheHostedKit(t *testing.T) {
	raw, err := os.ReadFile("testdata/hosted.json")
	if err != nil {
		t.Fatal(err)
	}
	var h hosted
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	event, err := jsvalue.Decode(h.Event)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range h.Rows {
		m, err := jsvalue.Decode(row.Mapping)
		if err != nil {
			t.Fatal(err)
		}
		compile := Compile
		if fromEvents[row.Mapping] {
			compile = CompileTrusting
		}
		value, faults := compile(m)
		if len(faults) > 0 {
			if !row.Error {
				t.Errorf("%s: faults %v, the kit resolves it", row.Mapping, faults)
			}
			continue
		}
		got, defined, err := value.Resolve(liquid.NewBudget(context.Background()), event)
		switch {
		case err != nil:
			if !row.Error {
				t.Errorf("%s: %v, the kit resolves it", row.Mapping, err)
			}
		case row.Error:
			t.Errorf("%s: resolves to %s, the kit fails", row.Mapping, jsvalue.Encode(got))
		case defined == row.Absent:
			t.Errorf("%s: defined is %t", row.Mapping, defined)
		case defined && jsvalue.Encode(got) != *row.Want:
			t.Errorf("%s: resolves to %s, want %s", row.Mapping, jsvalue.Encode(got), *row.Want)
		}
	}
}
