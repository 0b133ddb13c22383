package config

import (
	"regexp"
	"strings"

	"engage-worker/internal/config/form"
)

// Diff says in words what changes from one configuration to another, a line
// each: the key, what it is and was, and what that does to events. Secrets and
// whatever a reference holds aren't shown.
func Diff(before, after *Config) []string {
	was, order := flat(before, nil)
	is, order := flat(after, order)
	var lines []string
	gone := "\x00" // what was said to come or go as a whole
	for _, path := range order {
		old, had := was[path]
		now, has := is[path]
		whole := strings.HasSuffix(path, "]")
		switch {
		case strings.HasPrefix(path, gone+".") || had == has && old.same(now):
			continue
		case whole && had:
			lines, gone = append(lines, path+" is gone"+meaning(path, "gone")), path
		case whole:
			lines, gone = append(lines, path+" is new"+meaning(path, "new")), path
		case !had:
			lines = append(lines, path+" is "+now.shown+", and wasn't set"+meaning(path, ""))
		case !has:
			lines = append(lines, path+" was "+old.shown+", and isn't set any more"+meaning(path, ""))
		case old.shown == now.shown:
			lines = append(lines, path+" is another"+meaning(path, ""))
		default:
			lines = append(lines, path+" is "+now.shown+", and was "+old.shown+meaning(path, ""))
		}
	}
	return lines
}

// flatValue is a value as it is compared and as it is shown.
type flatValue struct {
	shown  string
	secret string // what *** stands for
}

func (v flatValue) same(w flatValue) bool { return v == w }

// flat are c's values by their paths, in which destinations and actions stand
// by their names, and the paths, behind those that are given.
func flat(c *Config, order []string) (map[string]flatValue, []string) {
	values := map[string]flatValue{}
	known := map[string]bool{}
	for _, path := range order {
		known[path] = true
	}
	put := func(path string, v flatValue) {
		if values[path] = v; !known[path] {
			order = append(order, path)
		}
	}
	var walk func(path, place string, v any)
	walk = func(path, place string, v any) {
		switch v := v.(type) {
		case []form.Pair:
			for _, p := range v {
				if p.Key != "name" || !strings.HasSuffix(path, "]") {
					walk(form.Child(path, p.Key), form.Child(place, p.Key), p.Value)
				}
			}
		case []any:
			for i, item := range v {
				name := strings.TrimSuffix(strings.TrimPrefix(form.Element("", i), "["), "]")
				named, _ := item.([]form.Pair)
				if len(named) > 0 && named[0].Key == "name" {
					name, _ = named[0].Value.(string)
					put(path+"["+name+"]", flatValue{})
				}
				walk(path+"["+name+"]", form.Element(place, i), item)
			}
		case map[string]any:
			for _, p := range form.SortedPairs(v) {
				walk(form.Child(path, p.Key), form.Child(place, p.Key), p.Value)
			}
		case Secret:
			put(path, flatValue{v.String(), v.Reveal()})
		default:
			if c.veiled[place] {
				put(path, flatValue{form.Veil, form.Printed(v)})
				return
			}
			put(path, flatValue{shown: form.Printed(v)})
		}
	}
	walk("", "", shapeOf(c).Get())
	return values, order
}

// meaning is what a change does to events, where that isn't plain.
func meaning(path, change string) string {
	for _, m := range []struct{ path, change, words string }{
		{`^kafka\.topic$`, "", "ledgers and retry topics are others: events begin at startOffset, and what was sent is not remembered; docs/changing.md has a recipe"},
		{`^kafka\.groupPrefix$`, "", "the ledgers have another group's records: nothing is sent until ledger.adopt names that group; docs/changing.md has a recipe"},
		{`^kafka\.deadLetterTopic$`, "", "dead letters go there from now on; those of before stay where they are"},
		{`^kafka\.startOffset$`, "", "that matters to a group without offsets only"},
		{`^destinations\[[^]]*\]$`, "new", "it has a consumer group of its own, which begins at startOffset; its topics are to be created. If it was called otherwise or is split off, docs/changing.md has a recipe"},
		{`^destinations\[[^]]*\]$`, "gone", "nobody reads its events any more, nor what waits in its retry topics"},
		{`\.actions\[[^]]*\]$`, "new", "it wants what its trigger wants, once more than half of the replicas have it"},
		{`\.actions\[[^]]*\]$`, "gone", "nothing of it is sent any more, once more than half of the replicas are without it; retries that wait become dead letters when none has it"},
		{`\.actions\[[^]]*\]\.trigger$`, "", "other events are wanted, once more than half of the replicas have it"},
		{`\.actions\[[^]]*\]\.enabled$`, "", "true sends, false doesn't"},
		{`\.actions\[[^]]*\]\.type$`, "", "messages go out by another channel, once more than half of the replicas have it; what is in doubt can't be looked up, and is unknown"},
		{`\.actions\[[^]]*\]\.mapping\.from`, "", "messages have another sender, once more than half of the replicas have it; what is in doubt is looked up with the former one only if settings.former names it"},
		{`\.actions\[[^]]*\]\.mapping`, "", "messages change, those of events that wait for a retry too"},
		{`\.settings\.twilioAccountSID$`, "", "messages go out from another account, once more than half of the replicas have it; what is in doubt is looked up in the former one only if settings.former names it"},
		{`\.settings\.(twilioHostname|region)$`, "", "messages go another way, once more than half of the replicas have it; what is in doubt is looked up there only if settings.former names it"},
		{`^regions\.[^.]*\.rate$`, "", "that is for the whole fleet, once all replicas have it"},
		{`^delivery\.maxEventAge$`, "", "what is older becomes a dead letter"},
		{`^delivery\.unknownOutcome$`, "", "resend may send twice, deadLetter doesn't"},
	} {
		if m.change == change && regexp.MustCompile(m.path).MatchString(path) {
			return ": " + m.words
		}
	}
	return ""
}
