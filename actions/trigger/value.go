package trigger

import (
	"encoding/json"
	"reflect"
	"strconv"
)

type kind uint8

const (
	kindNull kind = iota // null, or missing
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
)

// String is what typeof says.
func (k kind) String() string {
	return [...]string{"null", "bool", "number", "string", "list", "object"}[k]
}

// value is what an operand comes to. A string may share the event's memory.
type value struct {
	kind kind
	bool bool
	num  float64
	str  string
	raw  []byte // of a list or an object
}

func stringValue(s string) value  { return value{kind: kindString, str: s} }
func numberValue(n float64) value { return value{kind: kindNumber, num: n} }
func boolValue(b bool) value      { return value{kind: kindBool, bool: b} }

// valueOf reads a value that Parse has accepted; nothing is null.
func valueOf(raw []byte) value {
	if len(raw) == 0 {
		return value{}
	}
	switch raw[0] {
	case '"':
		return stringValue(text(raw[1 : len(raw)-1]))
	case '{':
		return value{kind: kindObject, raw: raw}
	case '[':
		return value{kind: kindList, raw: raw}
	case 't', 'f':
		return boolValue(raw[0] == 't')
	case 'n':
		return value{}
	default:
		// Out of range is an infinity, as in JSON.parse.
		n, _ := strconv.ParseFloat(view(raw), 64)
		return numberValue(n)
	}
}

// equal is FQL's "=": the same type and the same value.
func equal(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindBool:
		return a.bool == b.bool
	case kindNumber:
		return a.num == b.num
	case kindString:
		return a.str == b.str
	case kindList, kindObject:
		var x, y any
		return json.Unmarshal(a.raw, &x) == nil && json.Unmarshal(b.raw, &y) == nil && reflect.DeepEqual(x, y)
	default:
		return true
	}
}

// length is FQL's: bytes of a string, elements of a list, and nothing else
// has one.
func length(v value) value {
	switch v.kind {
	case kindNull:
		return numberValue(0)
	case kindString:
		return numberValue(float64(len(v.str)))
	case kindList:
		n := 0
		for range elements(v.raw) {
			n++
		}
		return numberValue(float64(n))
	default:
		return value{}
	}
}

// isIn is FQL's "in": whether list has an element that equals v.
func isIn(v, list value) bool {
	if list.kind == kindList {
		for element := range elements(list.raw) {
			if equal(v, valueOf(element)) {
				return true
			}
		}
	}
	return false
}
