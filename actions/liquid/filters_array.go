package liquid

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
)

// arrayFilter finds filters of arrays. What is no array is one of itself.
func arrayFilter(name string) filter {
	switch name {
	case "join":
		return join
	case "first", "last":
		return func(_ *state, in any, _ []any) (any, error) {
			switch v := plain(in).(type) {
			case []any:
				return readItem(v, name), nil
			case string:
				if name == "first" {
					return jsvalue.Substring(v, 0, 1), nil
				}
				return jsvalue.Substring(v, jsvalue.StringLen(v)-1, jsvalue.StringLen(v)), nil
			}
			return "", nil
		}
	case "reverse":
		return func(_ *state, in any, _ []any) (any, error) { return backwards(list(in)), nil }
	case "sort":
		return sorted(func(v any) any { return v }, func(a, b any) int {
			switch {
			case compare(opLess, a, b):
				return -1
			case compare(opGreater, a, b):
				return 1
			}
			return 0
		})
	case "sort_natural":
		return sorted(func(v any) any { return jsvalue.ToLower(stringOf(v)) }, func(a, b any) int {
			return strings.Compare(a.(string), b.(string))
		})
	case "map":
		return func(st *state, in any, args []any) (any, error) {
			keys := strings.Split(text(arg(args, 0)), ".")
			return each(st, in, func(item any) (any, error) { return st.follow(item, keys) })
		}
	case "sum":
		return sum
	case "compact":
		return func(_ *state, in any, _ []any) (any, error) {
			return slices.DeleteFunc(slices.Clone(list(in)), func(v any) bool { return jsvalue.Nullish(plain(v)) }), nil
		}
	case "concat":
		return func(st *state, in any, args []any) (any, error) {
			more := list(arg(args, 0))
			return slices.Concat(list(in), more), st.spend(float64(len(more)))
		}
	case "push":
		return func(_ *state, in any, args []any) (any, error) {
			return append(slices.Clip(list(in)), arg(args, 0)), nil
		}
	case "unshift":
		return func(_ *state, in any, args []any) (any, error) {
			return slices.Concat([]any{arg(args, 0)}, list(in)), nil
		}
	case "pop":
		return func(_ *state, in any, _ []any) (any, error) {
			items := list(in)
			return items[:max(0, len(items)-1)], nil
		}
	case "shift":
		return func(_ *state, in any, _ []any) (any, error) {
			items := list(in)
			return items[min(1, len(items)):], nil
		}
	case "slice":
		return sliceFilter
	case "uniq":
		return uniq
	case "sample":
		return sample
	case "array_to_sentence_string":
		return sentence
	}
	return nil
}

func join(st *state, in any, args []any) (any, error) {
	separator := " "
	if v := arg(args, 0); !jsvalue.Nullish(v) {
		separator = text(v)
	}
	items := list(in)
	if err := st.spend(float64(len(items)) * float64(len(separator))); err != nil {
		return nil, err
	}
	return st.mend(jsvalue.Join(items, separator)), nil
}

// follow reads a path of keys from a value.
func (st *state) follow(v any, keys []string) (any, error) {
	for _, key := range keys {
		var err error
		if v, err = st.read(property(v), key); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// each makes an array of what f makes of the items.
func each(st *state, in any, f func(item any) (any, error)) ([]any, error) {
	items := list(in)
	made := make([]any, len(items))
	for i, item := range items {
		var err error
		if made[i], err = f(property(item)); err != nil {
			return nil, err
		}
	}
	return made, st.spend(float64(len(items)))
}

// sorted sorts by the items or by what a path leads to in them. Equals keep
// their order; nil comes last.
// What they are compared by is made of each once.
func sorted(by func(any) any, compare func(a, b any) int) filter {
	return func(st *state, in any, args []any) (any, error) {
		var keys []string
		if v := arg(args, 0); jsTruthy(v) {
			keys = strings.Split(text(v), ".")
		}
		type pair struct{ item, by any }
		var pairs []pair
		before := st.budget.left
		for _, item := range list(in) {
			v, err := st.follow(property(item), keys)
			if err == nil {
				err = st.spend(16)
			}
			if err == nil {
				err = st.weigh(v)
			}
			if err != nil {
				return nil, err
			}
			if v = plain(v); !jsvalue.Nullish(v) {
				v = by(v)
			}
			pairs = append(pairs, pair{item, v})
		}
		// Each is looked at as often as its number has binary digits.
		if err := st.spend((before - st.budget.left) * math.Log2(float64(1+len(pairs)))); err != nil {
			return nil, err
		}
		slices.SortStableFunc(pairs, func(a, b pair) int {
			switch nilA, nilB := jsvalue.Nullish(a.by), jsvalue.Nullish(b.by); {
			case nilA && nilB:
				return 0
			case nilA:
				return 1
			case nilB:
				return -1
			}
			return compare(a.by, b.by)
		})
		items := make([]any, len(pairs))
		for i, p := range pairs {
			items[i] = p.item
		}
		return items, nil
	}
}

func sum(st *state, in any, args []any) (any, error) {
	var keys []string
	if v := arg(args, 0); jsTruthy(v) {
		keys = strings.Split(text(v), ".")
	}
	total := 0.0
	for _, item := range list(in) {
		v, err := st.follow(property(item), keys)
		if err != nil {
			return nil, err
		}
		if n := number(v); n == n {
			total += n
		}
	}
	return total, nil
}

// sliceFilter is a part of an array or, in characters, of a text. A start
// below zero counts from the end.
func sliceFilter(_ *state, in any, args []any) (any, error) {
	v := plain(in)
	if jsvalue.Nullish(v) {
		return []any{}, nil
	}
	items, isArray := v.([]any)
	s := text(v)
	size := float64(len(items))
	if !isArray {
		size = float64(utf8.RuneCountInString(s))
	}
	begin, length := defaultedArg(args, 0, math.NaN()), defaultedArg(args, 1, 1)
	if begin < 0 {
		begin += size
	}
	switch none := begin < 0 || length < 0; {
	case isArray && none:
		return []any{}, nil
	case isArray:
		return slice(items, begin, begin+length), nil
	case none:
		return "", nil
	}
	start := runes(s, begin)
	return s[start : start+runes(s[start:], length)], nil
}

// runes is where in s the character number n starts, counted from 0.
func runes(s string, n float64) int {
	at := 0
	for i := 0.0; i < n && at < len(s); i++ {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// uniq keeps the first of the items that are the same. Arrays and objects are
// the same as themselves only.
func uniq(st *state, in any, _ []any) (any, error) {
	if err := st.spend(8 * float64(len(list(in)))); err != nil {
		return nil, err
	}
	seen := make(map[any]bool)
	items := []any{}
	for _, item := range list(in) {
		key := plain(property(item))
		switch key.(type) {
		case nil, bool, float64, string, jsvalue.Undefined, *jsvalue.Object:
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		items = append(items, item)
	}
	return items, nil
}

// sample picks items, or characters of a text, at random.
func sample(st *state, in any, args []any) (any, error) {
	v := plain(in)
	if s, ok := v.(string); ok {
		if err := st.spend(16 * float64(len(s))); err != nil {
			return nil, err
		}
	}
	if jsvalue.Nullish(v) {
		return []any{}, nil
	}
	items, isArray := v.([]any)
	if !isArray {
		for _, r := range text(v) {
			items = append(items, string(r))
		}
	}
	items = slices.Clone(items)
	rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	if n := defaultedArg(args, 0, 1); n != 1 {
		return slice(items, 0.0, n), nil
	}
	if len(items) == 0 {
		return jsvalue.Undefined{}, nil
	}
	return property(items[0]), nil
}

func sentence(_ *state, in any, args []any) (any, error) {
	connector := "and"
	if v := arg(args, 0); v != (jsvalue.Undefined{}) {
		connector = text(v)
	}
	items := list(in)
	switch len(items) {
	case 0:
		return "", nil
	case 1:
		return property(items[0]), nil
	case 2:
		return stringOf(items[0]) + " " + connector + " " + stringOf(items[1]), nil
	}
	last := len(items) - 1
	return jsvalue.Join(items[:last], ", ") + ", " + connector + " " + stringOf(items[last]), nil
}
