package letters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
)

// Choice is what somebody asks to be replayed.
type Choice struct {
	Filter deadletter.Filter

	// As they were given, where Filter has the times that this means now.
	Since, Until string
	Zone         string // of those of them that name none; "" is UTC

	EvenIfSent, Undelivered, Again bool
}

// Selection is the same text whenever the same is asked for again, by whomever. It
// doesn't tell what was asked for.
func (c Choice) Selection() string {
	f := c.Filter
	asked := fmt.Sprintf("%q %q %q %q %q %q %q %q %d %q %q %q", f.IDs, f.Reasons, f.Dispositions, f.Destinations, f.Actions, f.Regions,
		f.Users, f.MessageIDs, f.Codes, given(c.Since, f.Since), given(c.Until, f.Until), f.Contains)
	if c.Zone != "" && c.Zone != "UTC" {
		asked += " " + c.Zone
	}
	if c.EvenIfSent || c.Undelivered || c.Again || len(f.States) > 0 {
		asked += fmt.Sprintf(" %t %t %t %q", c.EvenIfSent, c.Undelivered, c.Again, f.States)
	}
	sum := sha256.Sum256([]byte(asked))
	return hex.EncodeToString(sum[:8])
}

// given is a time as it was given, or else as it is.
func given(text string, t time.Time) string {
	if text == "" && !t.IsZero() {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return text
}

// everything is what Asked writes where nothing narrows the choice: an empty text
// says that nobody knows.
const everything = "all"

// leftOut names, in what Asked writes, the options that it keeps to itself.
const leftOut = "left-out"

// mostIDs bounds how many ids Asked writes.
const mostIDs = 20

// Asked writes the choice down as a URL's query, with the options' names, for the
// record of replays. What may say something of a person is left out, and that it
// is left out is said.
func (c Choice) Asked() string {
	f, v := c.Filter, url.Values{}
	add := func(name string, values ...string) {
		if len(values) > 0 {
			v[name] = values
		}
	}
	if len(f.IDs) > mostIDs {
		add(leftOut, strconv.Itoa(len(f.IDs))+" ids")
	} else {
		add("id", f.IDs...)
	}
	add("state", Texts(f.States)...)
	add("reason", f.Reasons...)
	add("disposition", Texts(f.Dispositions)...)
	add("destination", f.Destinations...)
	add("action", f.Actions...)
	add("region", f.Regions...)
	for _, code := range f.Codes {
		v.Add("code", strconv.Itoa(code))
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			add(name, t.UTC().Format(time.RFC3339))
		}
	}
	for _, option := range []struct {
		name string
		said bool
	}{{"user", len(f.Users) > 0}, {"message-id", len(f.MessageIDs) > 0}, {"contains", f.Contains != ""}, {"id", f.IDPrefix != ""}} {
		if option.said {
			v.Add(leftOut, option.name)
		}
	}
	for name, on := range map[string]bool{"even-if-sent": c.EvenIfSent, "undelivered": c.Undelivered, "again": c.Again} {
		if on {
			add(name, "true")
		}
	}
	if len(v) == 0 {
		add(everything, "true")
	}
	return v.Encode()
}

// Texts are words as texts.
func Texts[T ~string](values []T) (s []string) {
	for _, v := range values {
		s = append(s, string(v))
	}
	return s
}

// AskedInWords says for people what Asked has written.
func AskedInWords(asked string) string {
	v, err := url.ParseQuery(asked)
	if err != nil {
		return ""
	}
	var parts []string
	say := func(name, words string) {
		if values := v[name]; len(values) > 0 {
			parts = append(parts, words+" "+strings.Join(values, " or "))
		}
	}
	say("id", "the letters")
	say("state", "in state")
	say("reason", "of reason")
	say("disposition", "of kind")
	say("destination", "of destination")
	say("action", "of action")
	say("region", "of region")
	say("code", "with Twilio's code")
	say("since", "failed since")
	say("until", "failed before")
	say(leftOut, "chosen also by what isn't written down:")
	for _, option := range []struct{ name, words string }{
		{"undelivered", "also what wasn't delivered"}, {"again", "also what was replayed and came to nothing"},
		{"even-if-sent", "also what may have been sent where nobody can tell any more"},
	} {
		if v.Has(option.name) {
			parts = append(parts, option.words)
		}
	}
	if len(parts) == 0 {
		return "all dead letters"
	}
	return strings.Join(parts, ", ")
}

// AskedWhole reports whether Asked has written all down: who asks for that, asks for
// the same.
func AskedWhole(asked string) bool {
	v, err := url.ParseQuery(asked)
	return err == nil && asked != "" && !v.Has(leftOut)
}
