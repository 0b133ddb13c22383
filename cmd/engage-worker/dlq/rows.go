package dlq

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"

	"engage-worker/actions/jsvalue"
	"engage-worker/internal/terminal"
)

// cell is a fact of a row.
type cell struct {
	name, text string
	number     bool
	unknown    bool // and left out of JSON, where a number without a text is 0
}

// rowWriter writes rows. Flush writes what is held back, and says what failed.
type rowWriter interface {
	Write(row []cell) error
	Flush() error
}

// object is a row as JSON.
func object(row []cell) json.RawMessage {
	object := []byte{'{'}
	for _, c := range row {
		if c.unknown {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(jsvalue.AppendQuoted(object, c.name), ':')
		if c.number {
			object = append(object, cmp.Or(c.text, "0")...)
		} else {
			object = jsvalue.AppendQuoted(object, c.text)
		}
	}
	return append(object, '}')
}

// jsonRows writes JSON Lines.
type jsonRows struct{ to terminal.JSON }

func (j jsonRows) Write(row []cell) error {
	_, err := j.to.Write(append(object(row), '\n'))
	return err
}

func (j jsonRows) Flush() error { return nil }

// csvRows writes RFC 4180. No cell drives a spreadsheet or a terminal.
type csvRows struct{ to *csv.Writer }

// newCSVRows writes a header line, too. An error stays with the writer.
func newCSVRows(w io.Writer, names []string) csvRows {
	c := csvRows{csv.NewWriter(w)}
	_ = c.to.Write(names)
	return c
}

func (c csvRows) Write(row []cell) error {
	texts := make([]string, len(row))
	for i, cell := range row {
		switch texts[i] = cell.text; {
		case cell.number:
			continue
		case isJSON(cell.text): // which keeps its value
			texts[i] = string(terminal.EscapeJSON([]byte(cell.text)))
		}
		texts[i] = terminal.Cell(texts[i])
	}
	return c.to.Write(texts)
}

// isJSON reports whether a text is an object, a list or a text of JSON.
func isJSON(text string) bool {
	start := strings.TrimLeft(text, " \t\r\n")
	return start != "" && strings.IndexByte("{[\"", start[0]) >= 0 && json.Valid([]byte(text))
}

func (c csvRows) Flush() error {
	c.to.Flush()
	return c.to.Error()
}

// tableRows writes a table for people.
type tableRows struct {
	*terminal.Table
	screen terminal.Screen
}

func (t tableRows) Write(row []cell) error {
	texts := make([]string, len(row))
	for i, cell := range row {
		texts[i] = cell.text
	}
	t.Add(texts...)
	return nil
}

func (t tableRows) Flush() error { return t.Print(t.screen) }
