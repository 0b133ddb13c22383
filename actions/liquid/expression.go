package liquid

import (
	"fmt"
	"math"
	"strings"

	"engage-worker/actions/jsvalue"
)

// operand is what evaluates to a value.
type operand interface {
	eval(st *state) (any, error)
}

type constant struct{ value any }

func (c constant) eval(*state) (any, error) { return c.value, nil }

// span is a range (low..high), both included.
type span struct{ low, high operand }

func (s span) eval(st *state) (any, error) {
	low, err := s.low.eval(st)
	if err != nil {
		return nil, err
	}
	high, err := s.high.eval(st)
	if err != nil {
		return nil, err
	}
	if err := st.weighAll(low, high); err != nil {
		return nil, err
	}
	from, to := number(low), number(high)+1
	if math.IsNaN(from) || math.IsNaN(to) || from >= to {
		return []any{}, nil
	}
	if err := st.spend(2 * (to - from)); err != nil {
		return nil, err
	}
	items := make([]any, 0, int(math.Ceil(to-from)))
	for n := from; n < to; n++ {
		items = append(items, n)
	}
	return items, nil
}

// path is a variable, or another operand, and the properties read from it.
type path struct {
	base operand // nil: the first key is a variable
	keys []operand
	// names are the keys when all are constant strings, the usual case.
	names []string
	text  string
}

func newPath(base operand, keys []operand, text string) *path {
	p := &path{base: base, keys: keys, text: text}
	names := make([]string, len(keys))
	for i, key := range keys {
		c, _ := key.(constant)
		name, ok := c.value.(string)
		if !ok {
			return p
		}
		names[i] = name
	}
	p.names = names
	return p
}

func (p *path) eval(st *state) (any, error) {
	if p.names != nil && p.base == nil {
		v, err := st.variable(p.names[0])
		v = property(v)
		for _, name := range p.names[1:] {
			if v == nil || err != nil {
				return nil, err
			}
			v, err = st.read(v, name)
		}
		return v, err
	}
	keys := make([]any, len(p.keys))
	for i, key := range p.keys {
		var err error
		if keys[i], err = key.eval(st); err == nil {
			err = st.weigh(keys[i])
		}
		if err != nil {
			return nil, err
		}
	}
	var v any
	var err error
	if p.base != nil {
		v, err = p.base.eval(st)
	} else {
		v, err = st.variable(stringOf(keys[0]))
		v, keys = property(v), keys[1:]
	}
	for _, key := range keys {
		if err != nil {
			return nil, err
		}
		v, err = st.read(v, stringOf(key))
	}
	return v, err
}

// property is what is read as a value: Go's numbers are JavaScript's.
func property(v any) any { return jsvalue.Of(v) }

// expression is operands and operators in postfix order. Without operators
// between them, the first of several operands counts.
type expression struct {
	steps []step
}

// step is an operand or, without one, an operator.
type step struct {
	value operand
	op    operator
}

func (e *expression) add(s step) { e.steps = append(e.steps, s) }

func (e *expression) eval(st *state) (any, error) {
	if len(e.steps) == 1 && e.steps[0].value != nil {
		return e.steps[0].value.eval(st)
	}
	var stack []any
	pop := func() any {
		if len(stack) == 0 {
			return jsvalue.Undefined{}
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	for _, s := range e.steps {
		if err := st.spend(4); err != nil {
			return nil, err
		}
		if s.value != nil {
			v, err := s.value.eval(st)
			if err != nil {
				return nil, err
			}
			stack = append(stack, v)
			continue
		}
		right := pop()
		var left any
		if s.op != opNot {
			left = pop()
		}
		v, err := s.op.apply(st, left, right)
		if err != nil {
			return nil, err
		}
		stack = append(stack, v)
	}
	return stack[0], nil
}

type operator uint8

const (
	opEqual operator = iota + 1
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opContains
	opNot
	opAnd
	opOr
)

func operatorOf(word string) operator {
	switch word {
	case "==":
		return opEqual
	case "!=":
		return opNotEqual
	case "<":
		return opLess
	case "<=":
		return opLessEqual
	case ">":
		return opGreater
	case ">=":
		return opGreaterEqual
	case "contains":
		return opContains
	case "not":
		return opNot
	case "and":
		return opAnd
	default:
		return opOr
	}
}

func (o operator) precedence() int {
	switch o {
	case opAnd, opOr:
		return 0
	case opNot:
		return 1
	default:
		return 2
	}
}

func (o operator) apply(st *state, l, r any) (any, error) {
	switch o {
	case opEqual:
		return equal(st, l, r)
	case opNotEqual:
		same, err := equal(st, l, r)
		return !same, err
	case opContains:
		return contains(st, l, r)
	case opNot:
		return !truthy(r), nil
	case opAnd:
		return truthy(l) && truthy(r), nil
	case opOr:
		return truthy(l) || truthy(r), nil
	}
	if isDrop(l) || isDrop(r) {
		return false, nil // nil, empty and blank have no order
	}
	if err := st.weighAll(l, r); err != nil {
		return nil, err
	}
	return compare(o, plain(l), plain(r)), nil
}

// compare is JavaScript's relational comparison.
func compare(o operator, l, r any) bool {
	if a, ok := asPrimitiveString(l); ok {
		if b, ok := asPrimitiveString(r); ok {
			c := strings.Compare(a, b)
			switch o {
			case opLess:
				return c < 0
			case opLessEqual:
				return c <= 0
			case opGreater:
				return c > 0
			default:
				return c >= 0
			}
		}
	}
	a, b := jsvalue.Number(l), jsvalue.Number(r)
	switch o {
	case opLess:
		return a < b
	case opLessEqual:
		return a <= b
	case opGreater:
		return a > b
	default:
		return a >= b
	}
}

// asPrimitiveString is v as JavaScript compares it, when that is a string.
func asPrimitiveString(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case nil, jsvalue.Undefined, bool, float64:
		return "", false
	default:
		return jsvalue.String(v), true
	}
}

func contains(st *state, l, r any) (bool, error) {
	switch l := plain(l).(type) {
	case []any:
		if err := st.spend(float64(len(l))); err != nil {
			return false, err
		}
		for _, item := range l {
			same, err := equal(st, item, r)
			if same || err != nil {
				return same, err
			}
		}
	case string:
		if err := st.weighAll(l, r); err != nil {
			return false, err
		}
		return strings.Contains(l, stringOf(r)), nil
	}
	return false, nil
}

// filtered is an expression and the filters that its value passes through.
type filtered struct {
	initial expression
	filters []call
}

// call is a filter with its arguments.
type call struct {
	name  string
	at    int // in the source
	args  []argument
	fixed []any // the arguments' values, if all are constant, as they are as a rule
	apply filter
}

func (f *filtered) eval(st *state) (any, error) {
	v, err := f.initial.eval(st)
	if err != nil {
		return nil, err
	}
	for i := range f.filters {
		if v, err = f.filters[i].eval(st, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// values are the arguments' values; nobody may change them.
func (c *call) values(st *state) ([]any, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	var values []any
	for _, a := range c.args {
		v := any(jsvalue.Undefined{})
		if a.value != nil {
			var err error
			if v, err = a.value.eval(st); err != nil {
				return nil, err
			}
		}
		if a.name != "" {
			v = named{a.name, v}
		}
		values = append(values, v)
	}
	return values, nil
}

// fix evaluates the arguments once, if all are constant.
func (c *call) fix() {
	for _, a := range c.args {
		if _, ok := a.value.(constant); !ok && a.value != nil {
			return
		}
	}
	c.fixed, _ = c.values(nil) // constants need no state and have no errors
}

func (c *call) eval(st *state, in any) (any, error) {
	args, err := c.values(st)
	before := st.budget.left
	if err == nil {
		err = st.weigh(in)
	}
	if err == nil {
		err = st.weighAll(args...)
	}
	if err == nil {
		err = st.spend(8 + (before-st.budget.left)*filterCost(c.name))
	}
	if err != nil {
		return nil, err
	}
	out, err := c.apply(st, in, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if s, ok := out.(string); ok {
		err = st.spend(float64(len(s)))
	}
	return out, err
}

// named is an argument "name: value" as filters see it; to those that know no
// names it is, as in LiquidJS, an array of the two.
type named struct {
	name  string
	value any
}
