package letters

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
)

// Options choose dead letters, as they are given on the command line, which the
// tags are for, or in an address. Of several values of one any may match; all of
// them must.
type Options struct {
	State       []string `help:"Only in this state: open, replayed, skipped, sent, delivered, failed_again, dismissed." placeholder:"STATE"`
	Reason      []string `help:"Only with this engage.reason, such as opted_out." placeholder:"REASON"`
	Disposition []string `help:"Only of this disposition: permanent, exhausted, ambiguous, expired, malformed, undelivered." placeholder:"KIND"`
	Destination []string `help:"Only of this destination." placeholder:"NAME"`
	Action      []string `help:"Only of this action." placeholder:"NAME"`
	Region      []string `help:"Only of this region." placeholder:"NAME"`
	User        []string `help:"Only of this user id." placeholder:"ID" sep:"none"`
	MessageID   []string `help:"Only of the event with this messageId." placeholder:"ID" sep:"none"`
	Code        []int    `help:"Only with this error code of Twilio's." placeholder:"N"`
	Since       string   `help:"Only what failed then or later: 24h or 7d ago, 2026-03-01, or 2026-03-01T10:00:00Z. Without a zone: --tz." placeholder:"WHEN"`
	Until       string   `help:"Only what failed before then." placeholder:"WHEN"` // as Since, which ParseTime reads
	Contains    string   `help:"Only with this text in the event or in what went wrong, in capitals or not." placeholder:"TEXT"`

	Zone *time.Location `kong:"-"` // of times that name none; nil: UTC
}

// Filter is what the options choose at a time. The error names the option, with a
// prefix, and what it may be.
func (o Options) Filter(prefix string, now time.Time) (deadletter.Filter, error) {
	f := deadletter.Filter{
		Destinations: o.Destination, Actions: o.Action, Regions: o.Region, Users: o.User, MessageIDs: o.MessageID, Codes: o.Code, Contains: o.Contains,
	}
	var err error
	if f.States, err = Known(prefix+"state", o.State, deadletter.AllStates()); err != nil {
		return f, err
	}
	if f.Reasons, err = Known(prefix+"reason", o.Reason, Reasons()); err != nil {
		return f, err
	}
	if f.Dispositions, err = Known(prefix+"disposition", o.Disposition, deadletter.Dispositions()); err != nil {
		return f, err
	}
	where := o.Zone
	if where == nil {
		where = time.UTC
	}
	for _, point := range []struct {
		name, text string
		into       *time.Time
	}{{"since", o.Since, &f.Since}, {"until", o.Until, &f.Until}} {
		if point.text == "" {
			continue
		}
		if *point.into, err = ParseTime(point.text, now, where); err != nil {
			return f, fmt.Errorf("%s%s: %w", prefix, point.name, err)
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return f, errors.New(prefix + "since must be before " + prefix + "until")
	}
	return f, nil
}

// Unknown is an error if an option names what a configuration doesn't know. It is
// asked when nothing was found: what isn't configured any more may have letters.
func (o Options) Unknown(prefix string, cfg *config.Config) error {
	known := map[string][]string{}
	for _, d := range cfg.Destinations {
		known["destination"] = append(append(known["destination"], d.Name), d.FormerNames...)
		known["region"] = append(known["region"], d.Settings.Region)
		for _, a := range d.Actions {
			known["action"] = append(known["action"], a.Name)
		}
	}
	for name := range cfg.Regions {
		known["region"] = append(known["region"], name)
	}
	for _, option := range []struct {
		name   string
		values []string
	}{{"destination", o.Destination}, {"action", o.Action}, {"region", o.Region}} {
		names := slices.Compact(slices.Sorted(slices.Values(known[option.name])))
		if _, err := Known(prefix+option.name, option.values, names); err != nil {
			return err
		}
	}
	return nil
}

// Known are the words that an option was given, each of which must be a known one:
// the error names these.
func Known[T ~string](option string, given []string, known []T) (words []T, err error) {
	for _, word := range given {
		if !slices.Contains(known, T(word)) {
			return nil, fmt.Errorf("%s %q is unknown; known are %s", option, word, strings.Join(Texts(known), ", "))
		}
		words = append(words, T(word))
	}
	return words, nil
}
