package liquid

import (
	"math/rand/v2"
	"slices"
	"strings"

	"engage-worker/actions/jsvalue"
)

// arrayFilter finds filters of arrays. What is no array is one of itself.
func arrayFilter(name string) filter {
	switch name {
	case "join":
		return join
	case "first", "last":
		return func(_ *state, in any, _ []any) (any, error) {
			items, ok := plain(in).([]any)
			switch {
			case !ok:
				return "", nil
			case len(items) == 0:
				return jsvalue.Undefined{}, nil
			case name == "first":
				return property(items[0]), nil
			}
			return property(items[len(items)-1]), nil
		}
	case "reverse":
		return func(_ *state, in any, _ []any) (any, error) { return backwards(list(in)), nil }
	case "sort":
		return sorted(func(a, b any) int {
			switch {
			case compare(opLess, plain(a), plain(b)):
				return -1
			case compare(opGreater, plain(a), plain(b)):
				return 1
			}
			return 0
		}, ".")
	case "sort_natural":
		return sorted(compareNatural, "")
	case "map":
		return func(st *state, in any, args []any) (any, error) {
			keys := strings.Split(text(arg(args, 0)), ".")
			return each(st, in, func(item any) (any, error) { return follow(item, keys), nil })
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
	if v := arg(args, 0); v != (jsvalue.Undefined{}) {
		separator = jsvalue.String(v)
	}
	items := list(in)
	if err := st.spend(float64(len(items)) * float64(len(separator))); err != nil {
		return nil, err
	}
	return jsvalue.Join(items, separator), nil
}

// follow reads a path of keys from a value.
func follow(v any, keys []string) any {
	for _, key := range keys {
		v = readProperty(property(v), key)
	}
	return v
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

// sorted sorts by the items or by a property of them, split at separator into
// a path unless that is empty. Equals keep their order.
func sorted(compare func(a, b any) int, separator string) filter {
	return func(st *state, in any, args []any) (any, error) {
		var keys []string
		if v := arg(args, 0); jsTruthy(v) {
			keys = []string{text(v)}
			if separator != "" {
				keys = strings.Split(text(v), separator)
			}
		}
		type pair struct{ item, by any }
		var pairs []pair
		for _, item := range list(in) {
			pairs = append(pairs, pair{item, follow(property(item), keys)})
			if err := st.spend(16); err != nil {
				return nil, err
			}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return compare(a.by, b.by) })
		items := make([]any, len(pairs))
		for i, p := range pairs {
			items[i] = p.item
		}
		return items, nil
	}
}

// compareNatural compares texts whatever their case; nil comes last.
func compareNatural(a, b any) int {
	switch nilA, nilB := jsvalue.Nullish(a), jsvalue.Nullish(b); {
	case nilA && nilB:
		return 0
	case nilA:
		return 1
	case nilB:
		return -1
	}
	return strings.Compare(jsvalue.ToLower(stringOf(a)), jsvalue.ToLower(stringOf(b)))
}

func sum(st *state, in any, args []any) (any, error) {
	var keys []string
	if v := arg(args, 0); jsTruthy(v) {
		keys = strings.Split(text(v), ".")
	}
	total := 0.0
	for _, item := range list(in) {
		if n := number(follow(property(item), keys)); n == n {
			total += n
		}
	}
	return total, nil
}

func sliceFilter(_ *state, in any, args []any) (any, error) {
	v := plain(in)
	if jsvalue.Nullish(v) {
		return []any{}, nil
	}
	items, isArray := v.([]any)
	s := ""
	length := float64(len(items))
	if !isArray {
		s = text(v)
		length = float64(jsvalue.StringLen(s))
	}
	begin := numberArg(args, 0, 0)
	if _, undefined := arg(args, 0).(jsvalue.Undefined); undefined {
		return slice(items, 0.0, 0.0), nil
	}
	if begin < 0 {
		begin += length
	}
	end := begin + numberArg(args, 1, 1)
	if isArray {
		return slice(items, begin, end), nil
	}
	return jsvalue.Substring(s, int(relative(begin, length, 0)), int(relative(end, length, length))), nil
}

// uniq keeps the first of the items that are the same as text.
func uniq(_ *state, in any, _ []any) (any, error) {
	seen := make(map[string]bool)
	items := []any{}
	for _, item := range list(in) {
		if key := stringOf(item); !seen[key] {
			seen[key] = true
			items = append(items, item)
		}
	}
	return items, nil
}

// sample picks items, or characters of a text, at random.
func sample(_ *state, in any, args []any) (any, error) {
	v := plain(in)
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
	if n := numberArg(args, 0, 1); n != 1 {
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
