package liquid

import (
	"errors"
	"math"
	"strconv"

	"engage-worker/actions/jsvalue"
)

// loop reads "name in collection" and the options behind it, which for and
// tablerow share.
type loop struct {
	variable   string
	collection operand
	text       string // of the collection
	options    []argument
}

func (c *compiler) readLoop(t token, r *reader) (loop, error) {
	l := loop{variable: r.identifier()}
	if in := r.identifier(); l.variable == "" || in != "in" {
		return l, c.fail(t, `%s needs "item in items"`, t.name)
	}
	r.blanks()
	start := r.at
	var err error
	if l.collection, err = r.value(); err != nil {
		return l, err
	}
	if l.collection == nil {
		return l, c.fail(t, `%s needs "item in items"`, t.name)
	}
	r.defines(l.variable, "forloop", "tablerowloop", "continue")
	l.text = r.source[start:min(r.at, r.end)]
	l.options, err = r.hash()
	return l, err
}

// option is an option's value: undefined without it, true for one that is
// only named.
func (l *loop) option(st *state, name string) (any, error) {
	var v any = jsvalue.Undefined{}
	for _, o := range l.options {
		if o.name != name {
			continue
		}
		if o.value == nil {
			v = true
			continue
		}
		var err error
		if v, err = o.value.eval(st); err == nil {
			err = st.weigh(v)
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (c *compiler) loop(t token, r *reader) (action, error) {
	l, err := c.readLoop(t, r)
	if err != nil {
		return nil, err
	}
	b, err := c.block(t)
	if err != nil {
		return nil, err
	}
	body := b.body
	continued := l.variable + "-" + l.text
	return func(st *state) error {
		v, err := l.collection.eval(st)
		if err != nil {
			return err
		}
		items, err := enumerable(st, v)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			for _, part := range b.clauses {
				if err := part.body.render(st); err != nil {
					return err
				}
			}
			return nil
		}
		if items, err = l.window(st, continued, items); err != nil {
			return err
		}
		s := &scope{name: l.variable, loopName: "forloop",
			loop: &forloop{length: len(items), name: continued}}
		st.scopes = append(st.scopes, s)
		defer func() { st.scopes = st.scopes[:len(st.scopes)-1] }()
		for i, item := range items {
			s.value, s.loop.i = property(item), i
			if err := st.spend(1); err != nil {
				return err
			}
			switch err := body.render(st); {
			case err == nil, errors.Is(err, continueLoop):
			case errors.Is(err, breakLoop):
				return nil
			default:
				return err
			}
		}
		return nil
	}, nil
}

// window applies offset, limit and reversed, in this order whatever the
// template's, and notes where a loop with offset:continue would go on.
func (l *loop) window(st *state, continued string, items []any) ([]any, error) {
	if err := st.spend(64); err != nil {
		return nil, err
	}
	st.scopes = append(st.scopes, &scope{name: "continue", value: st.offset(continued)})
	offset, err := l.option(st, "offset")
	limit, errLimit := l.option(st, "limit")
	reversed, errReversed := l.option(st, "reversed")
	st.scopes = st.scopes[:len(st.scopes)-1]
	for _, err := range []error{err, errLimit, errReversed} {
		if err != nil {
			return nil, err
		}
	}
	if offset != (jsvalue.Undefined{}) {
		items = slice(items, offset, jsvalue.Undefined{})
	}
	if limit != (jsvalue.Undefined{}) {
		items = slice(items, 0.0, limit)
	}
	if reversed != (jsvalue.Undefined{}) {
		if err := st.spend(float64(len(items))); err != nil {
			return nil, err
		}
		items = backwards(items)
	}
	if jsvalue.IsObject(offset) {
		return items, nil // there was no loop to go on from, nor is this one
	}
	from := 0.0
	if f, ok := plain(offset).(float64); ok && f == f {
		from = f
	}
	if st.offsets == nil {
		st.offsets = make(map[string]float64)
	}
	st.offsets[continued] = from + float64(len(items))
	return items, nil
}

func (st *state) offset(key string) any {
	if n, ok := st.offsets[key]; ok {
		return n
	}
	return jsvalue.NewObject(0) // LiquidJS's empty register, which counts as 0
}

// slice is JavaScript's items.slice(from, to).
func slice(items []any, from, to any) []any {
	n := float64(len(items))
	start, end := relative(from, n, 0), relative(to, n, n)
	if start >= end {
		return nil
	}
	return items[int(start):int(end)]
}

// relative resolves an index of slice: from the end when negative, within
// 0 and n.
func relative(v any, n, missing float64) float64 {
	if _, undefined := v.(jsvalue.Undefined); undefined {
		return missing
	}
	f := math.Trunc(number(v))
	switch {
	case f != f:
		return 0
	case f < 0:
		return max(0, n+f)
	default:
		return min(f, n)
	}
}

func backwards(items []any) []any {
	reversed := make([]any, len(items))
	for i, item := range items {
		reversed[len(items)-1-i] = item
	}
	return reversed
}

// forloop is the variable of that name inside a loop, and of tablerowloop.
type forloop struct {
	i, length int
	name      string
	cols      float64 // of a table; 0 in a for
}

// String is what it prints as.
func (f *forloop) String() string {
	o := jsvalue.NewObject(4)
	o.Set("i", float64(f.i))
	o.Set("length", float64(f.length))
	o.Set("name", f.name)
	if f.cols != 0 {
		o.Set("cols", f.cols)
	}
	return jsvalue.Encode(o)
}

func (f *forloop) property(name string) any {
	switch name {
	case "index":
		return float64(f.i + 1)
	case "index0", "i":
		return float64(f.i)
	case "rindex":
		return float64(f.length - f.i)
	case "rindex0":
		return float64(f.length - f.i - 1)
	case "first":
		return f.i == 0
	case "last":
		return f.i == f.length-1
	case "length":
		return float64(f.length)
	case "name":
		return f.name
	}
	if f.cols != 0 {
		col0 := math.Mod(float64(f.i), f.cols)
		switch name {
		case "row":
			return math.Floor(float64(f.i)/f.cols) + 1
		case "col":
			return col0 + 1
		case "col0":
			return col0
		case "col_first":
			return col0 == 0
		case "col_last":
			return col0+1 == f.cols
		case "cols":
			return f.cols
		}
	}
	return jsvalue.Undefined{}
}

func (c *compiler) table(t token, r *reader) (action, error) {
	l, err := c.readLoop(t, r)
	if err != nil {
		return nil, err
	}
	b, err := c.block(t)
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		v, err := l.collection.eval(st)
		if err != nil {
			return err
		}
		items, err := enumerable(st, v)
		if err != nil {
			return err
		}
		offset, err := l.amount(st, "offset", 0)
		if err != nil {
			return err
		}
		limit, err := l.amount(st, "limit", float64(len(items)))
		if err != nil {
			return err
		}
		items = slice(items, offset, offset+limit)
		cols, err := l.amount(st, "cols", 0)
		if err != nil {
			return err
		}
		if cols == 0 || cols != cols {
			cols = float64(len(items))
		}
		return l.rows(st, b.body, items, cols)
	}, nil
}

// amount is an option that is a number.
func (l *loop) amount(st *state, name string, missing float64) (float64, error) {
	v, err := l.option(st, name)
	if err != nil || v == (jsvalue.Undefined{}) {
		return missing, err
	}
	return number(v), nil
}

func (l *loop) rows(st *state, body sequence, items []any, cols float64) error {
	s := &scope{name: l.variable, loopName: "tablerowloop",
		loop: &forloop{length: len(items), name: l.variable + "-" + l.text, cols: cols}}
	st.scopes = append(st.scopes, s)
	defer func() { st.scopes = st.scopes[:len(st.scopes)-1] }()
	var stopped error
	for i, item := range items {
		s.value, s.loop.i = property(item), i
		if err := st.spend(32); err != nil {
			return err
		}
		col0 := math.Mod(float64(i), cols)
		opening := `<td class="col` + jsvalue.FormatNumber(col0+1) + `">`
		if col0 == 0 {
			row := math.Floor(float64(i)/cols) + 1
			opening = `<tr class="row` + strconv.FormatFloat(row, 'f', -1, 64) + `">` + opening
			if row != 1 {
				opening = "</tr>" + opening
			}
		}
		err := st.write(opening)
		if err == nil {
			err = body.render(st)
		}
		if _, ok := errors.AsType[signal](err); ok {
			stopped, err = err, nil // goes on with the next cell, ends what is around
		}
		if err == nil {
			err = st.write("</td>")
		}
		if err != nil {
			return err
		}
	}
	if len(items) > 0 {
		if err := st.write("</tr>"); err != nil {
			return err
		}
	}
	return stopped
}
