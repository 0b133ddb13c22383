package liquid

import "strings"

// compiler makes actions of tokens. Blocks nest: sequence comes to a tag that
// opens one, whose bodies are sequences again, each up to the tag that ends it.
type compiler struct {
	source string
	words  *vocabulary
	tokens []token // still to come
	nested int     // blocks around
}

// block is what is inside of a block tag: the text behind it, and behind each
// of its clauses.
type block struct {
	body    sequence
	clauses []clause
}

// clause is an else, elsif or when, and what is behind it.
type clause struct {
	token token
	body  sequence
}

// isClause reports whether a tag divides the block of a name.
func isClause(block, tag string) bool {
	switch block {
	case "if", "unless":
		return tag == "elsif" || tag == "else"
	case "case":
		return tag == "when" || tag == "else"
	case "for":
		return tag == "else"
	}
	return false
}

// sequence compiles what comes up to a clause or the end of the block around,
// which it returns too. Without a block around, it goes to the end.
func (c *compiler) sequence(around *token) (sequence, token, error) {
	actions := sequence{}
	for len(c.tokens) > 0 {
		t := c.tokens[0]
		c.tokens = c.tokens[1:]
		if around != nil && t.kind == tagToken && (t.name == "end"+around.name || isClause(around.name, t.name)) {
			return actions, t, bare(c.source, t)
		}
		do, err := c.action(t)
		if err != nil {
			return nil, t, err
		}
		actions = append(actions, c.placed(t, do))
	}
	if around != nil {
		return nil, *around, c.fail(*around, "%s is not closed with {%% end%s %%}", around.name, around.name)
	}
	return actions, token{}, nil
}

// block compiles what is inside of the block that t opens.
func (c *compiler) block(t token) (block, error) {
	if c.nested++; c.nested > maxNesting {
		return block{}, c.fail(t, "blocks nest more than %d deep", maxNesting)
	}
	defer func() { c.nested-- }()
	var b block
	body, stop, err := c.sequence(&t)
	b.body = body
	for err == nil && stop.name != "end"+t.name {
		part := clause{token: stop}
		part.body, stop, err = c.sequence(&t)
		b.clauses = append(b.clauses, part)
	}
	return b, err
}

// bare refuses text behind a tag that has no use for it. LiquidJS lets some of
// it pass unread, as in {% endif a %}, where it was meant to count.
func bare(source string, t token) error {
	if t.begin >= t.end || t.name == "elsif" || t.name == "when" {
		return nil
	}
	text := shown(source[t.begin:t.end])
	if t.name == "else" && strings.HasPrefix(text, "if") {
		return errorAt(source, t.pos, "else takes nothing behind it, not %q; write elsif", text)
	}
	return errorAt(source, t.pos, "%s takes nothing behind it, not %q", t.name, text)
}

// lines compiles {% liquid %}, which has a tag on each line.
func (c *compiler) lines(t token) (action, error) {
	inner := compiler{source: c.source, words: c.words, nested: c.nested}
	comment := false
	for pos := t.begin; pos < t.end; {
		end := t.end
		if i := strings.IndexByte(c.source[pos:end], '\n'); i >= 0 {
			end = pos + i + 1
		}
		r := reader{source: c.source, at: pos, end: end}
		if r.blanks(); !r.done() {
			line := token{kind: tagToken, pos: r.at}
			if line.name = r.tagName(); line.name == "" {
				return nil, c.fail(line, "the name of a tag is expected here")
			}
			r.blanks()
			line.begin = min(r.at, end)
			line.end = line.begin + len(strings.TrimRightFunc(c.source[line.begin:end], isBlank))
			switch {
			case line.name == "endcomment":
				if err := bare(c.source, line); err != nil {
					return nil, err
				}
				comment = false
			case line.name == "comment":
				comment = true
			case line.name != "#" && !comment:
				inner.tokens = append(inner.tokens, line)
			}
		}
		pos = end
	}
	if comment {
		return nil, c.fail(t, "comment is not closed with endcomment")
	}
	body, _, err := inner.sequence(nil)
	return body.render, err
}

func (c *compiler) fail(t token, format string, args ...any) error {
	return errorAt(c.source, t.pos, format, args...)
}
