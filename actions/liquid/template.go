package liquid

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
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
	t := &Template{source: source}
	c := &compiler{source: source, words: &words, tokens: tokens}
	if t.body, _, err = c.sequence(nil); err != nil {
		return nil, err
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
