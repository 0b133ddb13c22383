// Package jsvalue holds JSON values the way JavaScript does: objects keep the
// order of their keys, numbers are doubles and print as JavaScript prints
// them, "undefined" is something other than null.
//
// The hosted destination is written in JavaScript, and what it sends depends
// on those rules: the order of a webhook's parameters, 1234.5 printed without
// a trailing zero, what an object looks like inside a string. The packages
// that reproduce it share them here.
//
// A value is one of nil, Undefined, bool, float64, string, []any, *Object, or
// map[string]any, which counts as an object whose keys come in sorted order.
// Of converts Go's other numbers.
package jsvalue

// Undefined is JavaScript's undefined: what a missing property reads as.
// JSON has no such value: Decode never returns it, Encode leaves it out.
type Undefined struct{}

// Of returns v with Go's other number types turned into float64; everything
// else is returned as it is, not looked into.
func Of(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	case uint64:
		return float64(v)
	case uint:
		return float64(v)
	case float32:
		return float64(v)
	default:
		return v
	}
}

// Nullish reports whether v is nil or Undefined.
func Nullish(v any) bool {
	if v == nil {
		return true
	}
	_, undefined := v.(Undefined)
	return undefined
}

// IsObject reports whether v is an object; an array is none.
func IsObject(v any) bool {
	switch v.(type) {
	case *Object, map[string]any:
		return true
	}
	return false
}
