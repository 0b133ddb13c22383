package liquid

import "slices"

// Reference is a variable that a template reads.
type Reference struct {
	Keys         []string // the variable, and the properties read from it as far as they are fixed
	Text         string   // as it is written
	Line, Column int      // both from 1
}

// References are the variables that the template reads of what it is rendered
// with, in its order: those that it defines itself (by assign, capture, loops
// and counters) are none of them.
func (t *Template) References() []Reference {
	defined := make(map[string]bool, len(t.words.defined))
	for _, name := range t.words.defined {
		defined[name] = true
	}
	var references []Reference
	for _, v := range t.words.variables {
		keys := v.path.fixed()
		if len(keys) == 0 || defined[keys[0]] {
			continue
		}
		at := errorAt(t.source, v.at, "")
		references = append(references, Reference{Keys: keys, Text: v.path.text, Line: at.Line, Column: at.Column})
	}
	return references
}

// variable is a path from a variable, and where in the source it stands.
type variable struct {
	path *path
	at   int
}

// reads notes a path that the reader has read.
func (v *vocabulary) reads(p *path, at int) {
	if p.base == nil {
		v.variables = append(v.variables, variable{p, at})
	}
}

// defines notes variables that the template defines.
func (v *vocabulary) defines(names ...string) { v.defined = append(v.defined, names...) }

// fixed are the keys up to the first that depends on a variable.
func (p *path) fixed() []string {
	var keys []string
	for _, key := range p.keys {
		c, _ := key.(constant)
		name, ok := c.value.(string)
		if !ok {
			break
		}
		keys = append(keys, name)
	}
	return keys
}

// Noting are variables to render with that note which outputs, as they are
// written, came out empty.
type Noting struct {
	Vars  any
	Empty *[]string
}

// noting takes the notes out of the variables.
func (st *state) noting() {
	if n, ok := st.vars.(Noting); ok {
		st.vars, st.empty = n.Vars, n.Empty
	}
}

// printOutput prints what an output came to.
func (st *state) printOutput(v any, written string) error {
	before := len(st.out)
	err := st.print(v)
	if st.empty != nil && err == nil && len(st.out) == before && !slices.Contains(*st.empty, written) {
		*st.empty = append(*st.empty, written)
	}
	return err
}
