package main

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
	exitOK       = 0
	exitFailure  = 1 // something failed at run time
	exitBadInput = 2 // the configuration, the command line or the input is wrong
	exitUnlike   = 3 // a preview isn't as --expect or --fail-on want it
)

// inputError is an error that whoever called the command can mend by giving
// it something else.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// badInput marks err as bad input: exit code 2. It keeps nil nil.
func badInput(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

// exitCode classifies what a command returned.
func exitCode(err error) int {
	var input *inputError
	var faults *config.Faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &input), errors.As(err, &faults):
		return exitBadInput
	case isUnlike(err):
		return exitUnlike
	default:
		return exitFailure
	}
}

// report writes err to w, one line for each fault (errors.Join makes lines,
// too), and returns the exit code. A configuration's faults begin with
// file:line:column, everything else with the program's name.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	prefix := "engage-worker: "
	if faults := (*config.Faults)(nil); errors.As(err, &faults) {
		prefix, err = "", error(faults)
		printWarnings(w, faults.Warnings)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(w, terminal.Plain(prefix+line))
	}
	return exitCode(err)
}
