package mapping

import (
	"engage-worker/actions/jsvalue"
)

// constant is a value without directives.
type constant struct{ value any }

func (c constant) resolve(*run, any) (any, error) { return c.value, nil }

type array []node

func (a array) resolve(r *run, payload any) (any, error) {
	if err := r.spend(len(a)); err != nil {
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
	if err := r.spend(len(o.keys)); err != nil {
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
