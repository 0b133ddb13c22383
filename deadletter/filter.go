package deadletter

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// Filter chooses dead letters. Empty fields choose all; of several values of
// one field any may match, and all fields must.
type Filter struct {
	IDs          []string
	Reasons      []string
	Dispositions []Disposition
	Destinations []string
	Actions      []string
	Users        []string
	MessageIDs   []string
	Regions      []string
	Codes        []int     // of Twilio
	Since        time.Time // failed then or later
	Until        time.Time // failed before
	Contains     string    // in the event's value or in what went wrong, in any case
	States       []State   // as the record says; see Record.State
	IDPrefix     string    // what the id begins with
}

// Match reports whether the filter chooses r.
func (f *Filter) Match(r *Record) bool {
	switch failed := r.FailedAt(); {
	case !oneOf(f.Reasons, r.Reason), !oneOf(f.Dispositions, r.Disposition),
		!oneOf(f.Destinations, r.Destination), !oneOf(f.Actions, r.Action),
		!oneOf(f.Users, r.UserID), !oneOf(f.MessageIDs, r.MessageID),
		!oneOf(f.Regions, r.Region), !oneOf(f.Codes, r.TwilioCode), !oneOf(f.States, r.State):
		return false
	case !f.Since.IsZero() && failed.Before(f.Since), !f.Until.IsZero() && !failed.Before(f.Until):
		return false
	case len(f.IDs) > 0 && !slices.Contains(f.IDs, r.ID()):
		return false
	case f.IDPrefix != "" && !strings.HasPrefix(r.ID(), f.IDPrefix):
		return false
	case f.Contains != "":
		text := strings.ToLower(f.Contains)
		return strings.Contains(strings.ToLower(r.Message), text) || bytes.Contains(bytes.ToLower(r.Value), []byte(text))
	}
	return true
}

func oneOf[T comparable](allowed []T, v T) bool {
	return len(allowed) == 0 || slices.Contains(allowed, v)
}
