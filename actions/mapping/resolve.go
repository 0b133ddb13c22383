package mapping

import (
	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// constant is a value without directives.
type constant struct {
	value any
	fixed any // the value where what is fixed is told from data
}

func newConstant(v any) constant { return constant{v, fixed(v)} }

func (c constant) resolve(r *run, _ any) (any, error) {
	if r.tracking {
		return c.fixed, nil
	}
	return c.value, nil
}

// fixed is v with its texts as *liquid.Source, fixed ones.
func fixed(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return v
		}
		source := liquid.Fixed(v)
		return &source
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = fixed(item)
		}
		return items
	case *jsvalue.Object, map[string]any:
		o := jsvalue.NewObject(jsvalue.Len(v))
		for key, value := range jsvalue.All(v) {
			o.Set(key, fixed(value))
		}
		return o
	default:
		return v
	}
}

type array []node

func (a array) resolve(r *run, payload any) (any, error) {
	if err := r.spend(jsvalue.ListFootprint(len(a))); err != nil {
		return nil, err
	}
	items := make([]any, len(a))
	for i, n := range a {
		var err error
		if items[i], err = n.resolve(r, payload); err != nil {
			return nil, err
		}
	}
	return items, nil
}

type object struct {
	keys   []string
	values []node
}

func (o object) resolve(r *run, payload any) (any, error) {
	if err := r.spend(jsvalue.ObjectFootprint(len(o.keys))); err != nil {
		return nil, err
	}
	resolved := jsvalue.NewObject(len(o.keys))
	for i, key := range o.keys {
		if at, ok := o.values[i].(fixedPath); ok {
			if m := at.path.text(payload); m != nil {
				resolved.SetFrom(key, m)
				continue
			}
		}
		value, err := o.values[i].resolve(r, payload)
		if err != nil {
			return nil, err
		}
		resolved.Set(key, value)
	}
	return resolved, nil
}

// Plain is what ResolveTemplate returned, with all texts as strings.
func Plain(v any) any {
	switch v := v.(type) {
	case *liquid.Source:
		return v.String()
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = Plain(item)
		}
		return items
	case *jsvalue.Object, map[string]any:
		o := jsvalue.NewObject(jsvalue.Len(v))
		for key, value := range jsvalue.All(v) {
			o.Set(key, Plain(value))
		}
		return o
	default:
		return v
	}
}

// TextOf is JavaScript's String(v) as a template, of a value that
// ResolveTemplate returned or, when trusted, of any.
func TextOf(v any, trusting bool) liquid.Source {
	switch v := v.(type) {
	case *liquid.Source:
		return *v
	case []any:
		var b liquid.Builder
		for i, item := range v {
			if i > 0 {
				b.Fixed(",")
			}
			if !jsvalue.Nullish(item) {
				part := TextOf(item, trusting)
				b.Range(&part, 0, len(part.String()))
			}
		}
		return b.Source()
	}
	if trusting {
		return liquid.Fixed(jsvalue.String(v))
	}
	return liquid.Data(jsvalue.String(v))
}
