package liquid

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osteele/liquid/parser"
	"github.com/osteele/liquid/render"
)

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	source string
	body   sequence
	static bool      // it has neither tags nor outputs
	text   string    // what it renders to then
	states sync.Pool // of renderings that are over, for their memory
}

// maxSource is the longest template there can be, in bytes.
const maxSource = 256 << 10

// Compile compiles a template. The error is an *Error.
func Compile(source string) (*Template, error) {
	return compile(source, vocabulary{filters: filterNamed, tagDisabled: func(string) bool { return false }})
}

// CompileDirective compiles the template of a mapping's @liquid directive, for
// which the hosted destination disables tags and filters that can take long.
func CompileDirective(source string) (*Template, error) {
	return compile(source, vocabulary{filters: directiveFilter, tagDisabled: disabledInDirective})
}

// vocabulary is which filters and tags there are.
type vocabulary struct {
	filters     func(name string) (filter, bool)
	tagDisabled func(name string) bool
}

func (v *vocabulary) filterNamed(name string) (filter, bool) { return v.filters(name) }

func compile(source string, words vocabulary) (*Template, error) {
	if len(source) > maxSource {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("a template can have at most %d bytes", maxSource)}
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	c := &compiler{source: source, words: &words, actions: map[string]action{}}
	if err := c.add(tokens); err != nil {
		return nil, err
	}
	config := c.config()
	root, engineErr := config.Compile(c.script.String(), parser.SourceLoc{LineNo: 1})
	if engineErr != nil {
		return nil, c.place(engineErr)
	}
	t := &Template{source: source}
	if root, ok := root.(*render.SeqNode); ok {
		t.body = c.sequence(root.Children)
	}
	if !slices.ContainsFunc(tokens, func(t token) bool { return t.kind != textToken }) {
		t.static = true
		var text strings.Builder
		for _, token := range tokens {
			text.WriteString(source[token.begin:token.end])
		}
		t.text = text.String()
	}
	return t, nil
}

// Static reports whether the template has neither tags nor outputs: it always
// renders to the same text.
func (t *Template) Static() bool { return t.static }

// Render renders the template with the variables vars, an object: a
// *jsvalue.Object or a map[string]any. It only reads them. Errors are of type
// *Error; rendering that takes too long or makes too much is one.
func (t *Template) Render(vars any) (string, error) {
	return t.renderAt(vars, time.Now)
}

func (t *Template) renderAt(vars any, now func() time.Time) (string, error) {
	if t.static {
		return t.text, nil
	}
	st, ok := t.states.Get().(*state)
	if !ok {
		st = &state{out: make([]byte, 0, len(t.source)+64)}
	}
	defer func() {
		*st = state{out: st.out[:0]}
		t.states.Put(st)
	}()
	st.vars, st.budget, st.now = vars, maxWork, now
	err := t.body.render(st)
	var s signal
	if err != nil && !errors.As(err, &s) {
		var known *Error
		if !errors.As(err, &known) {
			known = &Error{Line: 1, Column: 1, Message: err.Error()}
		}
		return "", known
	}
	return string(st.out), nil
}

// compiler hands a template's tokens to the engine: as a script of tags whose
// argument is the token's number, each on a line of that number.
type compiler struct {
	source  string
	words   *vocabulary
	tokens  []token
	script  strings.Builder
	nested  int
	actions map[string]action // of the tags compiled so far, by their argument
	fault   error             // of a tag's arguments, which the engine would retell without its place
}

// Tags of the script that aren't tags of the template.
const (
	textTag   = "text"
	outputTag = "output"
	linesTag  = "lines" // what {% liquid %} has in it
)

func (c *compiler) add(tokens []token) error {
	for _, t := range tokens {
		name := t.name
		switch t.kind {
		case textToken:
			name = textTag
		case outputToken:
			name = outputTag
		default:
			if err := c.known(t); err != nil {
				return err
			}
		}
		if name == "liquid" {
			if err := c.addLines(t); err != nil {
				return err
			}
			continue
		}
		c.emit(name, t)
	}
	return nil
}

func (c *compiler) emit(name string, t token) {
	fmt.Fprintf(&c.script, "{%%%s %d\n%%}", name, len(c.tokens))
	c.tokens = append(c.tokens, t)
}

// addLines adds the tags of {% liquid %}, one a line.
func (c *compiler) addLines(t token) error {
	c.emit(linesTag, t)
	comment := false
	for pos := t.begin; pos < t.end; {
		end := t.end
		if i := strings.IndexByte(c.source[pos:end], '\n'); i >= 0 {
			end = pos + i + 1
		}
		r := reader{source: c.source, at: pos, end: end}
		if r.blanks(); !r.done() {
			line := token{kind: tagToken, pos: r.at}
			if line.name = r.tagName(); line.name == "" {
				return c.fail(line, "the name of a tag is expected here")
			}
			r.blanks()
			line.begin = min(r.at, end)
			line.end = line.begin + len(strings.TrimRightFunc(c.source[line.begin:end], isBlank))
			switch {
			case line.name == "comment" || line.name == "endcomment":
				comment = line.name == "comment"
			case line.name != "#" && !comment:
				if err := c.add([]token{line}); err != nil {
					return err
				}
			}
		}
		pos = end
	}
	if comment {
		return c.fail(t, "comment is not closed with endcomment")
	}
	c.emit("end"+linesTag, t)
	return nil
}

// known tells whether t is a tag there is, and counts how deep blocks nest.
func (c *compiler) known(t token) error {
	block := strings.TrimPrefix(t.name, "end")
	switch {
	case t.name == "include" || t.name == "render" || t.name == "layout":
		return c.fail(t, "tag %q is not available: there are no other templates to read", t.name)
	case c.words.tagDisabled(block):
		return c.fail(t, "tag %q is not available in @liquid", t.name)
	case isBlock(t.name):
		if c.nested++; c.nested > maxNesting {
			return c.fail(t, "blocks nest more than %d deep", maxNesting)
		}
		return nil
	case isBlock(block):
		c.nested--
		return nil
	case isTag(t.name):
		return nil
	}
	return c.fail(t, "there is no tag %q", t.name)
}

func (c *compiler) fail(t token, format string, args ...any) error {
	return errorAt(c.source, t.pos, format, args...)
}

// place turns an error of the engine, whose line is a token's number, into one
// with the token's place.
func (c *compiler) place(err parser.Error) error {
	if c.fault != nil {
		return c.fault
	}
	t := token{}
	if i := err.LineNumber() - 1; i >= 0 && i < len(c.tokens) {
		t = c.tokens[i]
	}
	if isBlock(t.name) {
		return c.fail(t, "%s is not closed with {%% end%s %%}", t.name, t.name)
	}
	return c.fail(t, "%s is not expected here", t.name)
}
