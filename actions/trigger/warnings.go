package trigger

import (
	"fmt"
	"slices"
	"strings"
)

// Warnings says, in sentences for people, what of an expression is likely not
// meant: parts that can't be true or always are, whatever the event, and
// fields that look like one of the spec's. It errs on the side of silence,
// and says nothing of an expression that Compile refuses.
//
// Each field is tried with every value that makes a difference to the
// conditions on it, in all combinations. A condition on several fields, or on
// the inside of a text or a list that isn't named, may come out either way.
func Warnings(expr string) []string {
	tree, err := parse(expr)
	if err != nil {
		return nil
	}
	d := doubter{compiler: compiler{expr}}
	if _, err := d.compiler.or(tree); err != nil {
		return nil
	}
	root := d.or(tree)
	d.fill()
	d.tryAll(root)
	if constant := d.judge(root); constant && !d.said(root.warning()) {
		d.warnings = append(d.warnings, "so the trigger "+root.seen.sentence("wants no event", "wants every event"))
	}
	return d.warnings
}

// verdict is what is known of a result: which of the two there can be.
type verdict uint8

const (
	canBeFalse verdict = 1 << iota
	canBeTrue
	either = canBeFalse | canBeTrue
)

func verdictOf(b bool) verdict {
	if b {
		return canBeTrue
	}
	return canBeFalse
}

func (v verdict) sentence(never, always string) string {
	if v == canBeTrue {
		return always
	}
	return never
}

// claim is a part of an expression in question.
type claim struct {
	kind  partKind
	text  string
	parts []*claim
	seen  verdict // over all the events that were tried

	// Of a predicate.
	match condition
	field *doubted  // what it looks at; nil for nothing or several
	open  bool      // it looks into texts and lists
	each  []verdict // by the field's values; one without a field
}

// doubted is a field that predicates look at.
type doubted struct {
	path   path
	claims []*claim
	values []string // JSON; what makes a difference
	apart  []bool   // by value: of type, that such events have no event; of event, that there is one
	tried  int      // the value that is tried
}

// doubter judges one expression.
type doubter struct {
	compiler
	fields   []*doubted
	warnings []string
}

func (d *doubter) or(x *orExpr) *claim {
	if len(x.Terms) == 1 {
		return d.and(x.Terms[0])
	}
	c := &claim{kind: partOr, text: d.text(x.Pos.Offset, x.EndPos.Offset)}
	for _, term := range x.Terms {
		c.parts = append(c.parts, d.and(term))
	}
	return c
}

func (d *doubter) and(x *andExpr) *claim {
	if len(x.Terms) == 1 {
		return d.not(x.Terms[0])
	}
	c := &claim{kind: partAnd, text: d.text(x.Pos.Offset, x.EndPos.Offset)}
	for _, term := range x.Terms {
		c.parts = append(c.parts, d.not(term))
	}
	return c
}

func (d *doubter) not(x *notExpr) (c *claim) {
	if x.Group != nil {
		c = d.or(x.Group)
	} else {
		c = d.one(x.Predicate)
	}
	if len(x.Bangs)%2 == 0 {
		return c
	}
	return &claim{kind: partNot, text: d.text(x.Pos.Offset, x.EndPos.Offset), parts: []*claim{c}}
}

// one is the claim of a predicate.
func (d *doubter) one(x *predicate) *claim {
	p, err := d.predicate(x)
	if err != nil { // it has compiled before
		return &claim{kind: partPredicate, each: []verdict{either}}
	}
	c := &claim{kind: partPredicate, text: p.text, match: p.match, open: opens(x)}
	for i, field := range p.seen {
		d.root(field)
		if i > 0 && !slices.Equal(field.steps, p.seen[0].steps) {
			c.each = []verdict{either}
			return c
		}
	}
	if len(p.seen) == 0 {
		c.each = []verdict{verdictOf(c.match(Event{}))}
		return c
	}
	at := slices.IndexFunc(d.fields, func(f *doubted) bool { return slices.Equal(f.path.steps, p.seen[0].steps) })
	if at < 0 {
		at = len(d.fields)
		d.fields = append(d.fields, &doubted{path: p.seen[0]})
	}
	c.field = d.fields[at]
	c.field.claims = append(c.field.claims, c)
	c.field.consider(x)
	return c
}

// opens reports whether a predicate looks into a text or a list.
func opens(x *predicate) bool {
	into := func(o *operand) bool { return o != nil && o.Call != nil && o.Call.Name != "typeof" }
	return into(x.Left) || into(x.Right) || x.In != nil && x.In.Literal == nil
}

// root warns of a field whose name is nearly one of the spec's.
func (d *doubter) root(field path) {
	plain := func(name string) string {
		return strings.TrimRight(strings.ToLower(strings.ReplaceAll(name, "_", "")), "s")
	}
	name := field.steps[0]
	if len(field.steps) > 1 && slices.Contains([]string{"type", "event", "userId", "anonymousId", "messageId", "timestamp"}, name) {
		if warning := fmt.Sprintf("%s: %s is a text, so that there is nothing in it", field.text, name); !d.said(warning) {
			d.warnings = append(d.warnings, warning)
		}
	}
	if slices.Contains(spec, name) {
		return
	}
	for _, known := range spec {
		near := plain(known) == plain(name) || known == "properties" && (name == "property" || name == "props")
		if warning := fmt.Sprintf("%s: events have no field %s; is it %s?", field.text, name, known); near && !d.said(warning) {
			d.warnings = append(d.warnings, warning)
		}
	}
}

// fill finds each predicate's results for its field's values, and leaves one
// of the values that no predicate tells apart.
func (d *doubter) fill() {
	for _, f := range d.fields {
		f.complete()
		var columns [][]verdict
		for _, value := range f.values {
			column := make([]verdict, len(f.claims))
			for i, c := range f.claims {
				column[i] = f.result(c, value)
			}
			at := slices.IndexFunc(columns, func(same []verdict) bool { return slices.Equal(same, column) })
			if at < 0 {
				at = len(columns)
				columns, f.apart = append(columns, column), append(f.apart, true)
			}
			f.apart[at] = f.apart[at] && f.parts(value)
		}
		for i, c := range f.claims {
			for _, column := range columns {
				c.each = append(c.each, column[i])
			}
		}
		f.values = f.values[:len(columns)] // only their number counts from here
	}
}

// maxTried bounds the events that are tried.
const maxTried = 1 << 16

// tryAll finds what the parts of an expression come to over all events that
// differ; if these are too many, what each predicate comes to.
func (d *doubter) tryAll(root *claim) {
	total := 1
	for _, f := range d.fields {
		if total *= len(f.values); total > maxTried {
			d.tryEach()
			return
		}
	}
	for n := range total {
		apart := 0
		for _, f := range d.fields {
			f.tried, n = n%len(f.values), n/len(f.values)
			if f.apart[f.tried] {
				apart++
			}
		}
		if apart < 2 { // else an identify with an event, say, which there isn't
			root.try()
		}
	}
}

func (d *doubter) tryEach() {
	for _, f := range d.fields {
		for _, c := range f.claims {
			for _, v := range c.each {
				c.seen |= v
			}
		}
	}
}

// try finds what c and its parts come to for the values that are tried.
func (c *claim) try() (v verdict) {
	switch c.kind {
	case partPredicate:
		v = c.each[0]
		if c.field != nil {
			v = c.each[c.field.tried]
		}
	case partNot:
		in := c.parts[0].try()
		v = in>>1 | in<<1&canBeTrue
	default:
		// One part settles a false "and" and a true "or"; the others need all.
		one, all := canBeTrue, canBeFalse
		if c.kind == partAnd {
			one, all = canBeFalse, canBeTrue
		}
		v = all
		for _, p := range c.parts {
			in := p.try()
			v |= in & one
			if in&all == 0 {
				v &^= all
			}
		}
	}
	c.seen |= v
	return v
}

// judge warns of the smallest parts that have one result only. It reports
// whether c has.
func (d *doubter) judge(c *claim) bool {
	within := false
	for _, p := range c.parts {
		within = d.judge(p) || within
	}
	if c.seen == either || c.seen == 0 { // or not tried
		return false
	}
	if warning := c.warning(); !within && !d.said(warning) {
		d.warnings = append(d.warnings, warning)
	}
	return true
}

func (c *claim) warning() string {
	return c.text + " " + c.seen.sentence("can't be true", "is always true")
}

func (d *doubter) said(warning string) bool { return slices.Contains(d.warnings, warning) }
