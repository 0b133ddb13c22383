package form

import (
	"maps"
	"slices"
)

// Shape is a place of the file, declared once: what may stand there, where it
// goes, its default, and what print, the documentation and the JSON Schema
// say of it.
type Shape struct {
	// Read takes n into the target. It leaves the target as it was where n
	// doesn't fit, and reports that.
	Read   func(r *Reader, n *Node)
	Reset  func()                // gives the target its default
	Get    func() any            // what Print shows of the target
	Schema func() map[string]any // of the JSON Schema

	takes     string // what may stand here, in words
	otherwise string // the default in words, where the value itself doesn't say it

	fields []Field // of an object
	below  string  // how the path goes on to inner: "[]", ".<name>"
	inner  *Shape  // of a list's items, or of an object's values
}

// Field is a key of an object.
type Field struct {
	key, doc string
	shape    Shape
	required bool
	other    string // another name for the same, or ""
}

// Key declares a key and what the documentation says of it. A key that holds
// others needs no words of its own.
func Key(name, doc string, s Shape) Field { return Field{key: name, doc: doc, shape: s} }

// Must is f as one without which a file is refused.
func (f Field) Must() Field {
	f.required = true
	return f
}

// Also is f as one that has another name, too.
func (f Field) Also(name string) Field {
	f.other = name
	return f
}

// ByDefault says in words what the default is.
func (s Shape) ByDefault(words string) Shape {
	s.otherwise = words
	return s
}

// As says in words what may stand here.
func (s Shape) As(words string) Shape {
	s.takes = words
	return s
}

// Shown makes Print show what get returns.
func (s Shape) Shown(get func() any) Shape {
	s.Get = get
	return s
}

// Then goes on with what Read has taken in.
func (s Shape) Then(more func(r *Reader, n *Node)) Shape {
	read := s.Read
	s.Read = func(r *Reader, n *Node) {
		read(r, n)
		more(r, n)
	}
	return s
}

// Object has exactly the fields, each of them optional unless it is required.
func Object(fields ...Field) Shape {
	s := Shape{takes: "object", fields: fields}
	s.Read = func(r *Reader, n *Node) {
		if r.expect(n, KindObject) {
			r.fields(n, fields)
		}
	}
	s.Reset = func() {
		for _, f := range fields {
			f.shape.Reset()
		}
	}
	s.Get = func() any {
		pairs := make([]Pair, len(fields))
		for i, f := range fields {
			pairs[i] = Pair{f.key, f.shape.Get()}
		}
		return pairs
	}
	s.Schema = func() map[string]any { return objectSchema(fields) }
	return s
}

// fields reads the entries of the object n, and misses the required ones.
func (r *Reader) fields(n *Node, fields []Field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	r.rename(n, fields)
	for _, e := range n.Entries {
		i := slices.Index(names, e.Key)
		if i < 0 {
			r.FaultKey(n, e, "unknown key; %s", suggest(e.Key, names))
			continue
		}
		if e.Value.Kind != KindNull { // "key:" with nothing behind it is left out
			fields[i].shape.Read(r, e.Value)
		}
	}
	for _, f := range fields {
		if v := n.Get(f.key); f.required && (v == nil || v.Kind == KindNull) {
			missing := *n
			missing.Path = Child(n.Path, f.key)
			r.Fault(&missing, "required, and missing")
		}
	}
}

// rename gives what stands under its other name the name that it is known by.
func (r *Reader) rename(n *Node, fields []Field) {
	for _, f := range fields {
		i := slices.IndexFunc(n.Entries, func(e Entry) bool { return f.other != "" && e.Key == f.other })
		if i < 0 {
			continue
		}
		e := &n.Entries[i]
		if twice := n.Get(f.key); twice != nil {
			r.FaultKey(n, *e, "is another name for %s, which is there too; keep one", f.key)
		}
		path := Child(n.Path, f.key)
		if r.veiled[e.Value.Path] {
			r.veiled[path] = true
		}
		if slices.Contains(r.unresolved, e.Value.Path) {
			r.unresolved = append(r.unresolved, path)
		}
		e.Key, e.Value.Path = f.key, path
	}
}

// List reads one item or more, each with the shape that item gives for it.
func List[T any](into *[]T, what string, item func(*T) Shape) Shape {
	inner := item(new(T))
	s := Shape{takes: "list", below: "[]", inner: &inner}
	s.Read = func(r *Reader, n *Node) {
		if !r.expect(n, KindList) {
			return
		}
		if len(n.Items) == 0 {
			r.Fault(n, "must have at least one %s", what)
		}
		*into = make([]T, len(n.Items))
		for i, item0 := range n.Items {
			s := item(&(*into)[i])
			s.Reset()
			s.Read(r, item0)
		}
	}
	s.Reset = func() { *into = nil }
	s.Get = func() any {
		items := make([]any, len(*into))
		for i := range *into {
			items[i] = item(&(*into)[i]).Get()
		}
		return items
	}
	s.Schema = func() map[string]any {
		return map[string]any{"type": []string{"array"}, "minItems": 1, "items": inner.Schema()}
	}
	return s
}

// OrNone has a list be empty as well.
func (s Shape) OrNone() Shape {
	read, reset, schema := s.Read, s.Reset, s.Schema
	s.Read = func(r *Reader, n *Node) {
		if n.Kind == KindList && len(n.Items) == 0 {
			reset()
			return
		}
		read(r, n)
	}
	s.Schema = func() map[string]any {
		list := schema()
		delete(list, "minItems")
		return list
	}
	return s
}

// Named reads an object whose keys are names of the user's own, each value
// with the shape that value gives for it.
func Named[T any](into *map[string]T, names Rule, value func(*T) Shape) Shape {
	inner := value(new(T))
	s := Shape{takes: "object", below: ".<name>", inner: &inner}
	s.Read = func(r *Reader, n *Node) {
		if !r.expect(n, KindObject) {
			return
		}
		for _, e := range n.Entries {
			if err := names.Check(e.Key); err != nil {
				r.FaultKey(n, e, "%s", err)
				continue
			}
			at := e.Value
			if at.Kind == KindNull { // all defaults
				at = &Node{Path: at.Path, Line: e.Line, Column: e.Column, Kind: KindObject}
			}
			var t T
			s := value(&t)
			s.Reset()
			s.Read(r, at)
			(*into)[e.Key] = t
		}
	}
	s.Reset = func() { *into = map[string]T{} }
	s.Get = func() any {
		var pairs []Pair
		for _, name := range slices.Sorted(maps.Keys(*into)) {
			t := (*into)[name]
			pairs = append(pairs, Pair{name, value(&t).Get()})
		}
		return pairs
	}
	s.Schema = func() map[string]any { return namedSchema(names, inner) }
	return s
}

// Documented is a key that a file may have, as the documentation and
// the JSON Schema tell of it.
type Documented struct {
	Path     string // "kafka.tls.caFile", "regions.<name>.rate", "destinations[].name"
	Takes    string // what may stand there, in words
	Default  string // in words, "none" where there is none, or "required"
	Meaning  string // one sentence or two; empty of one that only holds others
	HasBelow bool   // keys may stand below it
}

// meaning is what the documentation says of a key.
func (f Field) meaning() string {
	if f.other == "" {
		return f.doc
	}
	return f.doc + "; also called `" + f.other + "`"
}

// Keys are all keys below a shape, in the order of the documentation.
func (s Shape) Keys() []Documented { return keysOf(nil, "", s) }

func keysOf(keys []Documented, path string, s Shape) []Documented {
	if s.inner != nil {
		return keysOf(keys, path+s.below, *s.inner)
	}
	for _, f := range s.fields {
		k := Documented{Path: Child(path, f.key), Takes: f.shape.takes, Default: f.shape.otherwise, Meaning: f.meaning(), HasBelow: f.shape.fields != nil || f.shape.inner != nil}
		switch {
		case f.required:
			k.Default = "required"
		case k.Default == "" && !k.HasBelow:
			f.shape.Reset() // an item's is seen here only
			k.Default = shownDefault(f.shape.Get())
		}
		keys = keysOf(append(keys, k), k.Path, f.shape)
	}
	return keys
}

// shownDefault is a default as one would write it.
func shownDefault(v any) string {
	if text := Printed(v); text != `""` {
		return "`" + text + "`"
	}
	return "none"
}
