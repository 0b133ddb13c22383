package trigger

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Explanation says, for people, how an expression or a part of it came out.
// It shows values of the event: it is for their owner's eyes, not for logs.
type Explanation struct {
	Text   string        `json:"text"`   // the part, as written
	Result bool          `json:"result"` // what it came to
	Seen   []Seen        `json:"seen,omitempty"`
	Parts  []Explanation `json:"parts,omitempty"` // what and, or and ! join

	kind partKind
}

// Seen is a field that a part looked at.
type Seen struct {
	Field string `json:"field"` // as written
	Value string `json:"value"` // JSON, cut when long; "missing" when it is
}

// Explain evaluates every part of the expression, also those that Match
// would not get to.
func (t *Trigger) Explain(event []byte) Explanation {
	e, err := Parse(event)
	if err != nil {
		return Explanation{Text: t.expr, kind: partPredicate, Seen: []Seen{{Field: "the event", Value: err.Error()}}}
	}
	return t.ExplainEvent(e)
}

// ExplainEvent is Explain of an event that is parsed already.
func (t *Trigger) ExplainEvent(e Event) Explanation { return t.root.explain(e) }

func (p *part) explain(e Event) Explanation {
	x := Explanation{Text: p.text, Result: p.match(e), kind: p.kind}
	for _, field := range p.seen {
		x.Seen = append(x.Seen, Seen{Field: field.text, Value: show(field.find(e))})
	}
	for _, sub := range p.parts {
		x.Parts = append(x.Parts, sub.explain(e))
	}
	return x
}

func show(raw []byte) string {
	const most = 80
	if raw == nil {
		return "missing"
	}
	s := strings.ToValidUTF8(string(raw), string(utf8.RuneError))
	if utf8.RuneCountInString(s) > most {
		s = s[:len(s)-len(skipRunes(s, most))] + "..."
	}
	return s
}

// String says in one line what decided: for "no match", the parts that
// would have had to come out otherwise.
func (x Explanation) String() string {
	verdict := "no match"
	if x.Result {
		verdict = "match"
	}
	var reasons []string
	for _, p := range x.deciding(nil) {
		reasons = append(reasons, p.sentence())
	}
	const most = 4
	if more := len(reasons) - most; more > 0 {
		reasons = append(reasons[:most], fmt.Sprintf("and %d more", more))
	}
	return verdict + ": " + strings.Join(reasons, "; ")
}

// deciding appends the predicates that made x come out as it did, in the
// order of the expression.
func (x Explanation) deciding(to []Explanation) []Explanation {
	if x.kind == partPredicate {
		return append(to, x)
	}
	// One part settles a false "and" and a true "or"; the others need all.
	one := x.kind == partAnd && !x.Result || x.kind == partOr && x.Result
	for _, p := range x.Parts {
		if one && p.Result == x.Result {
			return p.deciding(to)
		}
		if !one {
			to = p.deciding(to)
		}
	}
	return to
}

func (x Explanation) sentence() string {
	var seen []string
	for _, s := range x.Seen {
		seen = append(seen, s.Field+" is "+s.Value)
	}
	if len(seen) == 0 {
		return fmt.Sprintf("%s is %t", x.Text, x.Result)
	}
	return fmt.Sprintf("%s is %t (%s)", x.Text, x.Result, strings.Join(seen, ", "))
}
