package form

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	syntaxLine    = regexp.MustCompile(`^yaml: line ([0-9]+): (.*)$`)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '`)
)

// syntax reports what the YAML parser found. Its errors are text only. The
// one that quotes the file is replaced: a password may begin with an asterisk.
func (r *Reader) syntax(source []byte, err error) {
	at := &Node{Line: brokenLine(source, err)}
	message := syntaxMessage(err)
	if unknownAnchor.MatchString(err.Error()) {
		r.Fault(at, "not YAML: an alias (*name) without its anchor (&name); put a value that begins with * in quotes")
		return
	}
	if line := tabIndented(source, at.Line); line > 0 {
		at.Line, at.Column = line, 1
		r.Fault(at, "not YAML: the line is indented with a tab; use spaces")
		return
	}
	if flowReference(source, at.Line, message) {
		r.Fault(at, "not YAML: %s; between { } or [ ] a reference needs quotes: \"${NAME}\"", message)
		return
	}
	r.Fault(at, "not YAML: %s (here or shortly before; look for indentation, and for quotes around text with \": \" or \" #\")", message)
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

// position is the line and column, from 1, of source[offset].
func position(source []byte, offset int) (line, column int) {
	before := source[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}
