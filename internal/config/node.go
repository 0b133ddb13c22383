package config

import (
	"fmt"
	"strconv"
	"strings"

	"engage-worker/actions/jsvalue"
)

// kind is the type of a node, as in JSON.
type kind uint8

const (
	kindNull kind = iota + 1
	kindBool
	kindNumber
	kindText
	kindList
	kindObject
)

func (k kind) String() string {
	return [...]string{"", "nothing", "a boolean", "a number", "text", "a list", "an object"}[k]
}

// node is a place in the file with what stands there: aliases and merges
// followed, references replaced.
type node struct {
	path         string
	line, column int
	kind         kind
	boolean      bool
	number       float64
	text         string  // of any scalar, as written but for references
	veiled       bool    // a scalar that holds a reference, or a secret by its key: not to be shown
	broken       bool    // something in it is reported already
	unknown      bool    // a text with a reference that isn't looked up
	items        []*node // of a list
	entries      []entry // of an object, in the order of the file
}

// entry is a key with its value.
type entry struct {
	key          string
	line, column int
	value        *node
}

// get is the value at key, or nil.
func (n *node) get(key string) *node {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].value
		}
	}
	return nil
}

// isBroken reports whether n is there and wrong, or not known.
func (n *node) isBroken() bool { return n != nil && (n.broken || n.unknown) }

// resolve follows a path ("actions[0].mapping.body") below n as far as it
// goes: the place itself, or the nearest that is there. A key may hold dots.
func (n *node) resolve(path string) *node {
	for path != "" {
		var next *node
		rest := ""
		switch {
		case path[0] == '[':
			index, after, ok := strings.Cut(path[1:], "]")
			i, err := strconv.Atoi(index)
			if !ok || err != nil || i < 0 || i >= len(n.items) {
				return n
			}
			next, rest = n.items[i], after
		default:
			path = strings.TrimPrefix(path, ".")
			longest := -1
			for _, e := range n.entries {
				after, ok := strings.CutPrefix(path, e.key)
				if ok && len(e.key) > longest && (after == "" || after[0] == '.' || after[0] == '[') {
					next, rest, longest = e.value, after, len(e.key)
				}
			}
		}
		if next == nil {
			return n
		}
		n, path = next, rest
	}
	return n
}

// value is n as JSON-like data: nil, bool, float64, string, []any, and for
// objects, the order of whose keys counts, *jsvalue.Object.
func (n *node) value() any {
	switch n.kind {
	case kindBool:
		return n.boolean
	case kindNumber:
		return n.number
	case kindText:
		return n.text
	case kindList:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = item.value()
		}
		return items
	case kindObject:
		o := jsvalue.NewObject(len(n.entries))
		for _, e := range n.entries {
			o.Set(e.key, e.value.value())
		}
		return o
	default:
		return nil
	}
}

// object is n's entries, for which order doesn't count.
func (n *node) object() map[string]any {
	m := make(map[string]any, len(n.entries))
	for _, e := range n.entries {
		m[e.key] = e.value.value()
	}
	return m
}

// shown is a scalar for a message: quoted, shortened, or veiled.
func (n *node) shown() string {
	const longest = 60
	switch {
	case n.kind == kindList || n.kind == kindObject || n.kind == kindNull:
		return n.kind.String()
	case n.veiled:
		return "the value (not shown)"
	case n.kind == kindText:
		if r := []rune(n.text); len(r) > longest {
			return strconv.Quote(string(r[:longest])) + "..."
		}
		return strconv.Quote(n.text)
	default:
		return n.text
	}
}

// child is the path of a key below path.
func child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// element is the path of an item below path.
func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
