package liquid

import (
	"io"
	"strconv"

	"github.com/osteele/liquid/render"
)

// isBlock and isTag are the tags that a template can have: those with an end
// tag, and the others.
func isBlock(name string) bool {
	switch name {
	case "if", "unless", "case", "for", "tablerow", "capture", "block":
		return true
	}
	return false
}

func isTag(name string) bool {
	switch name {
	case "assign", "echo", "increment", "decrement", "cycle", "break", "continue", "liquid",
		"else", "elsif", "when":
		return true
	}
	return false
}

// config tells the engine this package's tags.
func (c *compiler) config() render.Config {
	config := render.NewConfig()
	config.AddTag(textTag, c.tag(c.text))
	config.AddTag(outputTag, c.tag(c.output))
	config.AddTag("echo", c.tag(c.echo))
	config.AddTag("assign", c.tag(c.assign))
	config.AddTag("increment", c.tag(c.increment))
	config.AddTag("decrement", c.tag(c.decrement))
	config.AddTag("cycle", c.tag(c.cycle))
	config.AddTag("break", c.tag(c.signal(breakLoop)))
	config.AddTag("continue", c.tag(c.signal(continueLoop)))
	config.AddBlock("if").Clause("elsif").Clause("else").Compiler(c.block(c.condition))
	config.AddBlock("unless").Clause("elsif").Clause("else").Compiler(c.block(c.condition))
	config.AddBlock("case").Clause("when").Clause("else").Compiler(c.block(c.choice))
	config.AddBlock("for").Clause("else").Compiler(c.block(c.loop))
	config.AddBlock("tablerow").Compiler(c.block(c.table))
	config.AddBlock("capture").Compiler(c.block(c.capture))
	config.AddBlock("block").Compiler(c.block(c.children))
	config.AddBlock(linesTag).Compiler(c.block(c.children))
	return config
}

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

// tag makes one of this package's tags one of the engine's.
func (c *compiler) tag(compile func(t token, r *reader) (action, error)) render.TagCompiler {
	return func(args string) (func(io.Writer, render.Context) error, error) {
		t := c.token(args)
		do, err := compile(t, c.reader(t))
		return nil, c.compiled(args, t, do, err)
	}
}

// block is tag for blocks.
func (c *compiler) block(compile func(t token, r *reader, node render.BlockNode) (action, error)) render.BlockCompiler {
	return func(node render.BlockNode) (func(io.Writer, render.Context) error, error) {
		if isClause(node.Name) {
			return nil, nil
		}
		t := c.token(node.Args)
		do, err := compile(t, c.reader(t), node)
		return nil, c.compiled(node.Args, t, do, err)
	}
}

func isClause(name string) bool {
	return name == "else" || name == "elsif" || name == "when"
}

// compiled keeps what the tag with these arguments, the token t, was compiled
// to: an action, whose errors get a place here, or an error.
func (c *compiler) compiled(args string, t token, do action, err error) error {
	if err != nil {
		c.fault = err
		return err
	}
	source := c.source
	c.actions[args] = func(st *state) error {
		err := st.spend(1)
		if err == nil {
			err = do(st)
		}
		switch err := err.(type) {
		case nil, *Error, signal:
			return err
		default:
			return errorAt(source, t.pos, "%s", err)
		}
	}
	return nil
}

// sequence finds the actions of the engine's nodes, which are all tags, since
// the script has nothing else.
func (c *compiler) sequence(nodes []render.Node) sequence {
	actions := make(sequence, 0, len(nodes))
	for _, node := range nodes {
		switch node := node.(type) {
		case *render.TagNode:
			actions = append(actions, c.actions[node.Args])
		case *render.BlockNode:
			actions = append(actions, c.actions[node.Args])
		}
	}
	return actions
}

// token is the token whose number a tag of the script has as argument.
func (c *compiler) token(args string) token {
	i, err := strconv.Atoi(args)
	if err != nil || i < 0 || i >= len(c.tokens) {
		return token{}
	}
	return c.tokens[i]
}

func (c *compiler) reader(t token) *reader {
	return &reader{source: c.source, at: t.begin, end: t.end, vocabulary: c.words}
}

func (c *compiler) text(t token, _ *reader) (action, error) {
	s := c.source[t.begin:t.end]
	return func(st *state) error { return st.write(s) }, nil
}

func (c *compiler) output(_ token, r *reader) (action, error) {
	value, err := r.filtered()
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		v, err := value.eval(st)
		if err != nil {
			return err
		}
		return st.print(v)
	}, nil
}

func (c *compiler) echo(t token, r *reader) (action, error) {
	if r.blanks(); r.done() {
		return func(*state) error { return nil }, nil
	}
	return c.output(t, r)
}

func (c *compiler) assign(_ token, r *reader) (action, error) {
	name := r.identifier()
	if name == "" {
		return nil, r.fail("assign needs the name of a variable, not %s", r.rest())
	}
	if r.blanks(); r.peek(0) != '=' {
		return nil, r.fail("assign needs = after the variable, not %s", r.rest())
	}
	r.at++
	value, err := r.filtered()
	if err != nil {
		return nil, err
	}
	return func(st *state) error {
		v, err := value.eval(st)
		if err == nil {
			st.assign(name, v)
		}
		return err
	}, nil
}

func (c *compiler) increment(_ token, r *reader) (action, error) {
	name := r.identifier()
	return func(st *state) error {
		before, _ := st.count(name, 1)
		return st.print(before)
	}, nil
}

func (c *compiler) decrement(_ token, r *reader) (action, error) {
	name := r.identifier()
	return func(st *state) error {
		_, after := st.count(name, -1)
		return st.print(after)
	}, nil
}

func (c *compiler) signal(s signal) func(token, *reader) (action, error) {
	return func(token, *reader) (action, error) {
		return func(*state) error { return s }, nil
	}
}

func (c *compiler) cycle(_ token, r *reader) (action, error) {
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

func (c *compiler) capture(_ token, r *reader, node render.BlockNode) (action, error) {
	name := r.identifier()
	if name == "" {
		if q := r.peek(0); q != '"' && q != '\'' {
			return nil, r.fail("capture needs the name of a variable, not %s", r.rest())
		}
		name = r.quoted()
	}
	body := c.sequence(node.Body)
	return func(st *state) error {
		s, err := st.captured(body)
		if _, ok := err.(signal); ok {
			err = nil // a capture swallows what stops it
		}
		if err != nil {
			return err
		}
		st.assign(name, s)
		return st.spend(float64(len(s)))
	}, nil
}

func (c *compiler) children(_ token, _ *reader, node render.BlockNode) (action, error) {
	return c.sequence(node.Body).render, nil
}
