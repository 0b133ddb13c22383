package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"sort"
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

// reader collects the faults of one file.
type reader struct {
	file      string
	lookupEnv func(name string) (string, bool)
	faults    []Fault
	warnings  []Warning
	literal   []*node         // secrets that stand in the file itself
	skipEnv   bool            // take references for values that aren't known
	veiled    map[string]bool // paths of the scalars that hold a reference
	unknown   []string        // paths of those that aren't looked up
	secrets   []string        // what no message may hold; this package's own quote no veiled value
	nodes     int
}

// fault reports something wrong with n.
func (r *reader) fault(n *node, format string, args ...any) {
	n.broken = true
	r.faults = append(r.faults, Fault{File: r.file, Line: n.line, Column: n.column, Path: n.path, Message: fmt.Sprintf(format, args...)})
}

// faultKey reports something wrong with the key of e in the object n.
func (r *reader) faultKey(n *node, e entry, format string, args ...any) {
	r.faults = append(r.faults, Fault{File: r.file, Line: e.line, Column: e.column, Path: child(n.path, e.key), Message: fmt.Sprintf(format, args...)})
}

// err is a *Faults, or nil when there is none.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	faults := &Faults{List: r.faults, Warnings: r.sortedWarnings()}
	faults.sort()
	return faults
}

// tree parses the file, or reports why it can't be and returns nil.
func (r *reader) tree(source []byte) *node {
	whole := &node{line: 1, column: 1}
	if !utf8.Valid(source) {
		whole.line, whole.column = position(source, invalidUTF8(source))
		r.fault(whole, "not UTF-8 text; save the file as UTF-8")
		return nil
	}
	if i := controlCharacter(source); i >= 0 {
		whole.line, whole.column = position(source, i)
		r.fault(whole, "a control character (%#x) stands here; a YAML file is text", source[i])
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		r.fault(whole, "the file is empty; docs/engage.example.yaml shows what belongs in it")
		return nil
	}
	if err != nil {
		if rewritten := jsonEscapes(source); !bytes.Equal(rewritten, source) {
			return r.tree(rewritten)
		}
		r.syntax(source, err)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		whole.line, whole.column = second.Line, second.Column
		r.fault(whole, "a second YAML document begins here; a configuration is one document")
	case !errors.Is(err, io.EOF):
		r.syntax(source, err)
		return nil
	}
	if len(document.Content) == 0 {
		r.fault(whole, "the file is empty; docs/engage.example.yaml shows what belongs in it")
		return nil
	}
	root := r.node(document.Content[0], "", 0)
	switch {
	case root == nil:
		return nil
	case root.kind == kindNull:
		r.fault(root, "the file is empty; docs/engage.example.yaml shows what belongs in it")
		return nil
	case root.kind != kindObject:
		r.fault(root, "the file must hold an object (kafka: ..., destinations: ...), not %s", root.kind)
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
func (r *reader) node(y *yaml.Node, path string, depth int) *node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := &node{path: path, line: y.Line, column: y.Column}
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		if r.nodes != math.MaxInt32 {
			n.path = "" // which may be a hundred levels deep
			r.fault(n, "too large or too deep: aliases (*name) multiply to more than %d values or %d levels", maxNodes, maxDepth)
		}
		r.nodes = math.MaxInt32 // ends the conversion of everything else
		return nil
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = kindObject
		return r.objectNode(n, y, depth)
	case yaml.SequenceNode:
		n.kind = kindList
		for i, item := range y.Content {
			c := r.node(item, element(path, i), depth+1)
			if c == nil {
				return nil
			}
			n.items = append(n.items, c)
		}
		return n
	default:
		r.scalar(n, y)
		return n
	}
}

// objectNode converts the entries of a mapping: its own, then those of its
// merges (<<) that it doesn't have.
func (r *reader) objectNode(n *node, y *yaml.Node, depth int) *node {
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
		case n.path == "" && strings.HasPrefix(key.Value, "x-"): // there for its anchors
			continue
		}
		at := entry{key: key.Value, line: key.Line, column: key.Column}
		if key.Kind != yaml.ScalarNode {
			at.key = "?"
			r.faultKey(n, at, "a key must be a plain word, not a list or an object")
			continue
		}
		if first, double := seen[key.Value]; double {
			r.faultKey(n, at, "the key stands twice, here and in line %d; keep one", first)
			continue
		}
		seen[key.Value] = key.Line
		if at.value = r.node(value, child(n.path, key.Value), depth+1); at.value == nil {
			return nil
		}
		if at.value.kind == kindNull && at.value.line == 0 {
			at.value.line, at.value.column = key.Line, key.Column
		}
		n.entries = append(n.entries, at)
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
func (r *reader) merge(n *node, value *yaml.Node, seen map[string]int, depth int) bool {
	sources := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		sources = value.Content
	}
	for _, source := range sources {
		merged := r.node(source, n.path, depth+1)
		if merged == nil {
			return false
		}
		if merged.kind != kindObject {
			r.fault(merged, "<< merges an object (an alias like *defaults) or a list of them, not %s", merged.kind)
			continue
		}
		for _, e := range merged.entries {
			if _, has := seen[e.key]; !has {
				seen[e.key] = e.line
				n.entries = append(n.entries, e)
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
func (r *reader) scalar(n *node, y *yaml.Node) {
	n.kind, n.text = kindText, y.Value
	if r.interpolate(n); n.veiled {
		r.veiled[n.path] = true
		if n.unknown {
			r.unknown = append(r.unknown, n.path)
		}
		return
	}
	r.warnOfComment(n, y)
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return
	}
	if y.Style&yaml.TaggedStyle != 0 {
		switch y.Tag {
		case "!!str", "!":
			return
		case "!!int", "!!float", "!!bool", "!!null":
		default:
			r.fault(n, "YAML tags like !name have no meaning here; put a value that begins with ! in quotes")
			return
		}
	}
	switch text := n.text; {
	case text == "" || text == "~" || text == "null" || text == "Null" || text == "NULL":
		n.kind = kindNull
	case text == "true" || text == "True" || text == "TRUE":
		n.kind, n.boolean = kindBool, true
	case text == "false" || text == "False" || text == "FALSE":
		n.kind = kindBool
	case wholeNumber.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		r.number(n, f, err != nil || math.Abs(f) > maxExact)
	case realNumber.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		r.number(n, f, err != nil)
	case notANumber.MatchString(text):
		r.fault(n, "JSON has no such number; put it in quotes if it is meant as text")
	}
}

func (r *reader) number(n *node, f float64, inexact bool) {
	n.kind, n.number = kindNumber, f
	if inexact {
		r.fault(n, "the number is too large to be kept exactly; put it in quotes, so that it is text")
	}
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: line ([0-9]+): (.*)$`)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '`)
)

// syntax reports what the YAML parser found. Its errors are text only. The
// one that quotes the file is replaced: a password may begin with an asterisk.
func (r *reader) syntax(source []byte, err error) {
	at := &node{line: brokenLine(source, err)}
	message := syntaxMessage(err)
	if unknownAnchor.MatchString(err.Error()) {
		r.fault(at, "not YAML: an alias (*name) without its anchor (&name); put a value that begins with * in quotes")
		return
	}
	if line := tabIndented(source, at.line); line > 0 {
		at.line, at.column = line, 1
		r.fault(at, "not YAML: the line is indented with a tab; use spaces")
		return
	}
	if flowReference(source, at.line, message) {
		r.fault(at, "not YAML: %s; between { } or [ ] a reference needs quotes: \"${NAME}\"", message)
		return
	}
	r.fault(at, "not YAML: %s (here or shortly before; look for indentation, and for quotes around text with \": \" or \" #\")", message)
}

// syntaxMessage is a parser's error without its line.
func syntaxMessage(err error) string {
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		return m[2]
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// brokenLine is where the parser stumbled. It names the line where the
// surrounding list or object begins, the one before that, or none. So it is
// looked for: the shortest beginning of the file, in whole lines, that has the
// same error.
func brokenLine(source []byte, err error) int {
	var ends []int // of the lines
	for i, c := range source {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(source) > 0 && source[len(source)-1] != '\n' {
		ends = append(ends, len(source))
	}
	message := syntaxMessage(err)
	i := sort.Search(len(ends)-1, func(i int) bool {
		err := parses(source[:ends[i]])
		return err != nil && syntaxMessage(err) == message
	})
	return i + 1
}

// parses is the error of source as YAML, of as many documents as tree reads.
func parses(source []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	for range 2 {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

var unquotedReference = regexp.MustCompile(`(^|[\s{\[,:])\$\{`)

// flowReference reports whether a flow object or list ended early in the line
// because of an unquoted ${...}, whose end the parser takes the brace for.
func flowReference(source []byte, number int, message string) bool {
	lines := bytes.Split(source, []byte{'\n'})
	return strings.Contains(message, "',' or") && number <= len(lines) && unquotedReference.Match(lines[number-1])
}

// tabIndented is the line near the given one that begins with a tab, or 0.
// The parser's line may be one off.
func tabIndented(source []byte, near int) int {
	for i, line := range bytes.Split(source, []byte{'\n'}) {
		if number := i + 1; number >= near-1 && number <= near+1 {
			indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
			if bytes.IndexByte(indent, '\t') >= 0 {
				return number
			}
		}
	}
	return 0
}
