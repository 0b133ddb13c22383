package mapping

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// fixedPath is @path.
type fixedPath struct{ path path }

func (n fixedPath) resolve(_ *run, payload any) (any, error) { return n.path.get(payload), nil }

// computedPath is @path with a path that another directive makes.
type computedPath struct {
	path node
	at   string
}

func (c *compiler) path(v any, at string, depth int) node {
	switch n := c.compileText(v, at, depth).(type) {
	case nil:
		return constant{}
	case constant:
		s, ok := n.value.(string)
		if !ok {
			return c.fault(at, "should be a string, is %s", kind(n.value))
		}
		return fixedPath{parsePath(withoutRoot(s))}
	default:
		return computedPath{n, at}
	}
}

func (n computedPath) resolve(r *run, payload any) (any, error) {
	s, err := resolveText(r, n.path, payload, n.at)
	if err != nil {
		return nil, err
	}
	return parsePath(withoutRoot(s.String())).get(payload), nil
}

// compileText compiles what has to be a string or a directive; nil after a
// fault.
func (c *compiler) compileText(v any, at string, depth int) node {
	if _, ok := v.(string); !ok && !isDirective(v) {
		c.fault(at, "should be a string or a directive, is %s", kind(v))
		return nil
	}
	return c.compile(v, at, depth+1)
}

// resolveText resolves what has to be a text.
func resolveText(r *run, n node, payload any, at string) (*liquid.Source, error) {
	v, err := r.track(true, n, payload)
	if err != nil {
		return nil, err
	}
	s, ok := sourceOf(v)
	if !ok {
		return nil, &ResolveError{at, fmt.Errorf("should resolve to a string, is %s", kind(v))}
	}
	return s, r.spend(len(s.String()))
}

// sourceOf is v as a text, if it is one.
func sourceOf(v any) (*liquid.Source, bool) {
	switch v := v.(type) {
	case *liquid.Source:
		return v, true
	case string:
		s := liquid.Data(v)
		return &s, true
	}
	return nil, false
}

// made is a text as a value.
func (r *run) made(s liquid.Source) any {
	if !r.tracking || s.String() == "" {
		return s.String()
	}
	return &s
}

// template is @template. Placeholders are what the mapping has as such; what
// they lead to is data.
type template struct {
	fixed    liquid.Source
	parts    []part // of fixed
	dynamic  node   // computes the template, or nil
	trusting bool   // placeholders are also what an event has as such
	at       string
}

func (c *compiler) template(v any, at string, depth int) node {
	switch n := c.compileText(v, at, depth).(type) {
	case nil:
		return constant{}
	case constant:
		s, ok := n.value.(string)
		if !ok {
			return c.fault(at, "should be a string, is %s", kind(n.value))
		}
		t := template{fixed: liquid.Fixed(s), trusting: c.trusting, at: at}
		if t.parts = split(t.fixed.String(), firstBraces(s)); len(t.parts) == 1 && firstBraces(s) == 2 {
			return n
		}
		return t
	default:
		return template{dynamic: n, trusting: c.trusting, at: at}
	}
}

func (n template) resolve(r *run, payload any) (any, error) {
	s, parts := &n.fixed, n.parts
	if n.dynamic != nil {
		var err error
		if s, err = resolveText(r, n.dynamic, payload, n.at); err != nil {
			return nil, err
		}
		if n.trusting {
			trusted := liquid.Fixed(s.String())
			s = &trusted
		}
		parts = split(s.Masked(), firstBraces(s.Masked()))
	}
	filled, err := n.fill(r, s, parts, payload)
	if err == nil && firstBraces(s.Masked()) == 3 {
		filled, err = n.fill(r, &filled, split(filled.Masked(), 2), payload)
	}
	if err != nil {
		return nil, &ResolveError{n.at, err}
	}
	return r.made(filled), nil
}

// changeCase is @case.
type changeCase struct {
	upper bool
	value node
}

func (c *compiler) changeCase(v any, path string, depth int) node {
	o := c.options(v, path, depth, "operator", "value")
	if !o.ok() {
		return constant{}
	}
	operator := o.oneOf("operator", "lower", "upper")
	value := o.text("value")
	if raw, _ := o.get("value"); value == nil || raw == "" {
		return newConstant(jsvalue.Undefined{})
	}
	return c.settled(changeCase{operator == "upper", value}, value)
}

func (n changeCase) resolve(r *run, payload any) (any, error) {
	v, err := n.value.resolve(r, payload)
	if err != nil {
		return nil, err
	}
	change := jsvalue.ToLower
	if n.upper {
		change = jsvalue.ToUpper
	}
	switch v := v.(type) {
	case string:
		return change(v), r.spend(len(v))
	case *liquid.Source:
		return r.made(v.Map(change)), r.spend(len(v.String()))
	default:
		return v, nil
	}
}

// maxPattern is how long, in UTF-16 units, @replace's patterns and
// replacements may be.
const maxPattern = 10

// replace is @replace.
type replace struct {
	value  node
	steps  []step
	global bool
	fold   bool
	at     string
}

type step struct {
	pattern     string
	replacement string
}

func (c *compiler) replace(v any, path string, depth int) node {
	o := c.options(v, path, depth, "pattern", "replacement", "pattern2", "replacement2", "value", "global", "ignorecase")
	if !o.ok() {
		return constant{}
	}
	n := replace{global: o.flag("global", true), fold: o.flag("ignorecase", false), at: path}
	first := step{o.bounded("pattern"), o.bounded("replacement")}
	if _, there := o.get("pattern"); !there {
		c.fault(path, `needs "pattern"`)
	} else if v, _ := o.get("pattern"); v == "" {
		c.fault(o.at("pattern"), "should not be empty")
	}
	n.steps = append(n.steps, first)
	if v, _ := o.get("pattern2"); truthy(v) {
		second := step{pattern: o.bounded("pattern2")}
		if v, _ := o.get("replacement2"); v != nil {
			second.replacement = o.bounded("replacement2")
		}
		n.steps = append(n.steps, second)
	}
	if n.value = o.text("value"); n.value == nil {
		return c.fault(path, `needs "value"`)
	}
	if raw, _ := o.get("value"); raw == "" {
		return newConstant(jsvalue.Undefined{})
	}
	return c.settled(n, n.value)
}

// bounded is an optional string of the mapping itself, of limited length.
func (o options) bounded(name string) string {
	s, _ := o.fixed(name)
	if jsvalue.StringLen(s) > maxPattern {
		o.c.fault(o.at(name), "should have at most %d characters", maxPattern)
	}
	return s
}

func (n replace) resolve(r *run, payload any) (any, error) {
	v, err := n.value.resolve(r, payload)
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case bool, float64:
		v = jsvalue.String(v)
	}
	s, ok := sourceOf(v)
	if !ok {
		return "", nil
	}
	for _, step := range n.steps {
		if s, err = step.apply(r, s, n.global, n.fold); err != nil {
			return nil, &ResolveError{n.at, err}
		}
	}
	return r.made(*s), nil
}

// apply replaces the pattern in source, taken literally. What comes in place of
// data is data.
func (t step) apply(r *run, source *liquid.Source, global, fold bool) (*liquid.Source, error) {
	s := source.String()
	if err := r.spend(len(s)); err != nil {
		return nil, err
	}
	var b liquid.Builder
	rest := 0
	for at := 0; at <= len(s); {
		n, found := match(s[at:], t.pattern, fold)
		if !found {
			if at == len(s) {
				break
			}
			_, size := utf8.DecodeRuneInString(s[at:])
			at += size
			continue
		}
		if err := r.spend(at - rest + len(t.replacement)); err != nil {
			return nil, err
		}
		b.Range(source, rest, at)
		replacement, err := t.expand(r, s, at, at+n)
		if err != nil {
			return nil, err
		}
		b.Like(source, at, at+n, replacement)
		at += n
		rest = at
		if !global {
			break
		}
	}
	b.Range(source, rest, len(s))
	replaced := b.Source()
	return &replaced, nil
}

// match tells whether s starts with pattern, and with how many bytes. Folding
// compares as a regular expression's i flag without u does: by the simple
// upper case, which never turns others into ASCII letters.
func match(s, pattern string, fold bool) (int, bool) {
	if !fold {
		return len(pattern), strings.HasPrefix(s, pattern)
	}
	n := 0
	for _, want := range pattern {
		got, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || canonical(got) != canonical(want) {
			return 0, false
		}
		n += size
	}
	return n, true
}

func canonical(r rune) rune {
	upper := unicode.ToUpper(r)
	if r >= utf8.RuneSelf && upper < utf8.RuneSelf {
		return r
	}
	return upper
}

// expand is the replacement for s[start:end]. JavaScript gives "$" a meaning:
// $$ is a dollar, $& the match, $` what is before it, $' what is after it.
func (t step) expand(r *run, s string, start, end int) (string, error) {
	if !strings.Contains(t.replacement, "$") {
		return t.replacement, nil
	}
	var b strings.Builder
	for i := 0; i < len(t.replacement); i++ {
		text := t.replacement[i : i+1]
		if text == "$" && i+1 < len(t.replacement) {
			i++
			switch t.replacement[i] {
			case '$':
			case '&':
				text = s[start:end]
			case '`':
				text = s[:start]
			case '\'':
				text = s[end:]
			default:
				i--
			}
		}
		if err := r.spend(len(text)); err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// liquidTemplate is @liquid.
type liquidTemplate struct {
	template *liquid.Template
	at       string
}

// maxLiquid is how long, in UTF-16 units, a @liquid may be.
const maxLiquid = 1000

func (c *compiler) liquid(v any, path string) node {
	source, ok := v.(string)
	if !ok {
		return c.fault(path, "should be a string, is %s", kind(v))
	}
	if jsvalue.StringLen(source) > maxLiquid {
		return c.fault(path, "should have at most %d characters", maxLiquid)
	}
	t, err := liquid.CompileDirective(source)
	if err != nil {
		return c.fault(path, "%v", err)
	}
	n := liquidTemplate{t, path}
	if t.Static() {
		return c.settled(n)
	}
	return n
}

func (n liquidTemplate) resolve(r *run, payload any) (any, error) {
	s, err := n.template.Render(r.work, &liquid.Source{}, payload)
	if err == nil {
		err = r.spend(len(s))
	}
	if err != nil {
		return nil, &ResolveError{n.at, err}
	}
	return s, nil
}
