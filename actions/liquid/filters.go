package liquid

import (
	"errors"

	"engage-worker/actions/jsvalue"
)

// filter makes a value of a value and arguments. Those by name are of type
// named. A filter that makes much more than it is given spends for that.
type filter func(st *state, in any, args []any) (any, error)

// filterNamed finds a filter. The names are those of LiquidJS.
func filterNamed(name string) (filter, bool) {
	f := mathFilter(name)
	for _, find := range [...]func(string) filter{textFilter, webFilter, arrayFilter, searchFilter, dateFilter, valueFilter} {
		if f == nil {
			f = find(name)
		}
	}
	return f, f != nil
}

// filterCost is what a filter costs, as a multiple of what it is given, beyond
// reading that.
func filterCost(name string) float64 {
	switch name {
	case "slugify":
		return 12
	case "upcase", "downcase", "capitalize", "normalize_whitespace", "squish", "truncatewords", "number_of_words",
		"url_encode", "cgi_escape", "uri_escape", "hmac_sha256", "sha256", "strip", "lstrip", "rstrip", "round":
		return 4
	default:
		return 0
	}
}

// directiveFilter finds a filter that @liquid may use.
func directiveFilter(name string) (filter, bool) {
	switch name {
	case "array_to_sentence_string", "concat", "find", "find_exp", "find_index", "find_index_exp", "group_by",
		"group_by_exp", "has", "has_exp", "map", "newline_to_br", "reject", "reject_exp", "reverse", "sort",
		"sort_natural", "uniq", "where_exp":
		return nil, false
	}
	return filterNamed(name)
}

// disabledInDirective are the tags that @liquid may not use.
func disabledInDirective(tag string) bool {
	switch tag {
	case "case", "for", "tablerow":
		return true
	}
	return false
}

// arg is the i-th argument, or undefined.
func arg(args []any, i int) any {
	if i < len(args) {
		return plain(args[i])
	}
	return jsvalue.Undefined{}
}

// textArg is the i-th argument as it prints.
func textArg(args []any, i int) string { return text(arg(args, i)) }

// numberArg is the i-th argument as a number, 0 when it is none and missing
// when it isn't there.
func numberArg(args []any, i int, missing float64) float64 {
	if i >= len(args) {
		return missing
	}
	return orZero(args[i])
}

// defaultedArg is the i-th argument as a number, NaN when it is none, and
// missing when it is undefined.
func defaultedArg(args []any, i int, missing float64) float64 {
	v := arg(args, i)
	if _, undefined := v.(jsvalue.Undefined); undefined {
		return missing
	}
	return jsvalue.Number(v)
}

// namedArg is the argument of a name, or undefined.
func namedArg(args []any, name string) any {
	for _, a := range args {
		if n, ok := a.(named); ok && n.name == name {
			return plain(n.value)
		}
	}
	return jsvalue.Undefined{}
}

// simple makes a filter of a function of text.
func simple(f func(string) string) filter {
	return func(_ *state, in any, _ []any) (any, error) { return f(text(in)), nil }
}

// jsTruthy is JavaScript's idea of true.
func jsTruthy(v any) bool {
	switch v := plain(v).(type) {
	case nil, jsvalue.Undefined:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && v == v
	case string:
		return v != ""
	}
	return true
}

// valueFilter finds filters of values of any kind.
func valueFilter(name string) filter {
	switch name {
	case "default":
		return func(_ *state, in any, args []any) (any, error) {
			v, missing := plain(in), false
			switch v := v.(type) {
			case string:
				missing = v == ""
			case []any:
				missing = len(v) == 0
			case bool:
				missing = !v && !jsTruthy(namedArg(args, "allow_false"))
				if !v && len(args) > 1 {
					if _, ok := args[1].(named); !ok {
						return nil, errors.New("takes one value, and allow_false")
					}
				}
			case nil, jsvalue.Undefined:
				missing = true
			}
			if missing {
				v = arg(args, 0)
			}
			return v, nil
		}
	case "json", "jsonify", "inspect":
		return func(st *state, in any, args []any) (any, error) {
			v := plain(in)
			if _, undefined := v.(jsvalue.Undefined); undefined {
				return v, nil
			}
			// Indenting makes much of little.
			s, ok := jsvalue.EncodeIndentWithin(v, indentation(arg(args, 0)), int(st.budget.left))
			if !ok {
				return nil, errTooMuch
			}
			return s, nil
		}
	case "raw":
		return func(_ *state, in any, _ []any) (any, error) { return in, nil }
	case "to_integer":
		return func(_ *state, in any, _ []any) (any, error) { return number(in), nil }
	case "size":
		return func(_ *state, in any, _ []any) (any, error) {
			switch v := in.(type) {
			case string:
				return float64(jsvalue.StringLen(v)), nil
			case []any:
				return float64(len(v)), nil
			}
			if v, _ := jsvalue.Get(in, "length"); jsTruthy(jsvalue.Of(v)) {
				return jsvalue.Of(v), nil
			}
			return 0.0, nil
		}
	}
	return nil
}

// indentation is JSON.stringify's third argument: a number of spaces or a
// text, of at most ten characters.
func indentation(v any) string {
	switch v := v.(type) {
	case float64:
		return "          "[:int(max(0, min(10, v)))]
	case string:
		return jsvalue.Substring(v, 0, 10)
	}
	return ""
}
