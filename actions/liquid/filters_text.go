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
		return simple(func(s string) string { return strings.NewReplacer("\r\n", "", "\n", "").Replace(s) })
	case "normalize_whitespace":
		return simple(func(s string) string { return strings.Join(splitSpace(s), " ") })
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
		return replaceFirst
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
		return func(_ *state, in any, _ []any) (any, error) {
			s := jsvalue.Trim(text(in))
			if s == "" {
				return 0.0, nil
			}
			return float64(len(splitSpace(s))), nil
		}
	}
	return nil
}

// stripFilter strips white space, or the characters it is given.
func stripFilter(left, right bool) filter {
	return func(_ *state, in any, args []any) (any, error) {
		s := text(in)
		strip := jsvalue.IsSpace
		if v := arg(args, 0); jsTruthy(v) {
			set := text(v)
			strip = func(r rune) bool { return strings.ContainsRune(set, r) }
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

// replaceAll replaces by taking the text apart at the pattern and joining the
// parts, so that a missing replacement is the comma of JavaScript's join, and
// an empty pattern is between any two characters.
func replaceAll(st *state, in any, args []any) (any, error) {
	s, old := text(in), textArg(args, 0)
	replacement := ","
	if v := arg(args, 1); v != (jsvalue.Undefined{}) {
		replacement = jsvalue.String(v)
	}
	n := 0
	if old == "" {
		n = max(0, jsvalue.StringLen(s)-1)
	} else {
		n = strings.Count(s, old)
	}
	if err := st.spend(float64(n) * float64(len(replacement))); err != nil {
		return nil, err
	}
	if old == "" {
		return strings.Join(units(s), replacement), nil
	}
	return strings.ReplaceAll(s, old, replacement), nil
}

// replaceFirst replaces once. In the replacement "$" has JavaScript's
// meanings.
func replaceFirst(st *state, in any, args []any) (any, error) {
	s, old, replacement := text(in), textArg(args, 0), textArg(args, 1)
	at := strings.Index(s, old)
	if at < 0 {
		return s, nil
	}
	before, after := s[:at], s[at+len(old):]
	longest := float64(max(len(before), len(after), len(old)))
	if err := st.spend(longest * float64(strings.Count(replacement, "$"))); err != nil {
		return nil, err
	}
	return before + expand(replacement, before, old, after) + after, nil
}

// expand fills in a replacement: $$ is a dollar, $& the match, $` what is
// before it, $' what is after it.
func expand(replacement, before, match, after string) string {
	if !strings.Contains(replacement, "$") {
		return replacement
	}
	return strings.NewReplacer("$$", "$", "$&", match, "$`", before, "$'", after).Replace(replacement)
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
	var parts []string
	switch {
	case separator == "":
		parts = units(s)
	default:
		parts = strings.Split(s, separator)
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	items := make([]any, len(parts))
	for i, p := range parts {
		items[i] = p
	}
	return items, st.spend(16 * float64(len(items)))
}

// units are the UTF-16 units of s as texts.
func units(s string) []string {
	parts := make([]string, 0, len(s))
	for _, r := range s {
		if r > 0xFFFF {
			parts = append(parts, string(utf8.RuneError), string(utf8.RuneError))
			continue
		}
		parts = append(parts, string(r))
	}
	return parts
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

// ellipsisArg is what truncated text ends with.
func ellipsisArg(args []any) string {
	if v := arg(args, 1); v != (jsvalue.Undefined{}) {
		return text(v)
	}
	return "..."
}

func truncate(_ *state, in any, args []any) (any, error) {
	s, length, end := text(in), numberArg(args, 0, 50), ellipsisArg(args)
	if float64(jsvalue.StringLen(s)) <= length {
		return s, nil
	}
	keep := length - float64(jsvalue.StringLen(end))
	if !(keep > 0) {
		keep = 0
	}
	return jsvalue.Substring(s, 0, int(min(keep, 1<<30))) + end, nil
}

// truncateWords keeps so many words. The end is added also when there are
// just as many, as in LiquidJS.
func truncateWords(_ *state, in any, args []any) (any, error) {
	words := splitSpace(text(in))
	n := numberArg(args, 0, 15)
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
