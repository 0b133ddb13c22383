package trigger

// Trigger is a compiled expression. It is safe for concurrent use.
type Trigger struct {
	expr string
	root *part
}

// Compile compiles an FQL expression. The error is a *SyntaxError.
func Compile(expr string) (*Trigger, error) {
	tree, err := parse(expr)
	if err != nil {
		return nil, err
	}
	root, err := compiler{expr}.or(tree)
	if err != nil {
		return nil, err
	}
	return &Trigger{expr: expr, root: root}, nil
}

// Match reports whether the trigger wants an event, the bytes of one JSON
// object; it wants nothing that isn't one. It keeps nothing of event.
func (t *Trigger) Match(event []byte) bool {
	e, err := Parse(event)
	return err == nil && t.root.match(e)
}

// MatchEvent is Match of an event that is parsed already, for several
// triggers that look at the same one.
func (t *Trigger) MatchEvent(e Event) bool { return t.root.match(e) }

// String is the expression as it was given to Compile.
func (t *Trigger) String() string { return t.expr }
