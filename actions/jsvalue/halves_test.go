package jsvalue

import "testing"

func TestHalves(t *testing.T) {
	first, second := Halves('👋')
	for _, test := range []struct{ text, joined, out string }{
		{"", "", ""},
		{"가힣", "가힣", "가힣"}, // whose bytes begin alike
		{first + second, "👋", "👋"},
		{"a" + first + second + "b" + first + second, "a👋b👋", "a👋b👋"},
		{second + first, second + first, "\uFFFD\uFFFD"},
		{first + first + second, first + "👋", "\uFFFD👋"},
		{first + "x" + second, first + "x" + second, "\uFFFDx\uFFFD"},
		{first[:2], first[:2], first[:2]}, // no half
	} {
		if got := JoinHalves(test.text); got != test.joined {
			t.Errorf("%q is joined to %q, want %q", test.text, got, test.joined)
		}
		if got := WithoutHalves(test.text); got != test.out {
			t.Errorf("%q is written as %q, want %q", test.text, got, test.out)
		}
	}
	if n := StringLen(first + "x" + second + "👋"); n != 5 {
		t.Errorf("%d units, want 5", n)
	}
	if got := string(AppendQuoted(nil, first+"x"+second+"👋")); got != `"\ud83dx\udc4b👋"` {
		t.Errorf("as JSON %s", got)
	}
}
