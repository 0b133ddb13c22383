package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"engage-worker/internal/config"
	"engage-worker/internal/terminal"
)

// The exit codes.
const (
	ExitOK       = 0
	ExitFailure  = 1 // something failed at run time
	ExitBadInput = 2 // the configuration, the command line or the input is wrong
	ExitUnlike   = 3 // a preview isn't as --expect or --fail-on want it
)

// inputError is an error that whoever called the command can mend by giving
// it something else.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// BadInput marks err as bad input: exit code 2. It keeps nil nil.
func BadInput(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

// UnlikeError is what isn't as the caller wants it, a line each: exit code 3.
type UnlikeError []string

func (e UnlikeError) Error() string { return strings.Join(e, "\n") }

// exitCode classifies what a command returned.
func exitCode(err error) int {
	var input *inputError
	var faults *config.Faults
	var unlike UnlikeError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &input), errors.As(err, &faults):
		return ExitBadInput
	case errors.As(err, &unlike):
		return ExitUnlike
	default:
		return ExitFailure
	}
}

// Report writes err to w, one line for each fault (errors.Join makes lines,
// too), and returns the exit code. A configuration's faults begin with
// file:line:column, everything else with the program's name.
func Report(w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	prefix := "engage-worker: "
	if faults := (*config.Faults)(nil); errors.As(err, &faults) {
		prefix, err = "", error(faults)
		PrintWarnings(w, faults.Warnings)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(w, terminal.Plain(prefix+line))
	}
	return exitCode(err)
}
