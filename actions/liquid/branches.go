package liquid

import (
	"io"

	"github.com/osteele/liquid/render"
)

// branch is one of a block's ways: its clause in the engine's tree, nil for
// the block's own body.
type branch struct {
	test   func(st *state) (bool, error)
	clause *render.BlockNode
}

func (b branch) render(ctx render.Context) error {
	if b.clause == nil {
		return ended(ctx.RenderChildren(io.Discard))
	}
	return ctx.RenderBlock(io.Discard, b.clause)
}

// condition is if and unless. What follows the first else counts for nothing,
// as in LiquidJS.
func (c *compiler) condition(t token, r *reader, node render.BlockNode) (action, error) {
	test, err := c.test(r, t.name == "unless")
	if err != nil {
		return nil, err
	}
	branches := []branch{{test: test}}
	for _, clause := range node.Clauses {
		t := c.token(clause.Args)
		if t.name == "else" {
			branches = append(branches, branch{test: always, clause: clause})
			break
		}
		test, err := c.test(c.reader(t), false)
		if err != nil {
			return nil, err
		}
		branches = append(branches, branch{test: test, clause: clause})
	}
	return func(st *state, ctx render.Context) error {
		for _, b := range branches {
			met, err := b.test(st)
			if err != nil {
				return err
			}
			if met {
				return b.render(ctx)
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
func (c *compiler) choice(_ token, r *reader, node render.BlockNode) (action, error) {
	target, err := r.filtered()
	if err != nil {
		return nil, err
	}
	type when struct {
		values []operand
		clause *render.BlockNode
	}
	var whens []when
	var otherwise []*render.BlockNode
	for _, clause := range node.Clauses {
		t := c.token(clause.Args)
		if t.name == "else" && len(otherwise) > 0 {
			break
		}
		if t.name == "else" || len(otherwise) > 0 {
			otherwise = append(otherwise, clause)
			continue
		}
		values, err := c.reader(t).alternatives()
		if err != nil {
			return nil, err
		}
		whens = append(whens, when{values, clause})
	}
	return func(st *state, ctx render.Context) error {
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
					if err := ctx.RenderBlock(io.Discard, w.clause); err != nil {
						return err
					}
					break
				}
			}
		}
		if hit {
			return nil
		}
		for _, clause := range otherwise {
			if err := ctx.RenderBlock(io.Discard, clause); err != nil {
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
