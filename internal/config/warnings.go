package config

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/internal/nearest"
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

// Warnings are what is likely not meant, in the order of the file.
func (c *Config) Warnings() []Warning { return c.warnings }

func (r *reader) warn(n *node, message, wayOut string) {
	r.warnings = append(r.warnings, Warning{File: r.file, Line: n.line, Column: n.column, Path: n.path, Message: message, WayOut: wayOut})
}

// sortedWarnings are in the order of the file, without doubles: an alias
// brings what it says again.
func (r *reader) sortedWarnings() []Warning {
	slices.SortStableFunc(r.warnings, func(a, b Warning) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return slices.CompactFunc(r.warnings, func(a, b Warning) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

// warnOfDefinition puts the compiler's warnings where they stand.
func (r *reader) warnOfDefinition(at *node, base string, warnings []actions.Warning, veil *strings.Replacer) {
	unknown := newPlaces(nil, r.unknown)
	for _, w := range warnings {
		if unknown.at[child(base, w.Path)] {
			continue
		}
		n := *at.resolve(w.Path)
		n.path = child(base, w.Path)
		r.warn(&n, veil.Replace(w.Message), veil.Replace(w.WayOut))
	}
}

// warnOfRegions tells of regions without an entry where others have one.
func (r *reader) warnOfRegions(root *node, c *Config) {
	if len(c.Regions) == 0 {
		return
	}
	entries := c.entryNames()
	warn := func(n *node, path, name string) {
		if _, entry := c.Regions[name]; entry || name == "" {
			return
		}
		at := *n
		at.path = path
		shown := name
		if n.veiled {
			shown = "the region"
		}
		wayOut := "add an entry for it under regions"
		if best, ok := nearest.Name(name, entries); ok && !n.veiled {
			wayOut += ", or did you mean " + best + "?"
		}
		r.warn(&at, shown+" has no entry under regions, so that it has the built-in rate of "+printed(defaultRegion().Rate), wayOut)
	}
	for i, d := range c.Destinations {
		base := element("destinations", i)
		path := base + ".settings.region"
		warn(root.resolve(path), path, d.Settings.Region)
		for j, a := range d.Actions {
			if name, ok := a.Mapping["region"].(string); ok {
				path := element(base+".actions", j) + ".mapping.region"
				warn(root.resolve(path), path, name)
			}
		}
	}
}

// warnOfSenders tells of a sender's rate that holds for nobody, since no action
// sends from it. Where a mapping takes the sender from the event, nobody knows.
func (r *reader) warnOfSenders(root *node, c *Config) {
	known := map[string]bool{}
	for _, d := range c.Destinations {
		for _, a := range d.Actions {
			for _, field := range []string{"from", "fromPhoneNumber", "messagingServiceSid", "fromMessengerSenderId", "fromFacebookPageId"} {
				switch from := a.Mapping[field].(type) {
				case nil:
				case string:
					for _, channel := range []string{"", "whatsapp:", "messenger:"} {
						known[twilio.SenderKey(channel+from)] = true
					}
				default:
					return
				}
			}
		}
	}
	for _, name := range c.entryNames() {
		senders := root.resolve("regions").get(name).get("senders")
		if senders == nil {
			continue
		}
		for _, e := range senders.entries {
			if !known[twilio.SenderKey(e.key)] {
				r.warn(e.value, "no action sends from "+e.key+", so that its rate holds for nothing", "write it as the mapping has it, or take it out")
			}
		}
	}
}

var conditionGoesOn = regexp.MustCompile(`(?i)^#\s*(and|or)\s`)

// warnOfComment tells of a "#" that ends an unquoted text where it may have
// been meant: stuck to a word, as a hashtag is, in a mapping's sentence, or where a trigger
// may go on.
func (r *reader) warnOfComment(n *node, y *yaml.Node) {
	comment := y.LineComment
	if len(comment) < 2 || n.kind != kindText || y.Style != 0 {
		return
	}
	stuck := !strings.ContainsRune(" \t#!-=", rune(comment[1]))
	sentence := strings.Contains(n.path, ".mapping.") && strings.Contains(n.text, " ")
	condition := (strings.HasSuffix(n.path, ".trigger") || strings.HasSuffix(n.path, ".subscribe")) && conditionGoesOn.MatchString(comment)
	if !stuck && !sentence && !condition {
		return
	}
	first, _, _ := strings.Cut(comment, " ")
	if !stuck {
		first = "#"
	}
	r.warn(n, fmt.Sprintf("the value ends before %q, which YAML takes for a comment", first), "put the value in quotes if that belongs to it")
}

// warnOfEnds tells of what is around a reference's value and is seldom meant.
func (r *reader) warnOfEnds(n *node, reference, value string) {
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
		r.warn(n, "what ${"+reference+"} holds "+what+", which belongs to the value", "take it out there")
	}
}

// warnOfReaders tells of secrets in a file that everybody may read. Those of a
// destination whose Twilio is reached without TLS are none: it is a simulated
// one. Where all are, what lets in at the other ends is made up, too.
func (r *reader) warnOfReaders(c *Config, mode os.FileMode) {
	const others = 0o004
	if mode&others == 0 {
		return
	}
	for _, n := range r.literal {
		i := 0
		if _, err := fmt.Sscanf(n.path, "destinations[%d]", &i); err == nil && i < len(c.Destinations) && strings.HasPrefix(c.Destinations[i].Settings.TwilioHostname, "http://") {
			continue
		}
		if !below(n.path, "kafka") && !below(n.path, "destinations") && c.simulated() {
			continue
		}
		r.warn(n, "a secret stands in a file that everybody on this machine may read", "take it from ${NAME} or ${file:/path}, or chmod o-r the file")
		return
	}
}
