package terminal

import (
	"bytes"
	"strings"
	"testing"
)

// Ideographs and emoji take two columns, marks none: what stands right of them
// is aligned all the same.
func TestTableAlignsByColumns(t *testing.T) {
	for _, tc := range []struct {
		width int
		want  string
	}{
		{0, "" +
			"USER       N  WHY\n" +
			"ann        1  no number\n" +
			"山田太郎  20  番号がありません\n" +
			"🎉 party   3  ok\n" +
			"Zoe\u0308        4  ok\n"},
		{26, "" +
			"USER       N  WHY\n" +
			"ann        1  no number\n" +
			"山田太郎  20  番号があり…\n" +
			"🎉 party   3  ok\n" +
			"Zoe\u0308        4  ok\n"},
	} {
		people := NewTable(Column{Head: "USER"}, Column{Head: "N", Right: true}, Column{Head: "WHY"})
		people.Add("ann", "1", "no number")
		people.Add("山田太郎", "20", "番号がありません")
		people.Add("🎉 party", "3", "ok")
		people.Add("Zoe\u0308", "4", "ok")
		var b bytes.Buffer
		if err := people.Print(Screen{Writer: &b, Width: tc.width}); err != nil {
			t.Fatal(err)
		}
		if b.String() != tc.want {
			t.Errorf("in %d columns:\n%swant\n%s", tc.width, b.String(), tc.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"山田", 4, "山田"},
		{"山田太", 4, "山…"}, // a column is left over rather than half a character written
		{"山田太", 5, "山田…"},
		{"🎉🎉🎉", 5, "🎉🎉…"},
		{"█ §…", 4, "█ §…"}, // ambiguous widths are narrow
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"a" + strings.Repeat("\u0301", 100_000), 3, "a" + strings.Repeat("\u0301", 11) + "…"},
	} {
		if got := Cut(tc.in, tc.n); got != tc.want {
			t.Errorf("Cut(%.20q, %d) = %.40q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("山田太郎 🎉 Zoe\u0308 \x00\xff", 5)
	f.Fuzz(func(t *testing.T, in string, n int) {
		n = 1 + n&63
		in = Plain(in)
		got := Cut(in, n)
		if w := display.StringWidth(got); w > n {
			t.Errorf("Cut(%q, %d) = %q takes %d columns", in, n, got, w)
		}
		if len([]rune(got)) > 4*n+1 {
			t.Errorf("Cut(%q, %d) has %d runes", in, n, len([]rune(got)))
		}
	})
}

func TestTableFitsTheTerminal(t *testing.T) {
	var b bytes.Buffer
	table := NewTable(Column{Head: "N", Right: true}, Column{Head: "TEXT"})
	table.Add("1", "short")
	table.Add("20", "a text that is much too long\nfor the line")
	if err := table.Print(Screen{Writer: &b, Width: 20}); err != nil {
		t.Fatal(err)
	}
	const want = " N  TEXT\n 1  short\n20  a text that is …\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	table = NewTable(Column{Head: "N", Right: true, Spare: 2}, Column{Head: "SPARE", Spare: 1}, Column{Head: "TEXT"})
	table.Add("1", "some words", "short")
	table.Add("20", "some words", "a text that is much too long\nfor the line")
	if err := table.Print(Screen{Writer: &b, Width: 20}); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	for _, tc := range []struct {
		n, most int
		want    string
	}{{0, 10, ""}, {10, 10, "████"}, {5, 10, "██"}, {1, 1000, "▏"}, {3, 16, "▊"}, {0, 0, ""}} {
		if got := Bar(tc.n, tc.most, 4); got != tc.want {
			t.Errorf("Bar(%d, %d) = %q, want %q", tc.n, tc.most, got, tc.want)
		}
	}
	if got := progressLine("reading t", 250_000, 1_000_000, 60); got != "reading t █████░░░░░░░░░░░░░░░  25%  250,000 of 1,000,000" {
		t.Errorf("progress %q", got)
	}
	if got := progressLine("reading t", 250_000, 1_000_000, 30); got != "25%  250,000 of 1,000,000" {
		t.Errorf("narrow: progress %q", got)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("Thousands(%d) = %s", n, got)
		}
	}
}

// Rows that come later stand under the ones before, where these were as wide.
func TestTableGoesOn(t *testing.T) {
	var b bytes.Buffer
	table := TableOf("A", "B")
	for _, a := range []string{"a wide one", "a"} {
		table.Add(a, "b")
		if err := table.Print(Screen{Writer: &b}); err != nil {
			t.Fatal(err)
		}
	}
	if want := "A           B\na wide one  b\na           b\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
