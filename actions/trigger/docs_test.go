package trigger

import (
	"os"
	"strings"
	"testing"
)

// docTable returns the cells of the rows of the tables in a page whose first
// column is headed so; code's backticks are taken off.
func docTable(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i, cell := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cell), "`")
		}
		switch {
		case cells[0] == head:
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	return rows
}

// TestDocs holds docs/triggers.md to the code: each expression of its tables
// does on the event beside it what the page says, and each of the
// language's words is there.
func TestDocs(t *testing.T) {
	const page = "../../docs/triggers.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	wanted := docTable(t, page, "trigger")
	if len(wanted) < 40 {
		t.Errorf("%d examples", len(wanted))
	}
	for _, row := range wanted {
		if len(row) < 3 {
			t.Errorf("%q: want an expression, an event and a result", row)
			continue
		}
		trigger, err := Compile(row[0])
		if err != nil {
			t.Error(err)
			continue
		}
		said.WriteString(row[0] + "\n")
		if result := map[bool]string{true: "yes", false: "no"}[trigger.Match([]byte(row[1]))]; result != row[2] {
			t.Errorf("%s of %s: %s", row[0], row[1], result)
		}
	}
	for _, row := range docTable(t, page, "refused") {
		if _, err := Compile(row[0]); err == nil || !strings.Contains(err.Error(), row[1]) {
			t.Errorf("%s: %v", row[0], err)
		}
	}
	for _, row := range docTable(t, page, "doubtful") {
		if got := strings.Join(Warnings(row[0]), "; "); got != row[1] {
			t.Errorf("%s: %s", row[0], got)
		}
	}
	for _, word := range []string{
		" and ", " or ", "!", "(", " = ", " != ", " < ", " <= ", " > ", " >= ", " in ", "null", "true", "false",
		"contains(", "match(", "lowercase(", "length(", "typeof(", "*", "?", "[", `\[0\]`, `\ `, "'", `\n`,
	} {
		if !strings.Contains(said.String(), word) {
			t.Errorf("no example has %q", word)
		}
	}
	for _, field := range spec {
		if !strings.Contains(string(text), "`"+field+"`") {
			t.Errorf("the field %s isn't there", field)
		}
	}
}
