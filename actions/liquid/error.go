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

// signal is a break or a continue on its way out of a loop.
type signal uint8

const (
	breakLoop signal = iota + 1
	continueLoop
)

func (s signal) Error() string { return "break or continue outside of a loop" }
