package liquid

import (
	"errors"
	"strings"
)

// action is what a tag does when it is rendered.
type action func(st *state) error

// sequence is the actions of a template, or of what is in a block.
type sequence []action

func (s sequence) render(st *state) error {
	for _, do := range s {
		if err := do(st); err != nil {
			return err
		}
	}
	return nil
}

// action compiles a token.
func (c *compiler) action(t token) (action, error) {
	r := c.reader(t)
	switch t.kind {
	case textToken:
		return c.text(t), nil
	case outputToken:
		return c.output(r)
	}
	if c.words.tagDisabled(t.name) {
		return nil, c.fail(t, "tag %q is not available in @liquid", t.name)
	}
	switch t.name {
	case "assign":
		return c.assign(r)
	case "block":
		return c.plainBlock(t)
	case "break":
		return func(*state) error { return breakLoop }, nil
	case "capture":
		return c.capture(t, r)
	case "case":
		return c.choice(t, r)
	case "continue":
		return func(*state) error { return continueLoop }, nil
	case "cycle":
		return c.cycle(r)
	case "decrement":
		return c.count(r, -1), nil
	case "echo":
		return c.echo(r)
	case "for":
		return c.loop(t, r)
	case "if", "unless":
		return c.condition(t, r)
	case "increment":
		return c.count(r, 1), nil
	case "liquid":
		return c.lines(t)
	case "tablerow":
		return c.table(t, r)
	case "include", "layout", "render":
		return nil, c.fail(t, "tag %q is not available: there are no other templates to read", t.name)
	case "else", "elsif", "when", "endblock", "endcapture", "endcase", "endfor", "endif", "endtablerow", "endunless":
		return nil, c.fail(t, "%s is not expected here", t.name)
	}
	return nil, c.fail(t, "there is no tag %q%s", t.name, meant(t.name, usualTags))
}

// placed is a token's action, each step of which costs something, and whose
// errors get the token's place.
func (c *compiler) placed(t token, do action) action {
	source := c.source
	return func(st *state) error {
		err := st.spend(1)
		if err == nil {
			err = do(st)
		}
		if err == nil {
			return nil
		}
		if stop, ok := errors.AsType[*InterruptedError](err); ok {
			return stop
		}
		_, placed := errors.AsType[*Error](err)
		if _, stopped := errors.AsType[signal](err); placed || stopped {
			return err
		}
		return errorAt(source, t.pos, "%s", err)
	}
}

func (c *compiler) reader(t token) *reader {
	return &reader{source: c.source, at: t.begin, end: t.end, vocabulary: c.words}
}

func (c *compiler) text(t token) action {
	s := c.source[t.begin:t.end]
	if strings.IndexByte(s, hole) >= 0 {
		return fill(c.source, s, t.begin).write
	}
	return func(st *state) error { return st.write(s) }
}

func (c *compiler) output(r *reader) (action, error) {
	written := shown(strings.TrimSpace(r.source[min(r.at, r.end):r.end]))
	value, err := r.filtered()
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		v, err := value.eval(st)
		if err != nil {
			return err
		}
		return st.printOutput(v, written)
	}, nil
}

func (c *compiler) echo(r *reader) (action, error) {
	if r.blanks(); r.done() {
		return func(*state) error { return nil }, nil
	}
	return c.output(r)
}

func (c *compiler) assign(r *reader) (action, error) {
	name := r.identifier()
	if name == "" {
		return nil, r.fail("assign needs the name of a variable, not %s", r.rest())
	}
	if r.blanks(); r.peek(0) != '=' {
		return nil, r.fail("assign needs = after the variable, not %s", r.rest())
	}
	r.defines(name)
	r.at++
	value, err := r.filtered()
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		v, err := value.eval(st)
		if err == nil {
			err = st.named(name)
			st.assign(name, v)
		}
		return err
	}, nil
}

// count is increment, which prints what the counter was, and decrement, which
// prints what it becomes.
func (c *compiler) count(r *reader, by float64) action {
	name := r.identifier()
	r.defines(name)
	return func(st *state) error {
		if err := st.named(name); err != nil {
			return err
		}
		before, after := st.count(name, by)
		if by < 0 {
			return st.print(after)
		}
		return st.print(before)
	}
}

func (c *compiler) cycle(r *reader) (action, error) {
	start := r.at
	group, err := r.value()
	if err != nil {
		return nil, err
	}
	var candidates []operand
	r.blanks()
	named := group != nil && r.peek(0) == ':'
	if named {
		r.at++
		start = r.at
	} else if group != nil {
		candidates = append(candidates, group)
	}
	for !r.done() {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		if v != nil {
			candidates = append(candidates, v)
		}
		r.skipTo(",")
	}
	if len(candidates) == 0 {
		return nil, r.fail("cycle needs values")
	}
	// Cycles with the same candidates go on where the last stopped.
	key := r.source[min(start, r.end):r.end]
	return func(st *state) error {
		key := key
		if named {
			v, err := group.eval(st)
			if err == nil {
				err = st.weigh(v)
			}
			if err != nil {
				return err
			}
			key = stringOf(v) + ":" + key
		}
		if err := st.spend(16 + float64(len(key))); err != nil {
			return err
		}
		if st.cycles == nil {
			st.cycles = make(map[string]int)
		}
		i := st.cycles[key]
		st.cycles[key] = (i + 1) % len(candidates)
		v, err := candidates[i].eval(st)
		if err != nil {
			return err
		}
		return st.print(v)
	}, nil
}

func (c *compiler) capture(t token, r *reader) (action, error) {
	name := r.identifier()
	if name == "" {
		if q := r.peek(0); q != '"' && q != '\'' {
			return nil, r.fail("capture needs the name of a variable, not %s", r.rest())
		}
		name = r.quoted()
	}
	r.defines(name)
	b, err := c.block(t)
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		s, err := st.captured(b.body)
		if _, ok := errors.AsType[signal](err); ok {
			err = nil // a capture swallows what stops it
		}
		if err != nil {
			return err
		}
		st.assign(name, s)
		if err := st.named(name); err != nil {
			return err
		}
		return st.spend(float64(len(s)))
	}, nil
}

// plainBlock is block, which does nothing without a layout.
func (c *compiler) plainBlock(t token) (action, error) {
	b, err := c.block(t)
	return b.body.render, err
}
