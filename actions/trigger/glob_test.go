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
		{`\[ab]*`, "[ab]c", true}, {"[ab]*", "ac", true}, {"[ab]*", "cc", false},
		{"ab[cC]d", "abCd", true}, {"ab[a-z]d", "abcd", true}, {"ab[A-Z]d", "abcd", false}, {"[a-cx]", "x", true}, {"[a-cx]", "d", false},
		{"*[0-9]", "v12", true}, {"*[0-9]*", "v", false}, {"*[é-ö]x*", "aöxb", true}, {`[\]\-]`, "-", true}, {`[\]a]`, "]", true}, {"[a-]", "-", true},
		{"[-a]", "-", true}, {"[-a]", "b", false}, {"[a^]", "^", true}, {"]", "]", true}, {"Z*ich", "Zürich", true}, {"*\U0001F600", "x\U0001F600", true},
	} {
		g, err := newGlob(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.match(c.s); got != c.want {
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
	for _, pattern := range []string{strings.Repeat("*a", 500) + "*b", strings.Repeat("*a?", 500) + "*b*", strings.Repeat("*[ab]a", 500) + "*b*"} {
		if g, err := newGlob(pattern); err != nil || g.match(s) {
			t.Errorf("matched, or %v", err)
		}
	}
}

// slowGlob is the definition of a glob.
func slowGlob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slowGlob(p[1:], s) || len(s) > 0 && slowGlob(p, s[1:])
	case p[0] == '[':
		in, size := slowClass(p, s)
		return in && slowGlob(p[size:], s[1:])
	case p[0] == '?':
		return len(s) > 0 && slowGlob(p[1:], s[1:])
	case p[0] == '\\' && len(p) > 1:
		p = p[1:]
	}
	return len(s) > 0 && p[0] == s[0] && slowGlob(p[1:], s[1:])
}

// slowClass reports whether a class has the first character of s, and its
// length.
func slowClass(p, s []rune) (in bool, size int) {
	read := func() rune {
		if p[size] == '\\' && size+1 < len(p) {
			size++
		}
		size++
		return p[size-1]
	}
	for size = 1; p[size] != ']'; {
		low := read()
		high := low
		if p[size] == '-' && p[size+1] != ']' {
			size++
			high = read()
		}
		in = in || len(s) > 0 && low <= s[0] && s[0] <= high
	}
	return in, size + 1
}

func TestGlobRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		"[abc":  `the class isn't closed with ]; an ordinary bracket is written \[`,
		"[":     `the class isn't closed with ]; an ordinary bracket is written \[`,
		"[a-":   `the class isn't closed with ]; an ordinary bracket is written \[`,
		`[a\]`:  `the class isn't closed with ]; an ordinary bracket is written \[`,
		"a[]]":  `the class [] is empty; an ordinary bracket is written \[`,
		"[^a]":  `a class can't be negated: ^ behind [ is written \^`,
		"[!a]":  `a class can't be negated: ! behind [ is written \!`,
		"[z-a]": "the range z-a is empty",
	} {
		if _, err := newGlob(pattern); err == nil || err.Error() != want {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add(`\**\?`, "*a?")
	f.Add(`*[a-c\]]x`, "a]bx")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 12 || len(s) > 30 {
			return
		}
		p, r := []rune(pattern), []rune(s)
		g, err := newGlob(string(p))
		if err != nil {
			return
		}
		if got, want := g.match(string(r)), slowGlob(p, r); got != want {
			t.Errorf("%q of %q is %t", pattern, s, got)
		}
	})
}
