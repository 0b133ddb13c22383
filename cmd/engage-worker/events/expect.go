package events

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
)

// expectation is a line of --expect: a line of preview's output, or a part of
// it. event, destination and action say which line it is about, the rest how
// that must be.
type expectation struct {
	place string // file:line
	want  map[string]any
	met   bool
}

func readExpectations(path string) ([]*expectation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := []*expectation{}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e := &expectation{place: fmt.Sprintf("%s:%d", path, n)}
		if err := json.Unmarshal(line, &e.want); err != nil {
			return nil, fmt.Errorf("%s: not a JSON object: %w", e.place, err)
		}
		for key := range e.want {
			if !slices.Contains([]string{"event", "destination", "action", "decision", "reason", "region", "request", "error", "warnings"}, key) {
				return nil, fmt.Errorf("%s: a line of preview has no %q", e.place, key)
			}
		}
		all = append(all, e)
	}
	return all, scanner.Err()
}

// compare holds a line against the first expectation that is about it. A line
// that none is about is a surprise, unless nothing would come of it.
func (p *previewing) compare(line preview.Line) error {
	line.Explain = nil
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		return err
	}
	for _, e := range p.expected {
		if e.met || !e.about(got) {
			continue
		}
		e.met = true
		for _, key := range []string{"decision", "reason", "region", "error", "warnings", "request"} {
			if want, ok := e.want[key]; ok {
				p.differ(e.place, key, want, got[key])
			}
		}
		return nil
	}
	if line.Decision == "send" || line.Decision == "fail" {
		p.surprises = append(p.surprises, fmt.Sprintf("%s %s, %s/%s: %s isn't expected", line.Event.String(), line.Event.MessageID, line.Destination, line.Action, line.Decision))
	}
	return nil
}

// about reports whether an expectation is about a line.
func (e *expectation) about(got map[string]any) bool {
	for _, key := range []string{"event", "destination", "action"} {
		if want, ok := e.want[key]; ok && !within(want, got[key]) {
			return false
		}
	}
	return true
}

// differ notes where a line isn't as expected.
func (p *previewing) differ(place, path string, want, got any) {
	if members, ok := want.(map[string]any); ok {
		have, _ := got.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(members)) {
			p.differ(place, path+"."+key, members[key], have[key])
		}
		return
	}
	if within(want, got) {
		return
	}
	p.surprises = append(p.surprises, fmt.Sprintf("%s: %s is %s, not %s", place, path, asJSON(got), asJSON(want)))
}

// within reports whether got has all that want says: members of objects, and
// fields of a form. Everything else must be equal.
func within(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		for key, value := range want {
			ok = ok && within(value, have[key])
		}
		return ok
	case []any:
		have, ok := got.([]any)
		if !ok || !isForm(want) {
			return reflect.DeepEqual(any(want), got)
		}
		for _, field := range want {
			ok = ok && slices.ContainsFunc(have, func(h any) bool { return reflect.DeepEqual(h, field) })
		}
		return ok
	default:
		return reflect.DeepEqual(want, got)
	}
}

// isForm reports whether a list is one of pairs.
func isForm(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(item any) bool { pair, ok := item.([]any); return !ok || len(pair) != 2 })
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// judge is the verdict on all lines.
func (p *previewing) judge(failOn string) error {
	lines := p.surprises
	for _, e := range p.expected {
		if !e.met {
			lines = append(lines, e.place+": no line is like this")
		}
	}
	if failOn != "" && p.tally.failed > 0 {
		lines = append(lines, terminal.Plural(p.tally.failed, "line")+" failed")
	}
	if failOn == "warn" && p.tally.warnings > 0 {
		lines = append(lines, "there are warnings")
	}
	if len(lines) == 0 {
		return nil
	}
	return cli.UnlikeError(lines)
}
