package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/internal/config/form"
	"engage-worker/internal/nearest"
)

// Warnings are what is likely not meant, in the order of the file.
func (c *Config) Warnings() []Warning { return c.warnings }

// warnOfDefinition puts the compiler's warnings where they stand.
func (r *reader) warnOfDefinition(at *form.Node, base string, warnings []actions.Warning, veil *strings.Replacer) {
	unknown := r.Unresolved()
	for _, w := range warnings {
		if unknown.Has(form.Child(base, w.Path)) {
			continue
		}
		n := *at.Resolve(w.Path)
		n.Path = form.Child(base, w.Path)
		r.Warn(&n, veil.Replace(w.Message), veil.Replace(w.WayOut))
	}
}

// warnOfRegions tells of regions without an entry where others have one.
func (r *reader) warnOfRegions(root *form.Node, c *Config) {
	if len(c.Regions) == 0 {
		return
	}
	entries := c.entryNames()
	warn := func(n *form.Node, path, name string) {
		if _, entry := c.Regions[name]; entry || name == "" {
			return
		}
		at := *n
		at.Path = path
		shown := name
		if n.Veiled {
			shown = "the region"
		}
		wayOut := "add an entry for it under regions"
		if best, ok := nearest.Name(name, entries); ok && !n.Veiled {
			wayOut += ", or did you mean " + best + "?"
		}
		r.Warn(&at, shown+" has no entry under regions, so that it has the built-in rate of "+form.Printed(defaultRegion().Rate), wayOut)
	}
	for i, d := range c.Destinations {
		base := form.Element("destinations", i)
		path := base + ".settings.region"
		warn(root.Resolve(path), path, d.Settings.Region)
		for j, a := range d.Actions {
			if name, ok := a.Mapping["region"].(string); ok {
				path := form.Element(base+".actions", j) + ".mapping.region"
				warn(root.Resolve(path), path, name)
			}
		}
	}
}

// warnOfSenders tells of a sender's rate that holds for nobody, since no action
// sends from it. Where a mapping takes the sender from the event, nobody knows.
func (r *reader) warnOfSenders(root *form.Node, c *Config) {
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
		senders := root.Resolve("regions").Get(name).Get("senders")
		if senders == nil {
			continue
		}
		for _, e := range senders.Entries {
			if !known[twilio.SenderKey(e.Key)] {
				r.Warn(e.Value, "no action sends from "+e.Key+", so that its rate holds for nothing", "write it as the mapping has it, or take it out")
			}
		}
	}
}

var conditionGoesOn = regexp.MustCompile(`(?i)^#\s*(and|or)\s`)

// warnOfComment tells of a "#" that ends an unquoted text where it may have
// been meant: stuck to a word, as a hashtag is, in a mapping's sentence, or where a trigger
// may go on.
func (r *reader) warnOfComment(n *form.Node, comment string) {
	if n.Kind != form.KindText {
		return
	}
	stuck := !strings.ContainsRune(" \t#!-=", rune(comment[1]))
	sentence := strings.Contains(n.Path, ".mapping.") && strings.Contains(n.Text, " ")
	condition := (strings.HasSuffix(n.Path, ".trigger") || strings.HasSuffix(n.Path, ".subscribe")) && conditionGoesOn.MatchString(comment)
	if !stuck && !sentence && !condition {
		return
	}
	first, _, _ := strings.Cut(comment, " ")
	if !stuck {
		first = "#"
	}
	r.Warn(n, fmt.Sprintf("the value ends before %q, which YAML takes for a comment", first), "put the value in quotes if that belongs to it")
}

// warnOfReaders tells of secrets in a file that everybody may read. Those of a
// destination whose Twilio is reached without TLS are none: it is a simulated
// one. Where all are, what lets in at the other ends is made up, too.
func (r *reader) warnOfReaders(c *Config, mode os.FileMode) {
	const others = 0o004
	if mode&others == 0 {
		return
	}
	for _, n := range r.Literal() {
		i := 0
		if _, err := fmt.Sscanf(n.Path, "destinations[%d]", &i); err == nil && i < len(c.Destinations) && strings.HasPrefix(c.Destinations[i].Settings.TwilioHostname, "http://") {
			continue
		}
		if !form.Below(n.Path, "kafka") && !form.Below(n.Path, "destinations") && c.simulated() {
			continue
		}
		r.Warn(n, "a secret stands in a file that everybody on this machine may read", "take it from ${NAME} or ${file:/path}, or chmod o-r the file")
		return
	}
}
