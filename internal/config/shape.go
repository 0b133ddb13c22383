package config

import (
	"maps"
	"slices"
)

// shape is a place of the file, declared once: what may stand there, where it
// goes, its default, and what print, the documentation and the JSON Schema
// say of it.
type shape struct {
	// read takes n into the target. It leaves the target as it was where n
	// doesn't fit, and reports that.
	read   func(r *reader, n *node)
	reset  func()                // gives the target its default
	get    func() any            // what print shows of the target
	schema func() map[string]any // of the JSON Schema

	takes     string // what may stand here, in words
	otherwise string // the default in words, where the value itself doesn't say it

	fields []field // of an object
	below  string  // how the path goes on to inner: "[]", ".<name>"
	inner  *shape  // of a list's items, or of an object's values
}

// field is a key of an object.
type field struct {
	key, doc string
	shape    shape
	required bool
	other    string // another name for the same, or ""
}

// key declares a key and what the documentation says of it. A key that holds
// others needs no words of its own.
func key(name, doc string, s shape) field { return field{key: name, doc: doc, shape: s} }

// must is f as one without which a file is refused.
func (f field) must() field {
	f.required = true
	return f
}

// also is f as one that has another name, too.
func (f field) also(name string) field {
	f.other = name
	return f
}

// byDefault says in words what the default is.
func (s shape) byDefault(words string) shape {
	s.otherwise = words
	return s
}

// as says in words what may stand here.
func (s shape) as(words string) shape {
	s.takes = words
	return s
}

// shown makes print show what get returns.
func (s shape) shown(get func() any) shape {
	s.get = get
	return s
}

// then goes on with what read has taken in.
func (s shape) then(more func(r *reader, n *node)) shape {
	read := s.read
	s.read = func(r *reader, n *node) {
		read(r, n)
		more(r, n)
	}
	return s
}

// object has exactly the fields, each of them optional unless it is required.
func object(fields ...field) shape {
	s := shape{takes: "object", fields: fields}
	s.read = func(r *reader, n *node) {
		if r.expect(n, kindObject) {
			r.fields(n, fields)
		}
	}
	s.reset = func() {
		for _, f := range fields {
			f.shape.reset()
		}
	}
	s.get = func() any {
		pairs := make([]pair, len(fields))
		for i, f := range fields {
			pairs[i] = pair{f.key, f.shape.get()}
		}
		return pairs
	}
	s.schema = func() map[string]any { return objectSchema(fields) }
	return s
}

// fields reads the entries of the object n, and misses the required ones.
func (r *reader) fields(n *node, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	r.rename(n, fields)
	for _, e := range n.entries {
		i := slices.Index(names, e.key)
		if i < 0 {
			r.faultKey(n, e, "unknown key; %s", suggest(e.key, names))
			continue
		}
		if e.value.kind != kindNull { // "key:" with nothing behind it is left out
			fields[i].shape.read(r, e.value)
		}
	}
	for _, f := range fields {
		if v := n.get(f.key); f.required && (v == nil || v.kind == kindNull) {
			missing := *n
			missing.path = child(n.path, f.key)
			r.fault(&missing, "required, and missing")
		}
	}
}

// rename gives what stands under its other name the name that it is known by.
func (r *reader) rename(n *node, fields []field) {
	for _, f := range fields {
		i := slices.IndexFunc(n.entries, func(e entry) bool { return f.other != "" && e.key == f.other })
		if i < 0 {
			continue
		}
		e := &n.entries[i]
		if twice := n.get(f.key); twice != nil {
			r.faultKey(n, *e, "is another name for %s, which is there too; keep one", f.key)
		}
		path := child(n.path, f.key)
		if r.veiled[e.value.path] {
			r.veiled[path] = true
		}
		if slices.Contains(r.unknown, e.value.path) {
			r.unknown = append(r.unknown, path)
		}
		e.key, e.value.path = f.key, path
	}
}

// list reads one item or more, each with the shape that item gives for it.
func list[T any](into *[]T, what string, item func(*T) shape) shape {
	inner := item(new(T))
	s := shape{takes: "list", below: "[]", inner: &inner}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindList) {
			return
		}
		if len(n.items) == 0 {
			r.fault(n, "must have at least one %s", what)
		}
		*into = make([]T, len(n.items))
		for i, item0 := range n.items {
			s := item(&(*into)[i])
			s.reset()
			s.read(r, item0)
		}
	}
	s.reset = func() { *into = nil }
	s.get = func() any {
		items := make([]any, len(*into))
		for i := range *into {
			items[i] = item(&(*into)[i]).get()
		}
		return items
	}
	s.schema = func() map[string]any {
		return map[string]any{"type": []string{"array"}, "minItems": 1, "items": inner.schema()}
	}
	return s
}

// orNone has a list be empty as well.
func (s shape) orNone() shape {
	read, reset, schema := s.read, s.reset, s.schema
	s.read = func(r *reader, n *node) {
		if n.kind == kindList && len(n.items) == 0 {
			reset()
			return
		}
		read(r, n)
	}
	s.schema = func() map[string]any {
		list := schema()
		delete(list, "minItems")
		return list
	}
	return s
}

// named reads an object whose keys are names of the user's own, each value
// with the shape that value gives for it.
func named[T any](into *map[string]T, names rule, value func(*T) shape) shape {
	inner := value(new(T))
	s := shape{takes: "object", below: ".<name>", inner: &inner}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindObject) {
			return
		}
		for _, e := range n.entries {
			if err := names.check(e.key); err != nil {
				r.faultKey(n, e, "%s", err)
				continue
			}
			at := e.value
			if at.kind == kindNull { // all defaults
				at = &node{path: at.path, line: e.line, column: e.column, kind: kindObject}
			}
			var t T
			s := value(&t)
			s.reset()
			s.read(r, at)
			(*into)[e.key] = t
		}
	}
	s.reset = func() { *into = map[string]T{} }
	s.get = func() any {
		var pairs []pair
		for _, name := range slices.Sorted(maps.Keys(*into)) {
			t := (*into)[name]
			pairs = append(pairs, pair{name, value(&t).get()})
		}
		return pairs
	}
	s.schema = func() map[string]any { return namedSchema(names, inner) }
	return s
}

// Key is a key that a configuration file may have, as the documentation and
// the JSON Schema tell of it.
type Key struct {
	Path     string // "kafka.tls.caFile", "regions.<name>.rate", "destinations[].name"
	Takes    string // what may stand there, in words
	Default  string // in words, "none" where there is none, or "required"
	Meaning  string // one sentence or two; empty of one that only holds others
	HasBelow bool   // keys may stand below it
}

// Keys are all keys, in the order of the documentation.
func Keys() []Key {
	c := Default()
	return keysOf(nil, "", shapeOf(c))
}

// meaning is what the documentation says of a key.
func (f field) meaning() string {
	if f.other == "" {
		return f.doc
	}
	return f.doc + "; also called `" + f.other + "`"
}

func keysOf(keys []Key, path string, s shape) []Key {
	if s.inner != nil {
		return keysOf(keys, path+s.below, *s.inner)
	}
	for _, f := range s.fields {
		k := Key{Path: child(path, f.key), Takes: f.shape.takes, Default: f.shape.otherwise, Meaning: f.meaning(), HasBelow: f.shape.fields != nil || f.shape.inner != nil}
		switch {
		case f.required:
			k.Default = "required"
		case k.Default == "" && !k.HasBelow:
			f.shape.reset() // an item's is seen here only
			k.Default = shownDefault(f.shape.get())
		}
		keys = keysOf(append(keys, k), k.Path, f.shape)
	}
	return keys
}

// shownDefault is a default as one would write it.
func shownDefault(v any) string {
	if text := printed(v); text != `""` {
		return "`" + text + "`"
	}
	return "none"
}
