package form

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

// Day is 24 hours, as in 7d.
const Day = 24 * time.Hour

// Rule is what a text must be.
type Rule struct {
	Takes   string             // in words
	Pattern string             // a regular expression, of Go's and of JSON Schema's: what it doesn't match, check refuses
	Check   func(string) error // the error says the way out
}

// OrEmpty lets the empty text pass.
func (ru Rule) OrEmpty() Rule {
	check := ru.Check
	ru.Check = func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
	if ru.Pattern != "" {
		ru.Pattern = "^$|" + ru.Pattern
	}
	return ru
}

// Text takes text that keeps to the rules.
func Text[T ~string](into *T, otherwise T, rules ...Rule) Shape {
	s := value(into, otherwise)
	s.takes = "text"
	pattern := ""
	for _, ru := range rules {
		s.takes, pattern = ru.Takes, ru.Pattern
	}
	s.Read = func(r *Reader, n *Node) {
		if !r.expect(n, KindText) {
			return
		}
		for _, ru := range rules {
			if err := ru.Check(n.Text); err != nil && !n.Unknown {
				r.Fault(n, "%s", err)
				return
			}
		}
		*into = T(n.Text)
	}
	s.Schema = func() map[string]any { return textSchema(pattern) }
	return s
}

// OrDefault has the empty text stand for the default.
func (s Shape) OrDefault() Shape {
	read := s.Read
	s.Read = func(r *Reader, n *Node) {
		if n.Kind != KindText || n.Text != "" {
			read(r, n)
		}
	}
	schema := s.Schema
	s.Schema = func() map[string]any {
		return map[string]any{"anyOf": []any{map[string]any{"const": ""}, schema()}}
	}
	return s
}

// SecretText takes text that no fault shows, nor print.
func SecretText[T ~string](into *T, rules ...Rule) Shape {
	s := Text(into, "", rules...)
	s.takes += ", secret"
	s.Get = func() any { return Secret(*into) }
	read := s.Read
	s.Read = func(r *Reader, n *Node) {
		if !n.Veiled && n.Text != "" {
			r.literal = append(r.literal, n)
		}
		n.Veiled = true
		r.keepSecret(n.Text)
		read(r, n)
	}
	return s
}

// Choice takes one of the texts, the lower-case ones in capitals, too.
func Choice[T ~string](into *T, otherwise T, allowed ...T) Shape {
	s := value(into, otherwise)
	names := make([]string, len(allowed))
	var quoted []string
	for i, a := range allowed {
		if names[i] = string(a); a != "" {
			quoted = append(quoted, "`"+names[i]+"`")
		}
	}
	s.takes = strings.Join(quoted, ", ")
	s.Read = func(r *Reader, n *Node) {
		if !r.expect(n, KindText) || n.Unknown {
			return
		}
		name := n.Text
		if name == strings.ToUpper(name) {
			name = strings.ReplaceAll(strings.ToLower(name), "_", "-") // AWS_MSK_IAM
		}
		if !slices.Contains(names, name) {
			r.Fault(n, "%s isn't allowed; %s", n.Shown(), suggest(n.Text, names))
			return
		}
		*into = T(name)
	}
	s.Schema = func() map[string]any { return choiceSchema(names) }
	return s
}

// Boolean takes true or false.
func Boolean(into *bool, otherwise bool) Shape {
	s := value(into, otherwise)
	s.takes = "boolean"
	s.Read = func(r *Reader, n *Node) {
		if n.Kind == KindText && n.Veiled && (n.Text == "true" || n.Text == "false") {
			*into = n.Text == "true"
			return
		}
		if !r.expect(n, KindBool) {
			return
		}
		*into = n.boolean
	}
	s.Schema = func() map[string]any { return scalarSchema("boolean", reference) }
	return s
}

// Whole takes a whole number in the range.
func Whole(into *int, otherwise, lowest, highest int) Shape {
	s := value(into, otherwise)
	s.takes = fmt.Sprintf("%d to %d", lowest, highest)
	s.Read = func(r *Reader, n *Node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f != math.Trunc(f) || f < float64(lowest) || f > float64(highest) {
			r.Fault(n, "must be a whole number from %d to %d, not %s", lowest, highest, n.Shown())
			return
		}
		*into = int(f)
	}
	s.Schema = func() map[string]any {
		m := scalarSchema("integer", reference)
		m["minimum"], m["maximum"] = lowest, highest
		return m
	}
	return s
}

// Number takes a number above zero, up to highest.
func Number(into *float64, otherwise, highest float64) Shape {
	s := value(into, otherwise)
	most := strconv.FormatFloat(highest, 'f', -1, 64)
	s.takes = "number above 0, up to " + most
	s.Read = func(r *Reader, n *Node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f <= 0 || f > highest {
			r.Fault(n, "must be above 0 and at most %s, not %s", most, n.Shown())
			return
		}
		*into = f
	}
	s.Schema = func() map[string]any {
		m := scalarSchema("number", reference)
		m["exclusiveMinimum"], m["maximum"] = 0, highest
		return m
	}
	return s
}

// numberOf is a number, or what a reference holds read as one.
func (r *Reader) numberOf(n *Node) (float64, bool) {
	if n.Kind == KindText && n.Veiled && !n.Broken && !n.Unknown {
		f, err := strconv.ParseFloat(strings.TrimSpace(n.Text), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.Fault(n, "must be a number, and the value of the reference isn't one")
			return 0, false
		}
		return f, true
	}
	return n.number, r.expect(n, KindNumber)
}

// Duration takes a duration with its unit, in the range. A plain 0 is taken
// where the range begins at 0.
func Duration(into *time.Duration, otherwise, lowest, highest time.Duration) Shape {
	s := value(into, otherwise)
	switch {
	case lowest == 0:
		s.takes = "duration up to " + DurationText(highest) + ", or 0"
	case lowest <= time.Millisecond:
		s.takes = "duration up to " + DurationText(highest)
	default:
		s.takes = "duration, " + DurationText(lowest) + " to " + DurationText(highest)
	}
	s.Read = func(r *Reader, n *Node) {
		d, ok := r.durationOf(n)
		if !ok {
			return
		}
		if d < lowest || d > highest {
			r.Fault(n, "must be from %s to %s, not %s", DurationText(lowest), DurationText(highest), n.Shown())
			return
		}
		*into = d
	}
	s.Schema = func() map[string]any {
		m := scalarSchema("string", durationPattern+"|"+reference)
		if lowest == 0 {
			m["type"] = append(m["type"].([]string), "integer")
			m["minimum"], m["maximum"] = 0, 0
		}
		return m
	}
	return s
}

func (r *Reader) durationOf(n *Node) (time.Duration, bool) {
	switch {
	case n.Broken, n.Unknown:
		return 0, false
	case n.Kind == KindNumber && n.number != 0:
		r.Fault(n, "%s has no unit; write %ss for seconds (units: ms, s, m, h, d)", n.Shown(), n.Shown())
		return 0, false
	case n.Kind == KindNumber:
		return 0, true
	case !r.expect(n, KindText):
		return 0, false
	}
	d, err := ParseDuration(strings.TrimSpace(n.Text))
	if err != nil {
		r.Fault(n, "%s isn't a duration; write a number with a unit, as in 10s, 1m30s, 24h or 7d (units: ms, s, m, h, d)", n.Shown())
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

// DurationText is d as one would write it: 24h, not 24h0m0s; 7d.
func DurationText(d time.Duration) string {
	if d >= 2*Day && d%Day == 0 {
		return strconv.Itoa(int(d/Day)) + "d"
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

// AnyObject takes any object: what is in it is for others to judge.
func AnyObject(into *map[string]any, keys []string) Shape {
	return Shape{
		takes: "object",
		Read: func(r *Reader, n *Node) {
			if r.expect(n, KindObject) {
				*into = n.Object()
			}
		},
		Reset: func() { *into = nil },
		Get:   func() any { return *into },
		Schema: func() map[string]any {
			properties := map[string]any{}
			for _, key := range keys {
				properties[key] = map[string]any{}
			}
			return map[string]any{"type": []string{"object"}, "properties": properties, "additionalProperties": false}
		},
	}
}

// value is a shape whose target holds the default or what stands in the file.
func value[T any](into *T, otherwise T) Shape {
	return Shape{Reset: func() { *into = otherwise }, Get: func() any { return *into }}
}

// expect reports a node of another kind, once. What isn't known, because the
// references aren't looked up, passes for text and for nothing else.
func (r *Reader) expect(n *Node, want Kind) bool {
	switch {
	case n.Broken:
		return false
	case n.Kind == want:
		return true
	case n.Unknown:
		return false
	case want == KindText && (n.Kind == KindNumber || n.Kind == KindBool):
		r.Fault(n, "must be text, not %s; put it in quotes", n.Kind)
	case n.Kind == KindText && n.Veiled:
		r.Fault(n, "must be %s, and the value of the reference isn't", want)
	case n.Kind == KindText && (want == KindNumber || want == KindBool):
		r.Fault(n, "must be %s, not the text %s", want, n.Shown())
	default:
		r.Fault(n, "must be %s, not %s", want, n.Kind)
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

// Separated takes a list of texts that keep to the rule, or several of them in
// one text with commas between them, as an environment variable has them; so may
// an item. empty is said of none, and pattern is that of a text.
func Separated(into *[]string, otherwise []string, ru Rule, pattern, empty string) Shape {
	s := value(into, otherwise)
	s.takes = "list of " + ru.Takes
	s.Read = func(r *Reader, n *Node) {
		items := []*Node{n}
		if n.Kind != KindText {
			if !r.expect(n, KindList) {
				return
			}
			items = n.Items
		}
		var all []string
		for _, item := range items {
			if !r.expect(item, KindText) || item.Unknown {
				return
			}
			for one := range strings.SplitSeq(item.Text, ",") {
				one = strings.TrimSpace(one)
				if err := ru.Check(one); err != nil {
					r.Fault(item, "%s", err)
					return
				}
				if !slices.Contains(all, one) {
					all = append(all, one)
				}
			}
		}
		if len(all) == 0 {
			r.Fault(n, "%s", empty)
			return
		}
		*into = all
	}
	s.Schema = func() map[string]any {
		items := textSchema(pattern)
		return map[string]any{"anyOf": []any{items, map[string]any{"type": "array", "minItems": 1, "items": items}}}
	}
	return s
}
