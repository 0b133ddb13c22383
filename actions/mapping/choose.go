package mapping

import (
	"engage-worker/actions/jsvalue"
)

// condition is @if: then, when what is asked about exists, or when what is
// asked to be blank is not (sic: so the hosted kit has it); else otherwise.
type condition struct {
	exists, blank   node // one of them
	then, otherwise node // or nil
}

func (c *compiler) condition(v any, path string, depth int) node {
	o := c.options(v, path, depth, "exists or blank", "then", "else")
	if !o.ok() {
		return constant{}
	}
	exists, hasExists := o.get("exists")
	blank, hasBlank := o.get("blank")
	if !(hasExists && truthy(exists)) && !(hasBlank && truthy(blank)) {
		return c.fault(path, `needs "exists" or "blank"`)
	}
	n := condition{exists: o.node("exists"), blank: o.node("blank"), then: o.node("then")}
	if v, ok := o.get("else"); ok && truthy(v) {
		n.otherwise = o.node("else")
	}
	return n
}

func (n condition) resolve(r *run, payload any) (any, error) {
	met, err := n.met(r, payload)
	if err != nil {
		return nil, err
	}
	branch := n.otherwise
	if met {
		branch = n.then
	}
	if branch == nil {
		return jsvalue.Undefined{}, nil
	}
	return branch.resolve(r, payload)
}

func (n condition) met(r *run, payload any) (bool, error) {
	asked := n.exists
	if asked == nil {
		asked = n.blank
	}
	v, err := r.plain(asked, payload)
	if err != nil || jsvalue.Nullish(v) {
		return false, err
	}
	return n.exists != nil || !looselyEmpty(v), nil
}

// looselyEmpty is JavaScript's v == "".
func looselyEmpty(v any) bool {
	switch v := jsvalue.Of(v).(type) {
	case string:
		return v == ""
	case float64:
		return v == 0
	case bool:
		return !v
	case []any:
		return jsvalue.String(v) == ""
	}
	return false
}

// excludeWhenNull is @excludeWhenNull: null counts as absent, here and in the
// objects below.
type excludeWhenNull struct{ value node }

func (n excludeWhenNull) resolve(r *run, payload any) (any, error) {
	v, err := n.value.resolve(r, payload)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return jsvalue.Undefined{}, nil
	}
	return withoutNull(v, 0), nil
}

// withoutNull is v without the null members of objects and of the objects
// directly inside of them; arrays stay as they are.
func withoutNull(v any, depth int) any {
	if !jsvalue.IsObject(v) || depth > jsvalue.MaxDepth {
		return v
	}
	o := jsvalue.NewObject(jsvalue.Len(v))
	for key, value := range jsvalue.All(v) {
		if value != nil {
			o.Set(key, withoutNull(value, depth+1))
		}
	}
	return o
}
