package liquid

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"engage-worker/actions/jsvalue"
)

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	source string
	body   sequence
	holes  int       // for data
	static bool      // it has neither tags nor outputs
	text   string    // what it renders to then
	states sync.Pool // of renderings that are over, for their memory

	words *vocabulary // with what was read of it
}

// maxSource is the longest template there can be, in bytes.
const maxSource = 256 << 10

// Compile compiles a text that is all a template. The error is an *Error.
func Compile(source string) (*Template, error) { return CompileSource(Fixed(source)) }

// CompileSource compiles a template with data in it. It serves for every Source
// that differs in the data only. The error is an *Error.
func CompileSource(source Source) (*Template, error) {
	shape, _ := source.shape()
	return compileShape(shape)
}

func compileShape(shape string) (*Template, error) {
	return compile(shape, vocabulary{filters: filterNamed, tagDisabled: func(string) bool { return false }})
}

// CompileDirective compiles the template of a mapping's @liquid directive, for
// which the hosted destination disables tags and filters that can take long.
func CompileDirective(source string) (*Template, error) {
	return compile(Fixed(source).text, vocabulary{filters: directiveFilter, tagDisabled: disabledInDirective})
}

// vocabulary is which filters and tags there are.
type vocabulary struct {
	filters     func(name string) (filter, bool)
	tagDisabled func(name string) bool

	variables []variable // read so far
	defined   []string   // variables of the template's own
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
	t.words = &words
	t.holes = strings.Count(source, "\xff")
	if t.holes == 0 && !slices.ContainsFunc(tokens, func(t token) bool { return t.kind != textToken }) {
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

// Render renders the template of a source, at the expense of b, with the
// variables vars, an object: a *jsvalue.Object or a map[string]any. It only
// reads them. The source is the one that was compiled, or one that differs in
// the data only. An error is an *Error, or an *InterruptedError.
func (t *Template) Render(b *Budget, source *Source, vars any) (string, error) {
	_, data := source.shape()
	return t.render(b, data, vars, time.Now)
}

func (t *Template) render(b *Budget, data []string, vars any, now func() time.Time) (string, error) {
	if t.static {
		return t.text, nil
	}
	if len(data) != t.holes {
		return "", &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the template has %d places for data, there are %d", t.holes, len(data))}
	}
	st, ok := t.states.Get().(*state)
	if !ok {
		st = &state{out: make([]byte, 0, len(t.source)+64)}
	}
	defer func() {
		*st = state{out: st.out[:0]}
		t.states.Put(st)
	}()
	st.vars, st.budget, st.data, st.now = vars, b, data, now
	st.noting()
	err := t.body.render(st)
	if _, stopped := errors.AsType[signal](err); err == nil || stopped {
		if st.halves {
			return jsvalue.WithoutHalves(string(st.out)), nil
		}
		return string(st.out), nil
	}
	return "", told(err)
}

// told is err as an *Error or an *InterruptedError: what has no place of its own
// is of the template as a whole.
func told(err error) error {
	if stop, ok := errors.AsType[*InterruptedError](err); ok {
		return stop
	}
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault
	}
	return &Error{Line: 1, Column: 1, Message: err.Error()}
}
