package form

import (
	"fmt"
	"strconv"
	"strings"

	"engage-worker/actions/jsvalue"
)

// Kind is the type of a node, as in JSON.
type Kind uint8

const (
	KindNull Kind = iota + 1
	KindBool
	KindNumber
	KindText
	KindList
	KindObject
)

func (k Kind) String() string {
	return [...]string{"", "nothing", "a boolean", "a number", "text", "a list", "an object"}[k]
}

// Node is a place in the file with what stands there: aliases and merges
// followed, references replaced.
type Node struct {
	Path         string
	Line, Column int
	Kind         Kind
	Text         string  // of any scalar, as written but for references
	Entries      []Entry // of an object, in the order of the file
	Items        []*Node // of a list
	Veiled       bool    // a scalar that holds a reference, or a secret by its key: not to be shown
	Broken       bool    // something in it is reported already
	Unknown      bool    // a text with a reference that isn't looked up

	boolean bool
	number  float64
}

// Entry is a key with its value.
type Entry struct {
	Key          string
	Line, Column int
	Value        *Node
}

// Get is the value at key, or nil.
func (n *Node) Get(key string) *Node {
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return n.Entries[i].Value
		}
	}
	return nil
}

// IsBroken reports whether n is there and wrong, or not known.
func (n *Node) IsBroken() bool { return n != nil && (n.Broken || n.Unknown) }

// Resolve follows a path ("actions[0].mapping.body") below n as far as it
// goes: the place itself, or the nearest that is there. A key may hold dots.
func (n *Node) Resolve(path string) *Node {
	for path != "" {
		var next *Node
		rest := ""
		switch {
		case path[0] == '[':
			index, after, ok := strings.Cut(path[1:], "]")
			i, err := strconv.Atoi(index)
			if !ok || err != nil || i < 0 || i >= len(n.Items) {
				return n
			}
			next, rest = n.Items[i], after
		default:
			path = strings.TrimPrefix(path, ".")
			longest := -1
			for _, e := range n.Entries {
				after, ok := strings.CutPrefix(path, e.Key)
				if ok && len(e.Key) > longest && (after == "" || after[0] == '.' || after[0] == '[') {
					next, rest, longest = e.Value, after, len(e.Key)
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
func (n *Node) value() any {
	switch n.Kind {
	case KindBool:
		return n.boolean
	case KindNumber:
		return n.number
	case KindText:
		return n.Text
	case KindList:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.value()
		}
		return items
	case KindObject:
		o := jsvalue.NewObject(len(n.Entries))
		for _, e := range n.Entries {
			o.Set(e.Key, e.Value.value())
		}
		return o
	default:
		return nil
	}
}

// Object is n's entries, for which order doesn't count.
func (n *Node) Object() map[string]any {
	m := make(map[string]any, len(n.Entries))
	for _, e := range n.Entries {
		m[e.Key] = e.Value.value()
	}
	return m
}

// Shown is a scalar for a message: quoted, shortened, or veiled.
func (n *Node) Shown() string {
	const longest = 60
	switch {
	case n.Kind == KindList || n.Kind == KindObject || n.Kind == KindNull:
		return n.Kind.String()
	case n.Veiled:
		return "the value (not shown)"
	case n.Kind == KindText:
		if r := []rune(n.Text); len(r) > longest {
			return strconv.Quote(string(r[:longest])) + "..."
		}
		return strconv.Quote(n.Text)
	default:
		return n.Text
	}
}

// Child is the path of a key below path.
func Child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Element is the path of an item below path.
func Element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
