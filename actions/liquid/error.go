package liquid

import "fmt"

// Error is a fault of a template, found when compiling or rendering it. It
// holds text of the template but none of the variables.
type Error struct {
	Line, Column int // both from 1; the column counts characters
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("Liquid, line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Cause, Path and LineNumber make the engine pass the error on as it is. It
// adds its own idea of the place to errors without a path.
func (e *Error) Cause() error    { return nil }
func (e *Error) Path() string    { return "template" }
func (e *Error) LineNumber() int { return e.Line }

// signal is a break or a continue on its way out of a loop. It passes through
// the engine like an Error.
type signal uint8

const (
	breakLoop signal = iota + 1
	continueLoop
)

func (s signal) Error() string   { return "break or continue outside of a loop" }
func (s signal) Cause() error    { return nil }
func (s signal) Path() string    { return "template" }
func (s signal) LineNumber() int { return 0 }
