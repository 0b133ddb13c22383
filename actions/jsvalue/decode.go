package jsvalue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// Decode is JavaScript's JSON.parse: objects become *Object in the order of
// the text, the last of doubled keys counts. The result's strings may share
// s's memory. An error holds no part of the text.
func Decode(s string) (any, error) {
	if deeper(s, MaxDepth) {
		return nil, fmt.Errorf("JSON nested more than %d deep", MaxDepth)
	}
	if !gjson.Valid(s) {
		return nil, errors.New("not a valid JSON value")
	}
	return decoded(gjson.Parse(s)), nil
}

func decoded(r gjson.Result) any {
	switch r.Type {
	case gjson.True:
		return true
	case gjson.False:
		return false
	case gjson.Number:
		return r.Num
	case gjson.String:
		return r.Str
	case gjson.JSON:
		if strings.HasPrefix(r.Raw, "[") {
			items := []any{}
			r.ForEach(func(_, item gjson.Result) bool {
				items = append(items, decoded(item))
				return true
			})
			return items
		}
		o := NewObject(8)
		r.ForEach(func(key, value gjson.Result) bool {
			o.Set(key.Str, decoded(value))
			return true
		})
		return o
	}
	return nil
}

// deeper tells whether brackets nest more than limit deep, before a decoder
// that recurses sees them.
func deeper(s string, limit int) bool {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}
