package trigger

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// condition answers for one event.
type condition func(Event) bool

// part is a compiled part of an expression: a predicate, or and, or, not
// over smaller parts.
type part struct {
	kind  partKind
	text  string
	match condition
	parts []*part
	seen  []path // the fields that a predicate looks at
}

type partKind uint8

const (
	partPredicate partKind = iota + 1
	partAnd
	partOr
	partNot
)

type compiler struct{ expr string }

func (c compiler) fault(at int, format string, args ...any) error {
	return &SyntaxError{Expr: c.expr, Offset: at, Message: fmt.Sprintf(format, args...)}
}

func (c compiler) text(start, end int) string { return strings.TrimSpace(c.expr[start:end]) }

func (c compiler) or(x *orExpr) (*part, error) {
	if len(x.Terms) == 1 {
		return c.and(x.Terms[0])
	}
	p := &part{kind: partOr, text: c.text(x.Pos.Offset, x.EndPos.Offset)}
	var terms []condition
	for _, term := range x.Terms {
		sub, err := c.and(term)
		if err != nil {
			return nil, err
		}
		p.parts, terms = append(p.parts, sub), append(terms, sub.match)
	}
	p.match = func(e Event) bool {
		for _, term := range terms {
			if term(e) {
				return true
			}
		}
		return false
	}
	return p, nil
}

func (c compiler) and(x *andExpr) (*part, error) {
	if len(x.Terms) == 1 {
		return c.not(x.Terms[0])
	}
	p := &part{kind: partAnd, text: c.text(x.Pos.Offset, x.EndPos.Offset)}
	var terms []condition
	for _, term := range x.Terms {
		sub, err := c.not(term)
		if err != nil {
			return nil, err
		}
		p.parts, terms = append(p.parts, sub), append(terms, sub.match)
	}
	p.match = func(e Event) bool {
		for _, term := range terms {
			if !term(e) {
				return false
			}
		}
		return true
	}
	return p, nil
}

func (c compiler) not(x *notExpr) (sub *part, err error) {
	if x.Group != nil {
		sub, err = c.or(x.Group)
	} else {
		sub, err = c.predicate(x.Predicate)
	}
	if err != nil || len(x.Bangs)%2 == 0 {
		return sub, err
	}
	match := sub.match
	return &part{
		kind:  partNot,
		text:  c.text(x.Pos.Offset, x.EndPos.Offset),
		match: func(e Event) bool { return !match(e) },
		parts: []*part{sub},
	}, nil
}

func (c compiler) predicate(x *predicate) (*part, error) {
	p := &part{kind: partPredicate, text: c.text(x.Pos.Offset, x.EndPos.Offset)}
	left, err := c.operand(x.Left)
	if err != nil {
		return nil, err
	}
	switch {
	case x.In != nil:
		p.match, p.seen, err = c.in(left, x.In)
		p.seen = append(left.seen, p.seen...)
	case x.Op == "":
		p.seen = left.seen
		p.match, err = c.truth(left, x)
	default:
		var right operandCode
		if right, err = c.operand(x.Right); err == nil {
			p.seen = append(left.seen, right.seen...)
			p.match = comparison(x.Op, left, right)
		}
	}
	return p, err
}

// truth takes an operand as a condition: true is true, anything else is not.
func (c compiler) truth(o operandCode, x *predicate) (condition, error) {
	if o.kind != kindAny && o.kind != kindBool {
		return nil, c.fault(x.Pos.Offset, "%s is a %s, not a condition: compare it with something", c.text(x.Pos.Offset, x.EndPos.Offset), o.kind)
	}
	if o.path != nil && len(o.path.steps) == 1 {
		return nil, c.fault(x.EndPos.Offset, "%s alone is not a condition: compare it with something", o.path.text)
	}
	if o.test != nil {
		return o.test, nil
	}
	get := o.get
	return func(e Event) bool {
		v := get(e)
		return v.kind == kindBool && v.bool
	}, nil
}

func (c compiler) in(left operandCode, x *list) (match condition, seen []path, err error) {
	get := left.get
	if x.Literal == nil {
		p := newPath(x.Path, splitPath(x.Path))
		return func(e Event) bool { return isIn(get(e), valueOf(p.find(e))) }, []path{p}, nil
	}
	var elements []value
	for _, element := range x.Literal.Elements {
		o, err := c.operand(element)
		if err != nil {
			return nil, nil, err
		}
		if o.literal == nil {
			return nil, nil, c.fault(element.Pos.Offset, "a list's elements must be strings, numbers, true, false or null")
		}
		elements = append(elements, *o.literal)
	}
	return func(e Event) bool {
		v := get(e)
		for _, element := range elements {
			if equal(v, element) {
				return true
			}
		}
		return false
	}, nil, nil
}

// comparison compiles "left op right", with shorter ways for the usual ones.
func comparison(op string, left, right operandCode) condition {
	if left.literal != nil && right.literal == nil && (op == "=" || op == "!=") {
		left, right = right, left
	}
	switch op {
	case "=":
		return equality(left, right)
	case "!=":
		same := equality(left, right)
		return func(e Event) bool { return !same(e) }
	}
	x, y := left.numeric().get, right.numeric().get
	order := ordering(op)
	return func(e Event) bool {
		a, b := x(e), y(e)
		return a.kind == kindNumber && b.kind == kindNumber && order(a.num, b.num)
	}
}

func equality(left, right operandCode) condition {
	if lit := right.literal; lit != nil && left.path != nil {
		p := *left.path
		if lit.kind == kindString {
			return fieldSays(p, lit.str)
		}
	}
	if lit := right.literal; lit != nil && left.lowercased != nil && lit.kind == kindString {
		inner, want := left.lowercased, lit.str
		return func(e Event) bool {
			v := inner(e)
			return v.kind == kindString && lowercaseEquals(v.str, want)
		}
	}
	x, y := left.get, right.get
	return func(e Event) bool { return equal(x(e), y(e)) }
}

// fieldSays is the usual trigger: a field that is a certain string.
func fieldSays(p path, want string) condition {
	return func(e Event) bool {
		raw := p.find(e)
		return len(raw) > 0 && raw[0] == '"' && saysString(raw[1:len(raw)-1], want)
	}
}

func ordering(op string) func(a, b float64) bool {
	switch op {
	case "<":
		return func(a, b float64) bool { return a < b }
	case "<=":
		return func(a, b float64) bool { return a <= b }
	case ">":
		return func(a, b float64) bool { return a > b }
	default:
		return func(a, b float64) bool { return a >= b }
	}
}

// kindAny is the kind of an operand that only an event can tell.
const kindAny kind = 255

// operandCode is a compiled operand.
type operandCode struct {
	kind       kind
	get        func(Event) value
	test       condition         // the same, of a call that answers yes or no
	literal    *value            // when it is one
	path       *path             // when it is one
	lowercased func(Event) value // the argument, when it is a call of lowercase
	seen       []path
}

func literalCode(v value) operandCode {
	return operandCode{kind: v.kind, literal: &v, get: func(Event) value { return v }}
}

// numeric is o as "<" and its like take it: the hosted destination reads a
// literal beside them as a number. Of an event's own strings it doesn't.
func (o operandCode) numeric() operandCode {
	switch {
	case o.literal == nil:
		return o
	case o.kind == kindString:
		return literalCode(numberValue(readNumber(o.literal.str)))
	case o.kind == kindBool && o.literal.bool:
		return literalCode(numberValue(1))
	case o.kind == kindBool:
		return literalCode(numberValue(0))
	default:
		return o
	}
}

// readNumber reads a decimal number as JavaScript does; nothing is 0, and
// what isn't a number is not a number.
func readNumber(s string) float64 {
	if s = strings.TrimSpace(s); s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return math.NaN()
	}
	return n
}

func (c compiler) operand(x *operand) (operandCode, error) {
	switch {
	case x.String != nil:
		return literalCode(stringValue(unquote(*x.String))), nil
	case x.Number != nil:
		n, err := strconv.ParseFloat(*x.Number, 64)
		if err != nil {
			return operandCode{}, c.fault(x.Pos.Offset, "not a number")
		}
		return literalCode(numberValue(n)), nil
	case x.Word != nil && *x.Word == "null":
		return literalCode(value{}), nil
	case x.Word != nil:
		return literalCode(boolValue(*x.Word == "true")), nil
	case x.Call != nil:
		return c.call(x)
	default:
		p := newPath(*x.Path, splitPath(*x.Path))
		return operandCode{
			kind: kindAny,
			path: &p,
			seen: []path{p},
			get:  func(e Event) value { return valueOf(p.find(e)) },
		}, nil
	}
}
