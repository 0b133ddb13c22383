package liquid

import (
	"errors"
	"strings"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
)

// textFilter finds filters of text.
func textFilter(name string) filter {
	switch name {
	case "append", "prepend":
		return func(_ *state, in any, args []any) (any, error) {
			if len(args) != 1 {
				return nil, errors.New("needs one argument")
			}
			if name == "append" {
				return text(in) + text(args[0]), nil
			}
			return text(args[0]) + text(in), nil
		}
	case "upcase":
		return simple(jsvalue.ToUpper)
	case "downcase":
		return simple(jsvalue.ToLower)
	case "capitalize":
		return simple(func(s string) string {
			_, size := utf8.DecodeRuneInString(s)
			return jsvalue.ToUpper(s[:size]) + jsvalue.ToLower(s[size:])
		})
	case "strip", "lstrip", "rstrip":
		return stripFilter(name != "rstrip", name != "lstrip")
	case "strip_newlines":
		return simple(func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", ""), "\n", "") })
	case "normalize_whitespace":
		return simple(func(s string) string { return strings.Join(splitSpace(s), " ") })
	case "squish":
		return simple(func(s string) string { return jsvalue.Trim(strings.Join(splitSpace(s), " ")) })
	case "remove":
		return func(_ *state, in any, args []any) (any, error) {
			s, old := text(in), textArg(args, 0)
			if old == "" {
				return s, nil
			}
			return strings.ReplaceAll(s, old, ""), nil
		}
	case "remove_first":
		return func(_ *state, in any, args []any) (any, error) {
			return strings.Replace(text(in), textArg(args, 0), "", 1), nil
		}
	case "remove_last":
		return func(_ *state, in any, args []any) (any, error) {
			return replaceLast(text(in), textArg(args, 0), ""), nil
		}
	case "replace":
		return replaceAll
	case "replace_first":
		return func(_ *state, in any, args []any) (any, error) {
			return strings.Replace(text(in), textArg(args, 0), textArg(args, 1), 1), nil
		}
	case "replace_last":
		return func(_ *state, in any, args []any) (any, error) {
			return replaceLast(text(in), textArg(args, 0), textArg(args, 1)), nil
		}
	case "split":
		return splitFilter
	case "truncate":
		return truncate
	case "truncatewords":
		return truncateWords
	case "number_of_words":
		return numberOfWords
	}
	return nil
}

// stripFilter strips white space, or the characters it is given.
func stripFilter(left, right bool) filter {
	return func(_ *state, in any, args []any) (any, error) {
		s := text(in)
		strip := jsvalue.IsSpace
		if v := arg(args, 0); jsTruthy(v) {
			set := make(map[rune]bool)
			for _, r := range text(v) {
				set[r] = true
			}
			strip = func(r rune) bool { return set[r] }
		}
		if left {
			s = strings.TrimLeftFunc(s, strip)
		}
		if right {
			s = strings.TrimRightFunc(s, strip)
		}
		return s, nil
	}
}

// replaceAll replaces; an empty pattern is between any two characters.
func replaceAll(st *state, in any, args []any) (any, error) {
	s, old, replacement := text(in), textArg(args, 0), textArg(args, 1)
	if err := st.spend(float64(strings.Count(s, old)) * float64(2+len(replacement))); err != nil {
		return nil, err
	}
	return st.mend(strings.Join(st.splitUnits(s, old), replacement)), nil
}

func replaceLast(s, old, replacement string) string {
	at := strings.LastIndex(s, old)
	if at < 0 {
		return s
	}
	return s[:at] + replacement + s[at+len(old):]
}

// splitFilter splits as JavaScript and drops empty texts at the end.
func splitFilter(st *state, in any, args []any) (any, error) {
	s, separator := text(in), textArg(args, 0)
	if err := st.spend(32 * float64(1+strings.Count(s, separator))); err != nil {
		return nil, err
	}
	parts := st.splitUnits(s, separator)
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	items := make([]any, len(parts))
	for i, p := range parts {
		items[i] = p
	}
	return items, nil
}

// splitUnits splits as JavaScript does: without a separator at each UTF-16
// unit, which may be half a character.
func (st *state) splitUnits(s, separator string) []string {
	parts := strings.Split(s, separator)
	if separator != "" || jsvalue.StringLen(s) == len(parts) {
		return parts
	}
	units := make([]string, 0, jsvalue.StringLen(s))
	for _, part := range parts {
		if len(part) == utf8.UTFMax {
			r, _ := utf8.DecodeRuneInString(part)
			first, second := jsvalue.Halves(r)
			units = append(units, first, second)
			st.halves = true
		} else {
			units = append(units, part)
		}
	}
	return units
}

// splitSpace splits at runs of white space; at the ends of s, such a run
// leaves an empty text.
func splitSpace(s string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !jsvalue.IsSpace(r) {
			i += size
			continue
		}
		parts = append(parts, s[start:i])
		for i < len(s) {
			r, size := utf8.DecodeRuneInString(s[i:])
			if !jsvalue.IsSpace(r) {
				break
			}
			i += size
		}
		start = i
	}
	return append(parts, s[start:])
}

// numberOfWords counts words and, asked for "cjk" or when "auto" finds some,
// each character of Chinese, Japanese and Korean as one.
func numberOfWords(_ *state, in any, args []any) (any, error) {
	s := jsvalue.Trim(text(in))
	if s == "" {
		return 0.0, nil
	}
	mode := arg(args, 0)
	if mode == any("cjk") || mode == any("auto") && strings.ContainsFunc(s, isCJK) {
		n, inWord := 0, false
		for _, r := range s {
			switch {
			case isCJK(r):
				n, inWord = n+1, false
			case jsvalue.IsSpace(r):
				inWord = false
			case !inWord:
				n, inWord = n+1, true
			}
		}
		return float64(n), nil
	}
	return float64(len(splitSpace(s))), nil
}

func isCJK(r rune) bool {
	return r >= 0x3040 && r <= 0x30FF || r >= 0x3400 && r <= 0x4DBF || r >= 0x4E00 && r <= 0x9FFF ||
		r >= 0xAC00 && r <= 0xD7AF || r >= 0xF900 && r <= 0xFAFF
}

// ellipsisArg is what truncated text ends with.
func ellipsisArg(args []any) string {
	if v := arg(args, 1); v != (jsvalue.Undefined{}) {
		return text(v)
	}
	return "..."
}

// truncate keeps so many characters, those of the end included.
func truncate(_ *state, in any, args []any) (any, error) {
	s, length, end := text(in), defaultedArg(args, 0, 50), ellipsisArg(args)
	if runes(s, length) >= len(s) {
		return in, nil
	}
	return s[:runes(s, length-float64(utf8.RuneCountInString(end)))] + end, nil
}

// truncateWords keeps so many words. The end is added also when there are
// just as many, as in LiquidJS.
func truncateWords(_ *state, in any, args []any) (any, error) {
	words := splitSpace(strings.TrimLeftFunc(text(in), jsvalue.IsSpace))
	n := defaultedArg(args, 0, 15)
	if n <= 0 {
		n = 1
	}
	if n != n {
		return "", nil
	}
	s := strings.Join(words[:int(min(n, float64(len(words))))], " ")
	if float64(len(words)) >= n {
		s += ellipsisArg(args)
	}
	return s, nil
}
