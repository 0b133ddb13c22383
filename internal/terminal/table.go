package terminal

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Column is a column of a Table.
type Column struct {
	Head  string
	Right bool // of numbers
	Spare int  // the lower, the sooner it is left out where a terminal is too narrow; 0: never
}

// Table is rows of cells under a header.
type Table struct {
	columns []Column
	rows    [][]string
	widths  []int // what the columns take; of what was printed before, too
	begun   bool
}

// NewTable has the columns and no rows.
func NewTable(columns ...Column) *Table {
	t := &Table{columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		t.widths[i] = display.StringWidth(c.Head)
	}
	return t
}

// TableOf is a Table of texts under heads.
func TableOf(heads ...string) *Table {
	columns := make([]Column, len(heads))
	for i, head := range heads {
		columns[i].Head = head
	}
	return NewTable(columns...)
}

// Add adds a row, of which nothing drives the terminal.
func (t *Table) Add(cells ...string) {
	for i, c := range cells {
		cells[i] = Plain(c)
		t.widths[i] = max(t.widths[i], display.StringWidth(cells[i]))
	}
	t.rows = append(t.rows, cells)
}

const columnGap = "  "

// Print writes the rows that were added since the last time, under the header if
// it is the first. On a terminal that is too narrow, spare columns are left out,
// and the last one is cut to fit.
func (t *Table) Print(s Screen) error {
	widths := t.fitting(s.Width)
	var b strings.Builder
	if !t.begun {
		heads := make([]string, len(t.columns))
		for i, c := range t.columns {
			heads[i] = c.Head
		}
		b.WriteString(s.Bold(t.line(heads, widths)) + "\n")
	}
	for _, row := range t.rows {
		b.WriteString(t.line(row, widths) + "\n")
	}
	t.rows, t.begun = nil, true
	_, err := io.WriteString(s, b.String())
	return err
}

// fitting are the columns' widths on a terminal: -1 of one that is left out.
func (t *Table) fitting(width int) []int {
	widths := slices.Clone(t.widths)
	if width == 0 {
		return widths
	}
	total := -len(columnGap)
	for _, w := range widths {
		total += w + len(columnGap)
	}
	const narrowest = 12 // of the last column
	last := len(widths) - 1
	cut := max(0, widths[last]-narrowest)
	var spare []int
	for i, c := range t.columns {
		if c.Spare > 0 {
			spare = append(spare, i)
		}
	}
	slices.SortStableFunc(spare, func(a, b int) int { return cmp.Compare(t.columns[a].Spare, t.columns[b].Spare) })
	for _, i := range spare {
		if total-cut > width {
			total -= widths[i] + len(columnGap)
			widths[i] = -1
		}
	}
	widths[last] -= min(cut, max(0, total-width))
	return widths
}

func (t *Table) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		if widths[i] < 0 {
			continue
		}
		if i > 0 {
			b.WriteString(columnGap)
		}
		c = Cut(c, widths[i])
		pad := strings.Repeat(" ", widths[i]-display.StringWidth(c))
		if t.columns[i].Right {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// display measures text in a terminal's columns: an ideograph or an emoji takes
// two, a combining mark none. What is of ambiguous width takes one, whatever the
// locale, as terminals have it unless they are told otherwise.
var display = &runewidth.Condition{StrictEmojiNeutral: true}

// Cut shortens s to n columns, and to no more than marksToo runes for each:
// marks take no column, and there may be any number of them.
func Cut(s string, n int) string {
	const marksToo = 4
	if r := []rune(s); len(r) > marksToo*n {
		return display.Truncate(string(r[:marksToo*n]), n-1, "") + "…"
	}
	return display.Truncate(s, n, "…")
}

// Bar is n of most as a bar of at most width.
func Bar(n, most, width int) string {
	if most == 0 || n == 0 {
		return ""
	}
	eighths := max(1, n*width*8/most)
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return full
}
