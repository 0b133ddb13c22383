package liquid

import (
	"encoding/json"
	"os"
	"testing"

	"engage-worker/actions/jsvalue"
)

// liquidjs is what LiquidJS makes of templates: testdata/liquidjs.json was
// written by running version 10.30.1, the newest that the hosted destination's
// package.json takes, with its default options in UTC.
type liquidjs struct {
	Vars string // JSON
	Rows []struct {
		Template string
		Want     string
		Error    bool
	}
}

func readLiquidJS(t testing.TB) (vars any, rows liquidjs) {
	t.Helper()
	raw, err := os.ReadFile("testdata/liquidjs.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if vars, err = jsvalue.Decode(rows.Vars); err != nil {
		t.Fatal(err)
	}
	return vars, rows
}

func TestAsLiquidJS(t *testing.T) {
	vars, expected := readLiquidJS(t)
	for _, row := range expected.Rows {
		got := ""
		template, err := Compile(row.Template)
		if err == nil {
			got, err = render(template, vars)
		}
		switch {
		case err != nil && !row.Error:
			t.Errorf("%q: %v, want %q", row.Template, err, row.Want)
		case err == nil && row.Error:
			t.Errorf("%q: renders to %q, is an error in LiquidJS", row.Template, got)
		case got != row.Want:
			t.Errorf("%q: renders to %q, want %q", row.Template, got, row.Want)
		}
	}
}
