package trigger

import (
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"**", "", true}, {"?", "", false},
		{"?", "é", true}, {"??", "é", false}, {"a*d", "abcd", true}, {"a*d", "ad", true}, {"a*d", "abce", false},
		{"ab", "abc", false}, {"bc", "abc", false}, {"a??d", "abcd", true}, {"a??d", "abd", false}, {"*d", "abcd", true},
		{"ab*ba", "aba", false}, {"ab*ba", "abba", true}, {"*aa", "aaa", true}, {"a*a*a", "aa", false}, {"a*a*a", "aaa", true},
		{"*?b?*", "ab", false}, {"*?b?*", "xabx", true}, {"*b?d*", "abcbcd", true}, {"?*?", "a", false}, {"?*?", "ab", true},
		{`ab\*d`, "ab*d", true}, {`ab\*d`, "abcd", false}, {`\?`, "?", true}, {`\?`, "a", false}, {`a\\*`, `a\b`, true}, {`a\`, `a\`, true},
		{"[ab]*", "[ab]c", true}, {"[ab]*", "ac", false}, {"Z*ich", "Zürich", true}, {"*\U0001F600", "x\U0001F600", true},
	} {
		if got := newGlob(c.pattern).match(c.s); got != c.want {
			t.Errorf("%q of %q is %t", c.pattern, c.s, got)
		}
		if got := slowGlob([]rune(c.pattern), []rune(c.s)); got != c.want {
			t.Errorf("the reference says that %q of %q is %t", c.pattern, c.s, got)
		}
	}
}

// TestGlobBlowUp: a matcher that goes back would not end.
func TestGlobBlowUp(t *testing.T) {
	s := strings.Repeat("a", 10_000)
	if newGlob(strings.Repeat("*a", 500) + "*b").match(s) {
		t.Error("matched")
	}
	if newGlob(strings.Repeat("*a?", 500) + "*b*").match(s) {
		t.Error("matched")
	}
}

// slowGlob is the definition of a glob.
func slowGlob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slowGlob(p[1:], s) || len(s) > 0 && slowGlob(p, s[1:])
	case p[0] == '?':
		return len(s) > 0 && slowGlob(p[1:], s[1:])
	case p[0] == '\\' && len(p) > 1:
		p = p[1:]
	}
	return len(s) > 0 && p[0] == s[0] && slowGlob(p[1:], s[1:])
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add(`\**\?`, "*a?")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 12 || len(s) > 30 {
			return
		}
		p, r := []rune(pattern), []rune(s)
		if got, want := newGlob(string(p)).match(string(r)), slowGlob(p, r); got != want {
			t.Errorf("%q of %q is %t", pattern, s, got)
		}
	})
}
