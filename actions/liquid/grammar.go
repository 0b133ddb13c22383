package liquid

// expression reads operands and operators as far as they go.
func (r *reader) expression() (expression, error) {
	var e expression
	var pending []operator
	for !r.done() {
		if w, ok := r.word("==", "!=", ">=", "<=", ">", "<", "contains", "not", "and", "or"); ok {
			op := operatorOf(w)
			for len(pending) > 0 && pending[len(pending)-1].precedence() > op.precedence() {
				e.add(step{op: pending[len(pending)-1]})
				pending = pending[:len(pending)-1]
			}
			pending = append(pending, op)
			continue
		}
		start := r.at
		v, err := r.value()
		if err != nil {
			return e, err
		}
		if v == nil {
			r.at = start
			r.blanks()
			break
		}
		e.add(step{value: v})
	}
	for len(pending) > 0 {
		e.add(step{op: pending[len(pending)-1]})
		pending = pending[:len(pending)-1]
	}
	return e, nil
}

// filtered reads an expression and its filters, which have to end the range.
func (r *reader) filtered() (filtered, error) {
	var f filtered
	var err error
	if f.initial, err = r.expression(); err != nil {
		return f, err
	}
	if len(f.initial.steps) == 0 {
		return f, r.fail("a value is expected here, not %s", r.rest())
	}
	for {
		r.blanks()
		if r.done() {
			return f, nil
		}
		if r.peek(0) != '|' {
			return f, r.fail("%s is not expected here; filters start with |", r.rest())
		}
		r.at++
		call, ok, err := r.filter()
		if err != nil {
			return f, err
		}
		if !ok {
			return f, nil
		}
		call.fix()
		f.filters = append(f.filters, call)
	}
}

// filter reads a filter's name and arguments. A "|" with nothing behind it is
// none.
func (r *reader) filter() (call, bool, error) {
	r.blanks()
	c := call{at: r.at}
	c.name = r.identifier()
	if c.name == "" {
		if r.done() {
			return c, false, nil
		}
		return c, false, r.fail("the name of a filter is expected, not %s", r.rest())
	}
	apply, ok := r.filterNamed(c.name)
	if !ok {
		return c, false, errorAt(r.source, c.at, "there is no filter %q%s", c.name, meant(c.name, usualFilters))
	}
	c.apply = apply
	if err := r.arguments(&c); err != nil {
		return c, false, err
	}
	return c, true, r.fit(&c)
}

// fit refuses arguments that a filter can't mean.
func (r *reader) fit(c *call) error {
	switch c.name {
	case "where_exp", "reject_exp", "find_exp", "find_index_exp", "has_exp", "group_by_exp":
		// Otherwise an event could say what is evaluated.
		if len(c.args) < 2 {
			return errorAt(r.source, c.at, "%s needs the name of an item and an expression", c.name)
		}
		fixed, _ := c.args[1].value.(constant)
		if _, ok := fixed.value.(string); !ok || c.args[1].name != "" {
			return errorAt(r.source, c.at, "%s takes its expression in quotes, not out of a variable", c.name)
		}
	case "default":
		if len(c.args) > 1 && c.args[0].name != "" && c.args[1].name == "" {
			return errorAt(r.source, c.at, "default's value stands in front of %s", c.args[0].name)
		}
	}
	return nil
}

// arguments reads a filter's arguments, if it has any.
func (r *reader) arguments(c *call) error {
	r.blanks()
	switch {
	case r.done(), r.peek(0) == '|':
		return nil
	case r.peek(0) != ':':
		return r.fail("a filter's arguments start with a colon, not with %s", r.rest())
	}
	for {
		r.at++ // the colon or a comma
		arg, err := r.argument()
		if err != nil {
			return err
		}
		if arg.value != nil || arg.name != "" {
			c.args = append(c.args, arg)
		}
		r.blanks()
		if r.peek(0) == ',' && !r.done() {
			continue
		}
		if !r.done() && r.peek(0) != '|' {
			return r.fail("%s is not expected in a filter's arguments", r.rest())
		}
		return nil
	}
}

// argument is a filter's argument; name is set for "name: value".
type argument struct {
	name  string
	value operand
}

func (r *reader) argument() (argument, error) {
	r.blanks()
	start, read := r.at, len(r.variables)
	v, err := r.value()
	if err != nil || v == nil {
		return argument{}, err
	}
	text := r.source[start:min(r.at, r.end)]
	r.blanks()
	if r.peek(0) != ':' {
		return argument{value: v}, nil
	}
	r.variables = r.variables[:read] // it was a name
	r.at++
	v, err = r.value()
	return argument{name: text, value: v}, err
}

// hash reads "name: value" and single names, as many as there are.
func (r *reader) hash() ([]argument, error) {
	var args []argument
	for {
		r.blanks()
		if r.peek(0) == ',' {
			r.at++
		}
		name := r.identifier()
		if name == "" {
			return args, nil
		}
		r.blanks()
		arg := argument{name: name}
		if r.peek(0) == ':' {
			r.at++
			var err error
			if arg.value, err = r.value(); err != nil {
				return args, err
			}
		}
		args = append(args, arg)
	}
}

// value reads a literal, a string, a range, a number or a variable, and the
// properties behind it. Where there is none it is nil.
func (r *reader) value() (operand, error) {
	if r.depth++; r.depth > maxNesting {
		return nil, r.fail("values nest more than %d deep", maxNesting)
	}
	defer func() { r.depth-- }()
	r.blanks()
	start := r.at
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	keys, err := r.properties(base == nil)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return base, nil
	}
	p := newPath(base, keys, r.source[start:min(r.at, r.end)])
	r.reads(p, start)
	return p, nil
}

// required reads a value that must be there.
func (r *reader) required() (operand, error) {
	v, err := r.value()
	if err == nil && v == nil {
		err = r.fail("a value is expected here, not %s", r.rest())
	}
	return v, err
}

func (r *reader) base() (operand, error) {
	if w, ok := r.word("true", "false", "nil", "null", "empty", "blank"); ok {
		switch w {
		case "true", "false":
			return constant{w == "true"}, nil
		case "empty":
			return constant{emptyDrop{}}, nil
		case "blank":
			return constant{blankDrop{}}, nil
		}
		return constant{nilDrop{}}, nil
	}
	switch c := r.peek(0); {
	case r.done():
		return nil, nil
	case c == hole:
		r.at++
		return r.filled("\xff", r.at-1), nil
	case c == '"', c == '\'':
		at := r.at
		return r.filled(r.quoted(), at), nil
	case c == '(':
		return r.span()
	}
	if n, ok := r.number(); ok {
		return constant{n}, nil
	}
	return nil, nil
}

func (r *reader) span() (operand, error) {
	r.at++
	low, err := r.required()
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.peek(0) != '.' || r.peek(1) != '.' {
		return nil, r.fail("a range's .. is expected here, not %s", r.rest())
	}
	r.at += 2
	high, err := r.required()
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.peek(0) != ')' {
		return nil, r.fail("a range is closed with ), not with %s", r.rest())
	}
	r.at++
	return span{low, high}, nil
}

// properties reads .name and [value], as many as there are; first allows a
// name in front.
func (r *reader) properties(first bool) ([]operand, error) {
	var keys []operand
	for {
		switch {
		case r.peek(0) == '[':
			r.at++
			key, err := r.value()
			if err != nil {
				return nil, err
			}
			if key == nil {
				key = constant{""}
			}
			if !r.skipTo("]") {
				return nil, r.fail("[ is not closed with ]")
			}
			keys = append(keys, key)
			continue
		case first && len(keys) == 0:
			if name := r.identifier(); name != "" {
				keys = append(keys, constant{name})
				continue
			}
		}
		if r.peek(0) != '.' || r.peek(1) == '.' {
			return keys, nil
		}
		r.at++
		name := r.identifier()
		if name == "" {
			return keys, nil
		}
		keys = append(keys, constant{name})
	}
}
