package main

import (
	"bytes"
	"strings"
	"testing"

	"engage-worker/internal/terminal"
)

// Ideographs and emoji take two columns, marks none: what stands right of them
// is aligned all the same.
func TestTableAlignsByColumns(t *testing.T) {
	people := table{header: []string{"USER", "N", "WHY"}, right: map[int]bool{1: true}}
	people.add("ann", "1", "no number")
	people.add("山田太郎", "20", "番号がありません")
	people.add("🎉 party", "3", "ok")
	people.add("Zoe\u0308", "4", "ok")
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
		var b bytes.Buffer
		if err := people.print(screen{Writer: &b, width: tc.width}); err != nil {
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
		if got := cut(tc.in, tc.n); got != tc.want {
			t.Errorf("cut(%.20q, %d) = %.40q, want %q", tc.in, tc.n, got, tc.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("山田太郎 🎉 Zoe\u0308 \x00\xff", 5)
	f.Fuzz(func(t *testing.T, in string, n int) {
		n = 1 + n&63
		in = terminal.Plain(in)
		got := cut(in, n)
		if w := columns.StringWidth(got); w > n {
			t.Errorf("cut(%q, %d) = %q takes %d columns", in, n, got, w)
		}
		if len([]rune(got)) > 4*n+1 {
			t.Errorf("cut(%q, %d) has %d runes", in, n, len([]rune(got)))
		}
	})
}
