package liquid

import (
	"reflect"
	"strconv"
	"strings"

	"engage-worker/actions/jsvalue"
)

// The words nil, empty and blank are values of their own: they equal what is
// nil, empty or blank, and count as null or "" everywhere else.
type (
	nilDrop   struct{}
	emptyDrop struct{}
	blankDrop struct{}
)

// isDrop tells whether v is one of them.
func isDrop(v any) bool {
	switch v.(type) {
	case nilDrop, emptyDrop, blankDrop:
		return true
	}
	return false
}

// plain is v as a JSON value.
func plain(v any) any {
	switch v := v.(type) {
	case nilDrop:
		return nil
	case emptyDrop, blankDrop:
		return ""
	case *forloop:
		return v.String()
	case named:
		return []any{v.name, v.value}
	}
	return v
}

// truthy: only nil and false are not true.
func truthy(v any) bool {
	if _, ok := v.(*forloop); ok {
		return true
	}
	switch v := plain(v).(type) {
	case nil, jsvalue.Undefined:
		return false
	case bool:
		return v
	}
	return true
}

// text is v as it prints: nothing for nil, arrays without separators.
func text(v any) string {
	switch v := plain(v).(type) {
	case string:
		return v
	case nil, jsvalue.Undefined:
		return ""
	case []any:
		var b strings.Builder
		appendText(&b, v, 0)
		return b.String()
	default:
		return jsvalue.String(v)
	}
}

func appendText(b *strings.Builder, v any, depth int) {
	items, ok := plain(v).([]any)
	if !ok {
		b.WriteString(text(v))
		return
	}
	if depth > jsvalue.MaxDepth {
		return
	}
	for _, item := range items {
		appendText(b, item, depth+1)
	}
}

// stringOf is JavaScript's String(v).
func stringOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return jsvalue.String(plain(v))
}

// number is JavaScript's Number(v).
func number(v any) float64 { return jsvalue.Number(plain(v)) }

// list is v as an array: nothing for nil, itself alone for what is none.
func list(v any) []any {
	switch v := plain(v).(type) {
	case nil, jsvalue.Undefined:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// enumerable is what a loop goes through: an array's items, an object's pairs
// of key and value, a string as a whole.
func enumerable(st *state, v any) ([]any, error) {
	if err := st.spend(1 + 8*float64(jsvalue.Len(v))); err != nil {
		return nil, err
	}
	switch v := plain(v).(type) {
	case []any:
		return v, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return []any{v}, nil
	default:
		var pairs []any
		for key, value := range jsvalue.All(v) {
			pairs = append(pairs, []any{key, value})
		}
		return pairs, nil
	}
}

// equal is LiquidJS's ==: strict, arrays item by item, objects by identity.
func equal(st *state, l, r any) (bool, error) {
	return equalAt(st, l, r, 0)
}

func equalAt(st *state, l, r any, depth int) (bool, error) {
	if err := st.spend(1); err != nil {
		return false, err
	}
	if isDrop(l) {
		return dropEquals(l, r), st.weighDrop(r)
	}
	if isDrop(r) {
		return dropEquals(r, l), st.weighDrop(l)
	}
	for _, v := range [...]any{l, r} {
		if _, ok := v.(*forloop); ok {
			if err := st.spend(64); err != nil {
				return false, err
			}
		}
	}
	l, r = plain(l), plain(r)
	switch a := l.(type) {
	case []any:
		b, ok := r.([]any)
		if !ok || len(a) != len(b) || depth > jsvalue.MaxDepth {
			return false, nil
		}
		if err := st.spend(float64(len(a))); err != nil {
			return false, err
		}
		for i := range a {
			same, err := equalAt(st, a[i], b[i], depth+1)
			if !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case string:
		b, ok := r.(string)
		if ok && len(a) == len(b) {
			if err := st.spend(1 + float64(len(a))/64); err != nil {
				return false, err
			}
		}
		return ok && a == b, nil
	case map[string]any:
		b, ok := r.(map[string]any)
		return ok && reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer(), nil
	}
	if _, ok := r.([]any); ok {
		return false, nil
	}
	if _, ok := r.(map[string]any); ok {
		return false, nil
	}
	return jsvalue.Of(l) == jsvalue.Of(r), nil
}

// weighDrop pays for comparing v with one of them: a text may be read whole.
func (st *state) weighDrop(v any) error {
	if s, ok := v.(string); ok {
		return st.spend(float64(len(s)))
	}
	return nil
}

func dropEquals(drop, v any) bool {
	switch drop.(type) {
	case nilDrop:
		return jsvalue.Nullish(plain(v))
	case blankDrop:
		if s, ok := v.(string); ok {
			return jsvalue.Trim(s) == ""
		}
		if yes, ok := v.(bool); ok && !yes || jsvalue.Nullish(plain(v)) {
			return true
		}
	}
	switch v := v.(type) {
	case emptyDrop, blankDrop:
		return false
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case nilDrop, *forloop:
		return false
	default:
		return jsvalue.IsObject(v) && jsvalue.Len(v) == 0
	}
}

// read is readProperty, paid for: of a text, characters are counted.
func (st *state) read(v any, key string) (any, error) {
	cost := 2 + float64(len(key))/8
	if s, ok := v.(string); ok {
		cost += float64(len(s)) / 4
	}
	if err := st.spend(cost); err != nil {
		return nil, err
	}
	return readProperty(v, key), nil
}

// readProperty reads v.key: an own property, or size, first and last.
func readProperty(v any, key string) any {
	switch v := v.(type) {
	case nil, jsvalue.Undefined:
		return v
	case nilDrop, emptyDrop, blankDrop:
		return jsvalue.Undefined{}
	case *forloop:
		return v.property(key)
	case []any:
		return readItem(v, key)
	case string:
		switch key {
		case "size", "length":
			return float64(jsvalue.StringLen(v))
		}
		if i, ok := index(key); ok && i < jsvalue.StringLen(v) {
			return jsvalue.Substring(v, i, i+1)
		}
		return jsvalue.Undefined{}
	}
	if value, ok := jsvalue.Get(v, key); ok {
		return jsvalue.Of(value)
	}
	if key == "size" && jsvalue.IsObject(v) {
		return float64(jsvalue.Len(v))
	}
	return jsvalue.Undefined{}
}

func readItem(items []any, key string) any {
	at := func(i int) any {
		if i < 0 || i >= len(items) {
			return jsvalue.Undefined{}
		}
		return jsvalue.Of(items[i])
	}
	switch key {
	case "size", "length":
		return float64(len(items))
	case "first":
		return at(0)
	case "last":
		return at(len(items) - 1)
	}
	if i, ok := index(key); ok {
		return at(i)
	}
	if n := jsvalue.Number(key); n < 0 && n == float64(int(n)) {
		return at(len(items) + int(n))
	}
	return jsvalue.Undefined{}
}

// index reads a canonical array index.
func index(key string) (int, bool) {
	i, err := strconv.Atoi(key)
	return i, err == nil && i >= 0 && strconv.Itoa(i) == key
}
