package mapping

import (
	"fmt"
	"slices"
	"strconv"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// arrayPath is @arrayPath: the array (or object, or any value) at a path,
// each item of it shaped by a mapping of its own.
type arrayPath struct {
	root node
	item node // or nil
	at   string
}

func (c *compiler) arrayPath(v any, at string, depth int) node {
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return c.fault(at, "should be an array of a path and, if wanted, an item's shape; is %s", kind(v))
	}
	n := arrayPath{at: at}
	switch root := jsvalue.Of(items[0]).(type) {
	case string:
		n.root = fixedPath{parsePath(withoutRoot(root))}
	default:
		if n.root = c.compileText(root, at+"[0]", depth); n.root == nil {
			return constant{}
		}
	}
	if len(items) > 1 {
		shape := c.compile(items[1], at+"[1]", depth+1)
		if jsvalue.Len(items[1]) > 0 {
			n.item = shape
		}
	}
	return n
}

func (n arrayPath) resolve(r *run, payload any) (any, error) {
	if n.item == nil {
		return n.root.resolve(r, payload)
	}
	root, err := r.plain(n.root, payload)
	if err != nil {
		return nil, err
	}
	switch n.root.(type) {
	case fixedPath, computedPath:
	default: // made rather than found, and about to be an event of its own
		if _, err := r.weigh(root, 0); err != nil {
			return nil, &ResolveError{n.at, err}
		}
	}
	items, ok := root.([]any)
	if !ok {
		if !jsvalue.IsObject(root) {
			return root, nil
		}
		items = []any{root}
	}
	if err := r.spend(jsvalue.ListFootprint(len(items))); err != nil {
		return nil, &ResolveError{n.at, err}
	}
	shaped := make([]any, len(items))
	for i, item := range items {
		if shaped[i], err = n.item.resolve(r, jsvalue.Of(item)); err != nil {
			return nil, err
		}
	}
	return shaped, nil
}

// flatten is @flatten: nested objects, and arrays unless they are omitted, as
// one object with joined keys.
type flatten struct {
	value      node
	separator  string
	omitArrays bool
	at         string
}

func (c *compiler) flatten(v any, path string, depth int) node {
	o := c.options(v, path, depth, "value", "separator", "omitArrays")
	if !o.ok() {
		return constant{}
	}
	separator, _ := o.fixed("separator")
	if v, ok := o.get("separator"); !ok || v == "" {
		c.fault(path, `needs "separator"`)
	}
	omit, _ := o.get("omitArrays")
	return flatten{o.required("value"), separator, truthy(omit), path}
}

func (n flatten) resolve(r *run, payload any) (any, error) {
	v, err := n.value.resolve(r, payload)
	if err != nil {
		return nil, err
	}
	var flat jsvalue.Builder
	if err := n.into(r, &flat, "", v, 0); err != nil {
		return nil, &ResolveError{n.at, err}
	}
	return flat.Object(), nil
}

func (n flatten) into(r *run, flat *jsvalue.Builder, prefix string, v any, depth int) error {
	if err := r.spend(1 + len(prefix)); err != nil {
		return err
	}
	if depth > jsvalue.MaxDepth {
		return fmt.Errorf("nested more than %d deep", jsvalue.MaxDepth)
	}
	under := func(key string) string {
		if prefix == "" {
			return key
		}
		return prefix + n.separator + key
	}
	switch items, isArray := v.([]any); {
	case jsvalue.IsObject(v):
		if err := r.spend(jsvalue.ObjectFootprint(jsvalue.Len(v))); err != nil {
			return err
		}
		for key, value := range jsvalue.All(v) {
			if err := n.into(r, flat, under(key), value, depth+1); err != nil {
				return err
			}
		}
	case isArray && !n.omitArrays:
		if err := r.spend(jsvalue.ObjectFootprint(len(items))); err != nil {
			return err
		}
		for i, item := range items {
			if err := n.into(r, flat, under(strconv.Itoa(i)), item, depth+1); err != nil {
				return err
			}
		}
	default:
		flat.Set(prefix, v)
	}
	return nil
}

// toJSON is @json with mode encode.
type toJSON struct {
	value node
	at    string
}

// fromJSON is @json with mode decode. What is no JSON stays as it is.
type fromJSON struct {
	value node
	at    string
}

func (c *compiler) json(v any, path string, depth int) node {
	o := c.options(v, path, depth, "mode", "value")
	if !o.ok() {
		return constant{}
	}
	mode := o.oneOf("mode", "encode", "decode")
	if v, ok := o.get("value"); !ok || !truthy(v) {
		return c.fault(path, `needs "value"`)
	}
	value := o.node("value")
	if mode == "encode" {
		return c.settled(toJSON{value, path}, value)
	}
	return c.settled(fromJSON{value, path}, value)
}

func (n toJSON) resolve(r *run, payload any) (any, error) {
	v, err := r.plain(n.value, payload)
	if err != nil {
		return nil, err
	}
	if v == (jsvalue.Undefined{}) {
		return v, nil
	}
	if _, err := r.weigh(v, 0); err != nil {
		return nil, &ResolveError{n.at, err}
	}
	s := jsvalue.Encode(v)
	return s, r.spend(len(s))
}

func (n fromJSON) resolve(r *run, payload any) (any, error) {
	v, err := r.plain(n.value, payload)
	if err != nil {
		return nil, err
	}
	s, ok := v.(string)
	if !ok {
		return v, nil
	}
	if err := r.spend(jsvalue.Footprint(s)); err != nil {
		return nil, &ResolveError{n.at, err}
	}
	// Newer kits hand on what is no JSON as it is, older ones failed.
	if decoded, err := jsvalue.Decode(s); err == nil {
		return decoded, nil
	}
	return s, nil
}

// merge is @merge: one object of several, the right (or left) one winning.
type merge struct {
	objects []node
	left    bool
	at      string
}

func (c *compiler) merge(v any, path string, depth int) node {
	o := c.options(v, path, depth, "objects", "direction")
	if !o.ok() {
		return constant{}
	}
	n := merge{left: o.oneOf("direction", "left", "right") == "left", at: path}
	v, ok := o.get("objects")
	if !ok {
		return c.fault(path, `needs "objects"`)
	}
	items, ok := v.([]any)
	if !ok {
		return c.fault(o.at("objects"), "should be an array, is %s", kind(v))
	}
	for i, item := range items {
		at := o.at("objects") + "[" + strconv.Itoa(i) + "]"
		if !jsvalue.IsObject(item) {
			c.fault(at, "should be an object or a directive, is %s", kind(item))
			continue
		}
		n.objects = append(n.objects, c.compile(item, at, depth+1))
	}
	if n.left {
		slices.Reverse(n.objects)
	}
	return n
}

func (n merge) resolve(r *run, payload any) (any, error) {
	var merged jsvalue.Builder
	for _, object := range n.objects {
		v, err := object.resolve(r, payload)
		if err != nil {
			return nil, err
		}
		if err := assign(r, &merged, v); err != nil {
			return nil, &ResolveError{n.at, err}
		}
	}
	return merged.Object(), nil
}

// assign is JavaScript's Object.assign: the items of arrays and the characters
// of strings count as members by their index.
func assign(r *run, into *jsvalue.Builder, v any) error {
	members := jsvalue.Len(v)
	switch v := v.(type) {
	case []any:
		members = len(v)
	case string:
		members = len(v) // at most
	}
	if err := r.spend(jsvalue.ObjectFootprint(members)); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			into.Set(strconv.Itoa(i), item)
		}
	case *liquid.Source:
		return assign(r, into, v.String())
	case string:
		i := 0
		for _, c := range v {
			into.Set(strconv.Itoa(i), string(c))
			i++
		}
	default:
		for key, value := range jsvalue.All(v) {
			into.Set(key, value)
		}
	}
	return nil
}

// transform is @transform: a mapping of what another mapping makes of the
// event.
type transform struct {
	apply, mapping node
}

func (c *compiler) transform(v any, path string, depth int) node {
	o := c.options(v, path, depth, "apply", "mapping")
	if !o.ok() {
		return constant{}
	}
	for _, name := range []string{"apply", "mapping"} {
		if v, ok := o.get(name); !ok {
			c.fault(path, "needs %q", name)
		} else if !jsvalue.IsObject(v) {
			c.fault(o.at(name), "should be an object or a directive, is %s", kind(v))
		}
	}
	return transform{o.node("apply"), o.node("mapping")}
}

func (n transform) resolve(r *run, payload any) (any, error) {
	applied, err := r.plain(n.apply, payload)
	if err == nil {
		applied, err = r.settle(applied)
	}
	if err != nil {
		return nil, err
	}
	return n.mapping.resolve(r, applied)
}
