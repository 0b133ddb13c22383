package actions

import (
	"errors"
	"fmt"

	"engage-worker/actions/outcome"
	"engage-worker/actions/profile"
	"engage-worker/actions/twilio"
)

// fail makes a failure of an event that no other attempt can change.
func fail(reason outcome.Reason, code, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Code: code, Message: fmt.Sprintf(format, args...)}
}

// failedLookup makes a failure of a look-up's error; prefix begins its code.
func failedLookup(reason outcome.Reason, prefix string, err error) *Failure {
	f := &Failure{Reason: reason, Code: prefix + "_failed", Message: err.Error(), Retryable: true, Err: err}
	if lookup, ok := errors.AsType[*twilio.LookupError](err); ok {
		f.Retryable, f.Status, f.RetryAfter = lookup.Retryable, lookup.Status, lookup.RetryAfter
		if f.Status != 0 {
			f.Code = fmt.Sprintf("%s_http_%d", prefix, f.Status)
		}
	}
	return f
}

// Both clients' errors are the same type, which failedLookup relies on.
var _ *twilio.LookupError = (*profile.LookupError)(nil)
