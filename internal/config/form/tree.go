package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxNodes bounds what aliases may multiply a file to.
	maxNodes = 200_000
	// maxDepth bounds nesting; an alias inside its own anchor has no end.
	maxDepth = 100
)

// Reader reads one file, and collects its faults. Its exported fields are set
// before Tree is called.
type Reader struct {
	File      string
	LookupEnv func(name string) (string, bool)
	SkipEnv   bool // take references for values that aren't known

	Example string                        // where one sees what belongs in the file
	Keys    string                        // what the file holds, for who has put something else there
	Comment func(n *Node, comment string) // is told of what stands behind a text without quotes; may be nil

	faults     []Fault
	warnings   []Warning
	literal    []*Node         // secrets that stand in the file itself
	veiled     map[string]bool // paths of the scalars that hold a reference
	unresolved []string        // paths of those that aren't looked up
	secrets    []string        // what no message may hold; this package's own quote no veiled value
	nodes      int
}

// Literal are the secrets that stand in the file itself.
func (r *Reader) Literal() []*Node { return r.literal }

// Veiled are the paths of the scalars that hold a reference.
func (r *Reader) Veiled() map[string]bool { return r.veiled }

// Fault reports something wrong with n.
func (r *Reader) Fault(n *Node, format string, args ...any) {
	n.Broken = true
	r.faults = append(r.faults, Fault{File: r.File, Line: n.Line, Column: n.Column, Path: n.Path, Message: fmt.Sprintf(format, args...)})
}

// FaultKey reports something wrong with the key of e in the object n.
func (r *Reader) FaultKey(n *Node, e Entry, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.File, Line: e.Line, Column: e.Column, Path: Child(n.Path, e.Key), Message: fmt.Sprintf(format, args...)})
}

// Err is a *Faults, or nil when there is none.
func (r *Reader) Err() error {
	if len(r.faults) == 0 {
		return nil
	}
	faults := &Faults{List: r.faults, Warnings: r.Warnings()}
	faults.sort()
	return faults
}

// Tree parses the file, or reports why it can't be and returns nil.
func (r *Reader) Tree(source []byte) *Node {
	r.veiled = map[string]bool{}
	whole := &Node{Line: 1, Column: 1}
	if !utf8.Valid(source) {
		whole.Line, whole.Column = position(source, invalidUTF8(source))
		r.Fault(whole, "not UTF-8 text; save the file as UTF-8")
		return nil
	}
	if i := controlCharacter(source); i >= 0 {
		whole.Line, whole.Column = position(source, i)
		r.Fault(whole, "a control character (%#x) stands here; a YAML file is text", source[i])
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		r.Fault(whole, "the file is empty; %s shows what belongs in it", r.Example)
		return nil
	}
	if err != nil {
		if rewritten := jsonEscapes(source); !bytes.Equal(rewritten, source) {
			return r.Tree(rewritten)
		}
		r.syntax(source, err)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		whole.Line, whole.Column = second.Line, second.Column
		r.Fault(whole, "a second YAML document begins here; a configuration is one document")
	case !errors.Is(err, io.EOF):
		r.syntax(source, err)
		return nil
	}
	if len(document.Content) == 0 {
		r.Fault(whole, "the file is empty; %s shows what belongs in it", r.Example)
		return nil
	}
	root := r.node(document.Content[0], "", 0)
	switch {
	case root == nil:
		return nil
	case root.Kind == KindNull:
		r.Fault(root, "the file is empty; %s shows what belongs in it", r.Example)
		return nil
	case root.Kind != KindObject:
		r.Fault(root, "the file must hold an object (%s), not %s", r.Keys, root.Kind)
		return nil
	}
	return root
}

var (
	quotedOnALine = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	quotedEscape  = regexp.MustCompile(`\\(?:u[dD][89abAB][[:xdigit:]]{2}\\u[dD][c-fC-F][[:xdigit:]]{2}|.)`)
)

// jsonEscapes rewrites the escapes of pasted JSON that the YAML parser stumbles
// over: \/, and a character beyond the first 65,536 as two \u.
func jsonEscapes(source []byte) []byte {
	return quotedOnALine.ReplaceAllFunc(source, func(quoted []byte) []byte {
		return quotedEscape.ReplaceAllFunc(quoted, func(escape []byte) []byte {
			switch {
			case string(escape) == `\/`:
				return escape[1:]
			case len(escape) > 2:
				var c string
				if err := json.Unmarshal(slices.Concat([]byte{'"'}, escape, []byte{'"'}), &c); err == nil {
					return []byte(c)
				}
			}
			return escape
		})
	})
}

// controlCharacter is the offset of the first one that YAML doesn't allow
// (and the parser doesn't say the place of), or -1.
func controlCharacter(source []byte) int {
	return bytes.IndexFunc(source, func(c rune) bool {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f
	})
}

func invalidUTF8(source []byte) (offset int) {
	for offset < len(source) {
		c, size := utf8.DecodeRune(source[offset:])
		if c == utf8.RuneError && size <= 1 {
			return offset
		}
		offset += size
	}
	return offset
}

// node converts y; nil after the file turned out too large.
func (r *Reader) node(y *yaml.Node, path string, depth int) *Node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := &Node{Path: path, Line: y.Line, Column: y.Column}
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		if r.nodes != math.MaxInt32 {
			n.Path = "" // which may be a hundred levels deep
			r.Fault(n, "too large or too deep: aliases (*name) multiply to more than %d values or %d levels", maxNodes, maxDepth)
		}
		r.nodes = math.MaxInt32 // ends the conversion of everything else
		return nil
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = KindObject
		return r.objectNode(n, y, depth)
	case yaml.SequenceNode:
		n.Kind = KindList
		for i, item := range y.Content {
			c := r.node(item, Element(path, i), depth+1)
			if c == nil {
				return nil
			}
			n.Items = append(n.Items, c)
		}
		return n
	default:
		r.scalar(n, y)
		return n
	}
}

// objectNode converts the entries of a mapping: its own, then those of its
// merges (<<) that it doesn't have.
func (r *Reader) objectNode(n *Node, y *yaml.Node, depth int) *Node {
	var merges []*yaml.Node
	seen := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case isMerge(key):
			merges = append(merges, value)
			continue
		case n.Path == "" && strings.HasPrefix(key.Value, "x-"): // there for its anchors
			continue
		}
		at := Entry{Key: key.Value, Line: key.Line, Column: key.Column}
		if key.Kind != yaml.ScalarNode {
			at.Key = "?"
			r.FaultKey(n, at, "a key must be a plain word, not a list or an object")
			continue
		}
		if first, double := seen[key.Value]; double {
			r.FaultKey(n, at, "the key stands twice, here and in line %d; keep one", first)
			continue
		}
		seen[key.Value] = key.Line
		if at.Value = r.node(value, Child(n.Path, key.Value), depth+1); at.Value == nil {
			return nil
		}
		if at.Value.Kind == KindNull && at.Value.Line == 0 {
			at.Value.Line, at.Value.Column = key.Line, key.Column
		}
		n.Entries = append(n.Entries, at)
	}
	for _, merge := range merges {
		if !r.merge(n, merge, seen, depth) {
			return nil
		}
	}
	return n
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
}

// merge adds what "<<: value" brings and n hasn't seen; false ends the
// conversion.
func (r *Reader) merge(n *Node, value *yaml.Node, seen map[string]int, depth int) bool {
	sources := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		sources = value.Content
	}
	for _, source := range sources {
		merged := r.node(source, n.Path, depth+1)
		if merged == nil {
			return false
		}
		if merged.Kind != KindObject {
			r.Fault(merged, "<< merges an object (an alias like *defaults) or a list of them, not %s", merged.Kind)
			continue
		}
		for _, e := range merged.Entries {
			if _, has := seen[e.Key]; !has {
				seen[e.Key] = e.Line
				n.Entries = append(n.Entries, e)
			}
		}
	}
	return true
}

// The scalars of YAML 1.2's JSON schema (10.2.1.2), where what is none of them is
// text: "yes", a date, a phone number with a plus or zeros in front.
var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	realNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	notANumber  = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$`)
)

// maxExact is the largest whole number up to which a float64 holds each one.
const maxExact = 1 << 53

// scalar types y's text, after its references are in place. A text with a
// reference stays text: what a phone number or a code in a variable looks
// like must not change its type.
func (r *Reader) scalar(n *Node, y *yaml.Node) {
	n.Kind, n.Text = KindText, y.Value
	if r.interpolate(n); n.Veiled {
		r.veiled[n.Path] = true
		if n.Unknown {
			r.unresolved = append(r.unresolved, n.Path)
		}
		return
	}
	if len(y.LineComment) > 1 && y.Style == 0 && r.Comment != nil {
		r.Comment(n, y.LineComment)
	}
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return
	}
	if y.Style&yaml.TaggedStyle != 0 {
		switch y.Tag {
		case "!!str", "!":
			return
		case "!!int", "!!float", "!!bool", "!!null":
		default:
			r.Fault(n, "YAML tags like !name have no meaning here; put a value that begins with ! in quotes")
			return
		}
	}
	switch text := n.Text; {
	case text == "" || text == "~" || text == "null" || text == "Null" || text == "NULL":
		n.Kind = KindNull
	case text == "true" || text == "True" || text == "TRUE":
		n.Kind, n.boolean = KindBool, true
	case text == "false" || text == "False" || text == "FALSE":
		n.Kind = KindBool
	case wholeNumber.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		r.setNumber(n, f, err != nil || math.Abs(f) > maxExact)
	case realNumber.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		r.setNumber(n, f, err != nil)
	case notANumber.MatchString(text):
		r.Fault(n, "JSON has no such number; put it in quotes if it is meant as text")
	}
}

func (r *Reader) setNumber(n *Node, f float64, inexact bool) {
	n.Kind, n.number = KindNumber, f
	if inexact {
		r.Fault(n, "the number is too large to be kept exactly; put it in quotes, so that it is text")
	}
}
