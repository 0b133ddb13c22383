package mapping

import (
	"strconv"
	"strings"

	"engage-worker/actions/jsvalue"
)

// path is a parsed path: the keys from the event to a value. None is the
// event itself.
type path []string

// parsePath splits as the hosted kit does: at dots, at "[" before a quote or a
// digit, and at "]" after one; quotes are dropped wherever they are. So dots
// inside of brackets split too, and a[b] without quotes is one key.
func parsePath(s string) path {
	if s == "" || s == "." {
		return nil
	}
	keys := path{}
	start := 0
	cut := func(end, next int) {
		if end > start {
			keys = append(keys, strings.ReplaceAll(strings.ReplaceAll(s[start:end], "'", ""), `"`, ""))
		}
		start = next
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '.':
			cut(i, i+1)
		case s[i] == '[' && i+1 < len(s) && quoteOrDigit(s[i+1]):
			cut(i, i+1)
		case s[i] == ']' && i > 0 && quoteOrDigit(s[i-1]):
			end := i
			for i+1 < len(s) && s[i+1] == ']' {
				i++
			}
			cut(end, i+1)
		}
	}
	cut(len(s), len(s))
	return keys
}

func quoteOrDigit(c byte) bool { return c == '"' || c == '\'' || (c >= '0' && c <= '9') }

// withoutRoot drops the "$." of a path that starts at the event.
func withoutRoot(s string) string { return strings.Replace(s, "$.", "", 1) }

// get follows the path from v. As in the hosted kit, what is falsy on the way
// ends it: the path a.b in {"a": ""} leads to "".
func (p path) get(v any) any {
	for _, key := range p {
		if !truthy(v) {
			return v
		}
		v = property(v, key)
	}
	return jsvalue.Of(v)
}

// text is the member whose value get returns if that is a string in an object,
// as it is for most fields, or else nil. It takes no memory.
func (p path) text(v any) *jsvalue.Member {
	if len(p) == 0 {
		return nil
	}
	last := len(p) - 1
	o, ok := p[:last].get(v).(*jsvalue.Object)
	if !ok {
		return nil
	}
	m := o.Member(p[last])
	if m == nil {
		return nil
	}
	if _, ok := m.Text(); !ok {
		return nil
	}
	return m
}

// property reads v[key] as JavaScript does.
func property(v any, key string) any {
	switch v := v.(type) {
	case *jsvalue.Object, map[string]any:
		if value, ok := jsvalue.Get(v, key); ok {
			return value
		}
	case []any:
		if key == "length" {
			return float64(len(v))
		}
		if i, ok := index(key); ok && i < len(v) {
			return v[i]
		}
	case string:
		if key == "length" {
			return float64(jsvalue.StringLen(v))
		}
		if i, ok := index(key); ok && i < jsvalue.StringLen(v) {
			return jsvalue.Substring(v, i, i+1)
		}
	}
	return jsvalue.Undefined{}
}

// index reads a canonical array index.
func index(key string) (int, bool) {
	i, err := strconv.Atoi(key)
	return i, err == nil && i >= 0 && strconv.Itoa(i) == key
}

// truthy is JavaScript's idea of true.
func truthy(v any) bool {
	switch v := jsvalue.Of(v).(type) {
	case nil, jsvalue.Undefined:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && v == v
	case string:
		return v != ""
	default:
		return true
	}
}
