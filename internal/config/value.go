package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"engage-worker/internal/nearest"
)

// rule is what a text must be.
type rule struct {
	takes   string             // in words
	pattern string             // a regular expression, of Go's and of JSON Schema's: what it doesn't match, check refuses
	check   func(string) error // the error says the way out
}

// orEmpty lets the empty text pass.
func (ru rule) orEmpty() rule {
	check := ru.check
	ru.check = func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
	if ru.pattern != "" {
		ru.pattern = "^$|" + ru.pattern
	}
	return ru
}

// text takes text that keeps to the rules.
func text[T ~string](into *T, otherwise T, rules ...rule) shape {
	s := value(into, otherwise)
	s.takes = "text"
	pattern := ""
	for _, ru := range rules {
		s.takes, pattern = ru.takes, ru.pattern
	}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindText) {
			return
		}
		for _, ru := range rules {
			if err := ru.check(n.text); err != nil && !n.unknown {
				r.fault(n, "%s", err)
				return
			}
		}
		*into = T(n.text)
	}
	s.schema = func() map[string]any { return textSchema(pattern) }
	return s
}

// orDefault has the empty text stand for the default.
func (s shape) orDefault() shape {
	read := s.read
	s.read = func(r *reader, n *node) {
		if n.kind != kindText || n.text != "" {
			read(r, n)
		}
	}
	schema := s.schema
	s.schema = func() map[string]any {
		return map[string]any{"anyOf": []any{map[string]any{"const": ""}, schema()}}
	}
	return s
}

// secret takes text that no fault shows, nor print.
func secret[T ~string](into *T, rules ...rule) shape {
	s := text(into, "", rules...)
	s.takes += ", secret"
	s.get = func() any { return Secret(*into) }
	read := s.read
	s.read = func(r *reader, n *node) {
		if !n.veiled && n.text != "" {
			r.literal = append(r.literal, n)
		}
		n.veiled = true
		r.keepSecret(n.text)
		read(r, n)
	}
	return s
}

// choice takes one of the texts, the lower-case ones in capitals, too.
func choice[T ~string](into *T, otherwise T, allowed ...T) shape {
	s := value(into, otherwise)
	names := make([]string, len(allowed))
	var quoted []string
	for i, a := range allowed {
		if names[i] = string(a); a != "" {
			quoted = append(quoted, "`"+names[i]+"`")
		}
	}
	s.takes = strings.Join(quoted, ", ")
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindText) || n.unknown {
			return
		}
		name := n.text
		if name == strings.ToUpper(name) {
			name = strings.ReplaceAll(strings.ToLower(name), "_", "-") // AWS_MSK_IAM
		}
		if !slices.Contains(names, name) {
			r.fault(n, "%s isn't allowed; %s", n.shown(), suggest(n.text, names))
			return
		}
		*into = T(name)
	}
	s.schema = func() map[string]any { return choiceSchema(names) }
	return s
}

// boolean takes true or false.
func boolean(into *bool, otherwise bool) shape {
	s := value(into, otherwise)
	s.takes = "boolean"
	s.read = func(r *reader, n *node) {
		if n.kind == kindText && n.veiled && (n.text == "true" || n.text == "false") {
			*into = n.text == "true"
			return
		}
		if !r.expect(n, kindBool) {
			return
		}
		*into = n.boolean
	}
	s.schema = func() map[string]any { return scalarSchema("boolean", reference) }
	return s
}

// whole takes a whole number in the range.
func whole(into *int, otherwise, lowest, highest int) shape {
	s := value(into, otherwise)
	s.takes = fmt.Sprintf("%d to %d", lowest, highest)
	s.read = func(r *reader, n *node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f != math.Trunc(f) || f < float64(lowest) || f > float64(highest) {
			r.fault(n, "must be a whole number from %d to %d, not %s", lowest, highest, n.shown())
			return
		}
		*into = int(f)
	}
	s.schema = func() map[string]any {
		m := scalarSchema("integer", reference)
		m["minimum"], m["maximum"] = lowest, highest
		return m
	}
	return s
}

// number takes a number above zero, up to highest.
func number(into *float64, otherwise, highest float64) shape {
	s := value(into, otherwise)
	most := strconv.FormatFloat(highest, 'f', -1, 64)
	s.takes = "number above 0, up to " + most
	s.read = func(r *reader, n *node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f <= 0 || f > highest {
			r.fault(n, "must be above 0 and at most %s, not %s", most, n.shown())
			return
		}
		*into = f
	}
	s.schema = func() map[string]any {
		m := scalarSchema("number", reference)
		m["exclusiveMinimum"], m["maximum"] = 0, highest
		return m
	}
	return s
}

// numberOf is a number, or what a reference holds read as one.
func (r *reader) numberOf(n *node) (float64, bool) {
	if n.kind == kindText && n.veiled && !n.broken && !n.unknown {
		f, err := strconv.ParseFloat(strings.TrimSpace(n.text), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.fault(n, "must be a number, and the value of the reference isn't one")
			return 0, false
		}
		return f, true
	}
	return n.number, r.expect(n, kindNumber)
}

// duration takes a duration with its unit, in the range. A plain 0 is taken
// where the range begins at 0.
func duration(into *time.Duration, otherwise, lowest, highest time.Duration) shape {
	s := value(into, otherwise)
	switch {
	case lowest == 0:
		s.takes = "duration up to " + durationText(highest) + ", or 0"
	case lowest <= time.Millisecond:
		s.takes = "duration up to " + durationText(highest)
	default:
		s.takes = "duration, " + durationText(lowest) + " to " + durationText(highest)
	}
	s.read = func(r *reader, n *node) {
		d, ok := r.durationOf(n)
		if !ok {
			return
		}
		if d < lowest || d > highest {
			r.fault(n, "must be from %s to %s, not %s", durationText(lowest), durationText(highest), n.shown())
			return
		}
		*into = d
	}
	s.schema = func() map[string]any {
		m := scalarSchema("string", durationPattern+"|"+reference)
		if lowest == 0 {
			m["type"] = append(m["type"].([]string), "integer")
			m["minimum"], m["maximum"] = 0, 0
		}
		return m
	}
	return s
}

func (r *reader) durationOf(n *node) (time.Duration, bool) {
	switch {
	case n.broken, n.unknown:
		return 0, false
	case n.kind == kindNumber && n.number != 0:
		r.fault(n, "%s has no unit; write %ss for seconds (units: ms, s, m, h, d)", n.shown(), n.shown())
		return 0, false
	case n.kind == kindNumber:
		return 0, true
	case !r.expect(n, kindText):
		return 0, false
	}
	d, err := ParseDuration(strings.TrimSpace(n.text))
	if err != nil {
		r.fault(n, "%s isn't a duration; write a number with a unit, as in 10s, 1m30s, 24h or 7d (units: ms, s, m, h, d)", n.shown())
		return 0, false
	}
	return d, true
}

// durationPattern is what ParseDuration takes, but for a sign.
const durationPattern = `^\s*(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d))+\s*$|^\s*-?0\s*$`

var days = regexp.MustCompile(`([0-9]+(?:\.[0-9]*)?|\.[0-9]+)d`)

// ParseDuration is time.ParseDuration with days of 24 hours: 7d, 1d12h.
func ParseDuration(s string) (time.Duration, error) {
	return time.ParseDuration(days.ReplaceAllStringFunc(s, func(d string) string {
		n, err := strconv.ParseFloat(d[:len(d)-1], 64)
		if err != nil {
			return d
		}
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	}))
}

// durationText is d as one would write it: 24h, not 24h0m0s; 7d.
func durationText(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if s == "0s" {
		return "0"
	}
	return s
}

// anyObject takes any object: what is in it is for others to judge.
func anyObject(into *map[string]any, keys []string) shape {
	return shape{
		takes: "object",
		read: func(r *reader, n *node) {
			if r.expect(n, kindObject) {
				*into = n.object()
			}
		},
		reset: func() { *into = nil },
		get:   func() any { return *into },
		schema: func() map[string]any {
			properties := map[string]any{}
			for _, key := range keys {
				properties[key] = map[string]any{}
			}
			return map[string]any{"type": []string{"object"}, "properties": properties, "additionalProperties": false}
		},
	}
}

// value is a shape whose target holds the default or what stands in the file.
func value[T any](into *T, otherwise T) shape {
	return shape{reset: func() { *into = otherwise }, get: func() any { return *into }}
}

// expect reports a node of another kind, once. What isn't known, because the
// references aren't looked up, passes for text and for nothing else.
func (r *reader) expect(n *node, want kind) bool {
	switch {
	case n.broken:
		return false
	case n.kind == want:
		return true
	case n.unknown:
		return false
	case want == kindText && (n.kind == kindNumber || n.kind == kindBool):
		r.fault(n, "must be text, not %s; put it in quotes", n.kind)
	case n.kind == kindText && n.veiled:
		r.fault(n, "must be %s, and the value of the reference isn't", want)
	case n.kind == kindText && (want == kindNumber || want == kindBool):
		r.fault(n, "must be %s, not the text %s", want, n.shown())
	default:
		r.fault(n, "must be %s, not %s", want, n.kind)
	}
	return false
}

// suggest is the way out for a word that isn't one of the names.
func suggest(word string, names []string) string {
	if best, ok := nearest.Name(word, names); ok {
		return fmt.Sprintf("did you mean %s?", best)
	}
	known := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	return "known are: " + strings.Join(known, ", ")
}
