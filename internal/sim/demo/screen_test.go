package demo

import (
	"strings"
	"testing"
)

// terminal is a small model of one: it knows what the demo's pictures use.
type terminal struct {
	rows     [][]rune
	row, col int
	cursor   bool
	cleared  int // how often something visible was blanked before it was overwritten
}

func (t *terminal) Write(p []byte) (int, error) {
	text := string(p)
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' })
			t.control(rest[:end], rest[end])
			text = rest[end+1:]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\n':
			t.row, t.col = t.row+1, 0
		case '\r':
			t.col = 0
		default:
			t.line()
			for len(t.rows[t.row]) <= t.col {
				t.rows[t.row] = append(t.rows[t.row], ' ')
			}
			t.rows[t.row][t.col] = r
			t.col++
		}
	}
	return len(p), nil
}

func (t *terminal) line() {
	for len(t.rows) <= t.row {
		t.rows = append(t.rows, nil)
	}
}

func (t *terminal) control(args string, verb byte) {
	switch verb {
	case 'A':
		n := 0
		for _, digit := range args {
			n = n*10 + int(digit-'0')
		}
		t.row -= n
	case 'K':
		t.line()
		if t.col == 0 && len(t.rows[t.row]) > 0 {
			t.cleared++
		}
		t.rows[t.row] = t.rows[t.row][:min(t.col, len(t.rows[t.row]))]
	case 'J':
		t.rows = t.rows[:min(t.row, len(t.rows))]
	case 'h', 'l':
		if args == "?25" {
			t.cursor = verb == 'h'
		}
	}
}

func (t *terminal) String() string {
	var b strings.Builder
	for _, row := range t.rows {
		b.WriteString(string(row) + "\n")
	}
	return b.String()
}

func TestScreenRedrawsInPlace(t *testing.T) {
	var out terminal
	s := &screen{w: &out, tty: true, color: true, size: func() (int, int) { return 12, 5 }}
	s.print("before")
	s.draw([]string{styled(red, "one one one one one"), "two", "three", "four", "five"})
	if want := "before\none one one \ntwo\nthree\nfour\n"; out.String() != want {
		t.Errorf("first:\n%s", out.String())
	}
	s.draw([]string{"ONE", "two…"})
	if want := "before\nONE\ntwo…\n"; out.String() != want || out.cursor {
		t.Errorf("second:\n%s", out.String())
	}
	s.clear()
	s.print("after")
	if want := "before\nafter\n"; out.String() != want || !out.cursor {
		t.Errorf("after:\n%s", out.String())
	}
	if out.cleared != 0 {
		t.Errorf("%d lines were blanked before they were overwritten, which flickers", out.cleared)
	}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		line  string
		width int
		color bool
		want  string
	}{
		{"abc", 0, false, "abc"},
		{"abc", 2, false, "ab"},
		{styled(red, "abc") + "d", 0, false, "abcd"},
		{styled(red, "abc") + "d", 9, true, red + "abc" + plain + "d"},
		{styled(red, "abc") + "d", 2, true, red + "ab" + plain},
		{"äöü", 2, true, "äö"},
	} {
		if got := (&screen{color: test.color}).fit(test.line, test.width); got != test.want {
			t.Errorf("%q in %d: %q, want %q", test.line, test.width, got, test.want)
		}
	}
}

func TestColumn(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"ab", 4, "ab  "}, {"ab", -4, "  ab"}, {"äbcde", 4, "äbcde"}, {styled(red, "a"), 3, styled(red, "a") + "  "},
	} {
		if got := column(test.text, test.width); got != test.want {
			t.Errorf("%q in %d: %q", test.text, test.width, got)
		}
	}
}
