package form

import (
	"iter"
	"strings"
)

// Places are paths, those above and those below them.
type Places struct{ at, above map[string]bool }

// Reported are the places of faults, and of what isn't known because references
// aren't looked up.
func (r *Reader) Reported() Places {
	p := r.Unresolved()
	for _, f := range r.faults {
		p.add(f.Path)
	}
	return p
}

// Unresolved are the places of what isn't known because references aren't looked
// up.
func (r *Reader) Unresolved() Places {
	p := Places{map[string]bool{}, map[string]bool{}}
	for _, path := range r.unresolved {
		p.add(path)
	}
	return p
}

// Has reports whether path is one of them.
func (p Places) Has(path string) bool { return p.at[path] }

func (p Places) add(path string) {
	p.at[path] = true
	for above := range ancestors(path) {
		p.above[above] = true
	}
}

// Near reports whether path, something in it or what it is in is one of them.
func (p Places) Near(path string) bool {
	if p.at[path] || p.above[path] {
		return true
	}
	for above := range ancestors(path) {
		if p.at[above] {
			return true
		}
	}
	return false
}

// ancestors are the paths of what path is in, but for the whole file.
func ancestors(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := len(path) - 1; i > 0; i-- {
			if (path[i] == '.' || path[i] == '[') && !yield(path[:i]) {
				return
			}
		}
	}
}

// Below reports whether path is inside of base.
func Below(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
