package form

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Warning is something in a configuration that is likely not meant. Unlike a
// Fault, it keeps nothing from starting.
type Warning struct {
	File    string
	Line    int    // from 1; 0 when it has no place in the file
	Column  int    // from 1
	Path    string // the key
	Message string // what is likely not meant; holds no secret
	WayOut  string
}

// String is one line: file:line:column: warning: path: message; way out.
func (w Warning) String() string {
	place := Fault{File: w.File, Line: w.Line, Column: w.Column}.place()
	return fmt.Sprintf("%s: warning: %s: %s; %s", place, w.Path, w.Message, w.WayOut)
}

// Fault is the warning as a fault, for those who want none.
func (w Warning) Fault() Fault {
	return Fault{File: w.File, Line: w.Line, Column: w.Column, Path: w.Path, Message: w.Message + "; " + w.WayOut}
}

func (r *Reader) Warn(n *Node, message, wayOut string) {
	r.warnings = append(r.warnings, Warning{File: r.File, Line: n.Line, Column: n.Column, Path: n.Path, Message: message, WayOut: wayOut})
}

// Warnings are in the order of the file, without doubles: an alias
// brings what it says again.
func (r *Reader) Warnings() []Warning {
	slices.SortStableFunc(r.warnings, func(a, b Warning) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return slices.CompactFunc(r.warnings, func(a, b Warning) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

// warnOfEnds tells of what is around a reference's value and is seldom meant.
func (r *Reader) warnOfEnds(n *Node, reference, value string) {
	what := ""
	switch {
	case strings.HasPrefix(value, "\ufeff"):
		what = "begins with a byte order mark"
	case strings.HasSuffix(value, "\n"), strings.HasSuffix(value, "\r"):
		what = "ends in a line break"
		if strings.HasPrefix(reference, "file:") {
			what = "ends in more than one line break"
		}
	case value != strings.TrimRight(value, " \t"):
		what = "ends in a space"
	case value != strings.TrimLeft(value, " \t\r\n"):
		what = "begins with a space"
	}
	if what != "" {
		r.Warn(n, "what ${"+reference+"} holds "+what+", which belongs to the value", "take it out there")
	}
}
