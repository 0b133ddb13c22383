package trigger

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// call compiles a call of one of FQL's functions. What is missing is null,
// which contains nothing, matches nothing and has the length 0.
func (c compiler) call(x *operand) (operandCode, error) {
	name := x.Call.Name
	arity := map[string]int{"contains": 2, "match": 2, "lowercase": 1, "length": 1, "typeof": 1}[name]
	if arity == 0 {
		return operandCode{}, c.fault(x.Pos.Offset, "no function %s: there are contains, match, lowercase, length and typeof", name)
	}
	if got := len(x.Call.Args); got != arity {
		return operandCode{}, c.fault(x.Pos.Offset, "%s takes %d arguments, not %d", name, arity, got)
	}
	var (
		args [2]operandCode
		seen []path
		err  error
	)
	for i, arg := range x.Call.Args {
		if args[i], err = c.operand(arg); err != nil {
			return operandCode{}, err
		}
		seen = append(seen, args[i].seen...)
	}
	get := args[0].get
	switch name {
	case "contains":
		sub := args[1].asText().get
		return testCode(seen, func(e Event) bool {
			v, w := get(e), sub(e)
			return v.kind == kindString && w.kind == kindString && strings.Contains(v.str, w.str)
		}), nil
	case "match":
		pattern := args[1].asText().literal
		if pattern == nil || pattern.kind != kindString {
			return operandCode{}, c.fault(x.Call.Args[1].Pos.Offset, "match's pattern must be a string")
		}
		glob, err := newGlob(pattern.str)
		if err != nil {
			return operandCode{}, c.fault(x.Call.Args[1].Pos.Offset, "match's pattern: %v", err)
		}
		return testCode(seen, func(e Event) bool {
			v := get(e)
			return v.kind == kindString && glob.match(v.str)
		}), nil
	case "lowercase":
		return operandCode{kind: kindString, seen: seen, lowercased: get, get: func(e Event) value {
			if v := get(e); v.kind == kindString {
				return stringValue(strings.ToLower(v.str))
			}
			return value{}
		}}, nil
	case "length":
		return operandCode{kind: kindNumber, seen: seen, get: func(e Event) value { return length(get(e)) }}, nil
	default:
		return operandCode{kind: kindString, seen: seen, get: func(e Event) value { return stringValue(get(e).kind.String()) }}, nil
	}
}

// testCode is an operand that answers yes or no.
func testCode(seen []path, test condition) operandCode {
	return operandCode{kind: kindBool, seen: seen, test: test, get: func(e Event) value { return boolValue(test(e)) }}
}

// asText is o as the second argument of contains and match: the hosted
// destination reads a literal there as a string.
func (o operandCode) asText() operandCode {
	if o.literal == nil {
		return o
	}
	switch o.kind {
	case kindNumber:
		return literalCode(stringValue(strconv.FormatFloat(o.literal.num, 'f', -1, 64)))
	case kindBool:
		return literalCode(stringValue(strconv.FormatBool(o.literal.bool)))
	}
	return o
}

// lowercaseEquals reports whether strings.ToLower(s) == want, without making
// the string.
func lowercaseEquals(s, want string) bool {
	for _, r := range s {
		w, size := utf8.DecodeRuneInString(want)
		if size == 0 || unicode.ToLower(r) != w {
			return false
		}
		want = want[size:]
	}
	return want == ""
}
