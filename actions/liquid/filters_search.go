package liquid

import (
	"engage-worker/actions/jsvalue"
)

// searchFilter finds filters that look for items by a property or by an
// expression.
func searchFilter(name string) filter {
	byProperty, byExpression := matchProperty, matchExpression
	switch name {
	case "where":
		return selecting(byProperty, true)
	case "where_exp":
		return selecting(matchBoolean(true), true)
	case "reject":
		return selecting(byProperty, false)
	case "reject_exp":
		return selecting(matchBoolean(false), true)
	case "find":
		return finding(byProperty, func(item any, _ int) any { return item }, jsvalue.Undefined{})
	case "find_exp":
		return finding(byExpression, func(item any, _ int) any { return item }, jsvalue.Undefined{})
	case "find_index":
		return finding(byProperty, func(_ any, i int) any { return float64(i) }, jsvalue.Undefined{})
	case "find_index_exp":
		return finding(byExpression, func(_ any, i int) any { return float64(i) }, jsvalue.Undefined{})
	case "has":
		return finding(byProperty, func(any, int) any { return true }, false)
	case "has_exp":
		return finding(byExpression, func(any, int) any { return true }, false)
	case "group_by":
		return grouping(propertyOf)
	case "group_by_exp":
		return grouping(expressionOf)
	}
	return nil
}

// lookup gets of an item what a search is about.
type lookup func(item any) (any, error)

// propertyOf looks up the path that is a search's first argument.
func propertyOf(st *state, args []any) (lookup, error) {
	source := text(arg(args, 0))
	if err := st.spend(compileCost * float64(len(source))); err != nil {
		return nil, err
	}
	r := reader{source: source, end: len(source), vocabulary: &vocabulary{filters: filterNamed}}
	r.blanks()
	keys, err := r.properties(true)
	if err != nil || len(keys) == 0 {
		return func(any) (any, error) { return jsvalue.Undefined{}, nil }, err
	}
	return func(item any) (any, error) {
		if err := st.spend(32); err != nil {
			return nil, err
		}
		inner := state{vars: item, budget: st.budget, now: st.now}
		return newPath(constant{item}, keys, source).eval(&inner)
	}, nil
}

// expressionOf evaluates the expression that is a search's second argument,
// in which the first names the item.
func expressionOf(st *state, args []any) (lookup, error) {
	source := text(arg(args, 1))
	if err := st.spend(compileCost * float64(len(source))); err != nil {
		return nil, err
	}
	r := reader{source: source, end: len(source), vocabulary: &vocabulary{filters: filterNamed}}
	f, err := r.filtered()
	if err != nil {
		return nil, err
	}
	name := text(arg(args, 0))
	return func(item any) (any, error) {
		if err := st.spend(64); err != nil {
			return nil, err
		}
		vars := jsvalue.NewObject(1)
		vars.Set(name, item)
		inner := state{vars: vars, budget: st.budget, now: st.now}
		return f.eval(&inner)
	}, nil
}

// matcher tells whether a search is for an item.
type matcher func(item any) (bool, error)

// matchProperty matches items whose property equals the second argument or,
// without one, is truthy.
func matchProperty(st *state, args []any) (matcher, error) {
	get, err := propertyOf(st, args)
	if err != nil {
		return nil, err
	}
	return func(item any) (bool, error) {
		v, err := get(item)
		if err != nil {
			return false, err
		}
		if len(args) < 2 || args[1] == any(jsvalue.Undefined{}) {
			return truthy(v), nil
		}
		return equal(st, v, args[1])
	}, nil
}

func matchExpression(st *state, args []any) (matcher, error) {
	get, err := expressionOf(st, args)
	if err != nil {
		return nil, err
	}
	return func(item any) (bool, error) {
		v, err := get(item)
		return jsTruthy(v), err
	}, nil
}

// matchBoolean matches items of which the expression is the boolean wanted.
func matchBoolean(wanted bool) func(st *state, args []any) (matcher, error) {
	return func(st *state, args []any) (matcher, error) {
		get, err := expressionOf(st, args)
		if err != nil {
			return nil, err
		}
		return func(item any) (bool, error) {
			v, err := get(item)
			return v == any(wanted), err
		}, nil
	}
}

func selecting(by func(*state, []any) (matcher, error), wanted bool) filter {
	return func(st *state, in any, args []any) (any, error) {
		matches, err := by(st, args)
		if err != nil {
			return nil, err
		}
		selected := []any{}
		for _, item := range list(in) {
			if err := st.spend(1); err != nil {
				return nil, err
			}
			ok, err := matches(property(item))
			if err != nil {
				return nil, err
			}
			if ok == wanted {
				selected = append(selected, item)
			}
		}
		return selected, nil
	}
}

func finding(by func(*state, []any) (matcher, error), found func(item any, i int) any, missing any) filter {
	return func(st *state, in any, args []any) (any, error) {
		matches, err := by(st, args)
		if err != nil {
			return nil, err
		}
		for i, item := range list(in) {
			if err := st.spend(1); err != nil {
				return nil, err
			}
			ok, err := matches(property(item))
			if err != nil {
				return nil, err
			}
			if ok {
				return found(property(item), i), nil
			}
		}
		return missing, nil
	}
}

func grouping(by func(*state, []any) (lookup, error)) filter {
	return func(st *state, in any, args []any) (any, error) {
		get, err := by(st, args)
		if err != nil {
			return nil, err
		}
		type group struct {
			name  any
			items []any
		}
		var groups []*group
		items, err := enumerable(st, in)
		if err != nil {
			return nil, err
		}
	grouping:
		for _, item := range items {
			name, err := get(property(item))
			if err != nil {
				return nil, err
			}
			if err := st.spend(1 + float64(len(groups))); err != nil {
				return nil, err
			}
			for _, g := range groups {
				if same, err := identical(st, g.name, name); err != nil {
					return nil, err
				} else if same {
					g.items = append(g.items, item)
					continue grouping
				}
			}
			groups = append(groups, &group{name, []any{item}})
		}
		made := make([]any, len(groups))
		for i, g := range groups {
			o := jsvalue.NewObject(2)
			o.Set("name", g.name)
			o.Set("items", g.items)
			made[i] = o
		}
		return made, nil
	}
}

// identical is how groups tell their names apart: like ==, but arrays are
// never the same.
func identical(st *state, a, b any) (bool, error) {
	if _, isArray := a.([]any); isArray {
		return false, nil
	}
	return equal(st, a, b)
}
