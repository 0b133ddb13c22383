package form

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration file.
type Fault struct {
	File    string
	Line    int    // from 1; 0 when the fault has no place in the file
	Column  int    // from 1; 0 when only the line is known
	Path    string // the key, as in "kafka.brokers[0]"; empty for the whole file
	Message string // what is wrong and the way out; holds no secret
}

// Error is one line: file:line:column: path: message.
func (f Fault) Error() string {
	if f.Path != "" {
		return f.place() + ": " + f.Path + ": " + f.Message
	}
	return f.place() + ": " + f.Message
}

// place is file:line:column, as far as they are known.
func (f Fault) place() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Column > 0 {
		fmt.Fprintf(&b, ":%d", f.Column)
	}
	return b.String()
}

// Faults is everything wrong with a configuration file, in its order. It is
// never empty.
type Faults struct {
	List     []Fault
	Warnings []Warning // what is likely not meant besides
}

// Error is one line a fault.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As and errors.Is each Fault.
func (f *Faults) Unwrap() []error {
	errs := make([]error, len(f.List))
	for i, fault := range f.List {
		errs[i] = fault
	}
	return errs
}

// sort brings the faults into the order of the file, without doubles.
func (f *Faults) sort() {
	slices.SortStableFunc(f.List, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	f.List = slices.Compact(f.List)
}
