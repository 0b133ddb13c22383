package main

import (
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"engage-worker/internal/terminal"
)

// screen is where text for people goes.
type screen struct {
	io.Writer
	width  int  // of the terminal; 0: no terminal, lines may be long
	styled bool // bold may be used
}

// screenOf finds out what w is.
func screenOf(w io.Writer) screen {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return screen{Writer: w}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return screen{w, width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// bold is s in bold on a terminal.
func (s screen) bold(text string) string {
	if !s.styled {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// table is rows of cells under a header.
type table struct {
	header []string
	right  map[int]bool // columns of numbers
	spare  []int        // columns to leave out on a terminal that is too narrow, in this order
	rows   [][]string
	least  []int // the widths of what was printed before, if anything
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = terminal.Plain(c)
	}
	t.rows = append(t.rows, cells)
}

const columnGap = "  "

// print writes the table, without its header if that was printed before with
// other rows. On a terminal spare columns are left out, and the
// last one is cut to fit.
func (t *table) print(s screen) error {
	widths := t.widths()
	total := -len(columnGap)
	for _, w := range widths {
		total += w + len(columnGap)
	}
	if last := len(widths) - 1; s.width > 0 {
		const narrowest = 12 // of the last column
		for _, i := range t.spare {
			if total-max(0, widths[last]-narrowest) > s.width {
				total -= widths[i] + len(columnGap)
				widths[i] = -1
			}
		}
		widths[last] -= min(max(0, widths[last]-narrowest), max(0, total-s.width))
	}
	if t.least == nil {
		if _, err := io.WriteString(s, s.bold(t.line(t.header, widths))+"\n"); err != nil {
			return err
		}
	}
	for _, row := range t.rows {
		if _, err := io.WriteString(s, t.line(row, widths)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// widths are what the columns take.
func (t *table) widths() []int {
	widths := make([]int, len(t.header))
	copy(widths, t.least)
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], columns.StringWidth(c))
		}
	}
	return widths
}

func (t *table) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		if widths[i] < 0 {
			continue
		}
		if i > 0 {
			b.WriteString(columnGap)
		}
		c = cut(c, widths[i])
		pad := strings.Repeat(" ", widths[i]-columns.StringWidth(c))
		if t.right[i] {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// columns measures text in a terminal's columns: an ideograph or an emoji takes
// two, a combining mark none. What is of ambiguous width takes one, whatever the
// locale, as terminals have it unless they are told otherwise.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// cut shortens s to n columns, and to no more than marksToo runes for each:
// marks take no column, and there may be any number of them.
func cut(s string, n int) string {
	const marksToo = 4
	if r := []rune(s); len(r) > marksToo*n {
		return columns.Truncate(string(r[:marksToo*n]), n-1, "") + "…"
	}
	return columns.Truncate(s, n, "…")
}

// bar is n of most as a bar of at most width.
func bar(n, most, width int) string {
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
