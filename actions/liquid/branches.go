package liquid

// branch is one of a block's ways.
type branch struct {
	test func(st *state) (bool, error)
	body sequence
}

// condition is if and unless. What follows the first else of an unless counts
// for nothing, of an if it is an error, as in LiquidJS.
func (c *compiler) condition(t token, r *reader) (action, error) {
	test, err := c.test(r, t.name == "unless")
	if err != nil {
		return nil, err
	}
	b, err := c.block(t)
	if err != nil {
		return nil, err
	}
	branches := []branch{{test, b.body}}
	otherwise := false
	for _, part := range b.clauses {
		switch {
		case otherwise && t.name == "if":
			return nil, c.fail(part.token, "%s is not expected behind else", part.token.name)
		case otherwise:
		case part.token.name == "else":
			otherwise = true
			branches = append(branches, branch{always, part.body})
		default:
			test, err := c.test(c.reader(part.token), false)
			if err != nil {
				return nil, err
			}
			branches = append(branches, branch{test, part.body})
		}
	}
	return func(st *state) error {
		for _, b := range branches {
			met, err := b.test(st)
			if err != nil {
				return err
			}
			if met {
				return b.body.render(st)
			}
		}
		return nil
	}, nil
}

func always(*state) (bool, error) { return true, nil }

func (c *compiler) test(r *reader, negated bool) (func(st *state) (bool, error), error) {
	value, err := r.filtered()
	if err != nil {
		return nil, err
	}
	return func(st *state) (bool, error) {
		v, err := value.eval(st)
		return truthy(v) != negated, err
	}, nil
}

// choice is case: every when with a value equal to the target is rendered,
// as in LiquidJS; without any, else, and with it what a when behind it has.
func (c *compiler) choice(t token, r *reader) (action, error) {
	target, err := r.filtered()
	if err != nil {
		return nil, err
	}
	b, err := c.block(t)
	if err != nil {
		return nil, err
	}
	type when struct {
		values []operand
		body   sequence
	}
	var whens []when
	var otherwise []sequence
	for _, part := range b.clauses {
		isElse := part.token.name == "else"
		if isElse && len(otherwise) > 0 {
			break
		}
		if isElse || len(otherwise) > 0 {
			otherwise = append(otherwise, part.body)
			continue
		}
		values, err := c.reader(part.token).alternatives()
		if err != nil {
			return nil, err
		}
		whens = append(whens, when{values, part.body})
	}
	return func(st *state) error {
		v, err := target.eval(st)
		if err != nil {
			return err
		}
		v = plain(v)
		hit := false
		for _, w := range whens {
			for _, value := range w.values {
				candidate, err := value.eval(st)
				if err != nil {
					return err
				}
				same, err := equal(st, v, candidate)
				if err != nil {
					return err
				}
				if same {
					hit = true
					if err := w.body.render(st); err != nil {
						return err
					}
					break
				}
			}
		}
		if hit {
			return nil
		}
		for _, body := range otherwise {
			if err := body.render(st); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// alternatives reads the values of a when, separated by commas or "or".
func (r *reader) alternatives() ([]operand, error) {
	var values []operand
	for !r.done() {
		v, err := r.required()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if r.blanks(); r.peek(0) == ',' {
			r.skipTo(",")
		} else {
			r.skipTo("or")
		}
	}
	return values, nil
}
