package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shape is what may stand at a place of the file and where it goes. A read
// leaves its target as it was, the default, where nothing stands, and reports
// what doesn't fit.
type shape struct {
	read func(r *reader, n *node)
	keys []string // paths of the keys below it: "tls.caFile", "<name>.rate", "[].name"
}

// field is a key of an object.
type field struct {
	key      string
	shape    shape
	required bool
}

// object has exactly the fields, each of them optional unless it is required.
func object(fields ...field) shape {
	var s shape
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
		s.keys = append(s.keys, f.key)
		for _, below := range f.shape.keys {
			s.keys = append(s.keys, join(f.key, below))
		}
	}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindObject) {
			return
		}
		for _, e := range n.entries {
			i := slices.Index(names, e.key)
			if i < 0 {
				r.faultKey(n, e, "unknown key; %s", suggest(e.key, names))
				continue
			}
			if e.value.kind != kindNull { // "key:" with nothing behind it is left out
				fields[i].shape.read(r, e.value)
			}
		}
		for _, f := range fields {
			if v := n.get(f.key); f.required && (v == nil || v.kind == kindNull) {
				missing := *n
				missing.path = child(n.path, f.key)
				r.fault(&missing, "required, and missing")
			}
		}
	}
	return s
}

// join puts a key before a path below it.
func join(key, below string) string {
	if strings.HasPrefix(below, "[") {
		return key + below
	}
	return key + "." + below
}

// list reads each item with the shape that newItem gives for it.
func list(newItem func(index int) shape) shape {
	var s shape
	for _, below := range newItem(0).keys {
		s.keys = append(s.keys, "[]."+below)
	}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindList) {
			return
		}
		for i, item := range n.items {
			newItem(i).read(r, item)
		}
	}
	return s
}

// named reads an object whose keys are names of the user's own, each value
// with the shape that newValue gives for it.
func named(check func(name string) error, newValue func(name string) shape) shape {
	var s shape
	for _, below := range newValue("").keys {
		s.keys = append(s.keys, "<name>."+below)
	}
	s.read = func(r *reader, n *node) {
		if !r.expect(n, kindObject) {
			return
		}
		for _, e := range n.entries {
			if err := check(e.key); err != nil {
				r.faultKey(n, e, "%s", err)
				continue
			}
			value := e.value
			if value.kind == kindNull { // all defaults
				value = &node{path: value.path, line: e.line, column: e.column, kind: kindObject}
			}
			newValue(e.key).read(r, value)
		}
	}
	return s
}

// text takes text for which each check is nil.
func text[T ~string](into *T, checks ...func(string) error) shape {
	return shape{read: func(r *reader, n *node) {
		if !r.expect(n, kindText) {
			return
		}
		for _, check := range checks {
			if err := check(n.text); err != nil {
				r.fault(n, "%s", err)
				return
			}
		}
		*into = T(n.text)
	}}
}

// secret takes text that no fault shows, nor print.
func secret[T ~string](into *T, checks ...func(string) error) shape {
	inner := text(into, checks...)
	return shape{read: func(r *reader, n *node) {
		n.veiled = true
		r.keepSecret(n.text)
		inner.read(r, n)
	}}
}

// choice takes one of the texts.
func choice[T ~string](into *T, allowed ...T) shape {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return shape{read: func(r *reader, n *node) {
		if !r.expect(n, kindText) {
			return
		}
		if !slices.Contains(names, n.text) {
			r.fault(n, "%s isn't allowed; %s", n.shown(), suggest(n.text, names))
			return
		}
		*into = T(n.text)
	}}
}

// flag takes true or false.
func flag(into *bool) shape {
	return shape{read: func(r *reader, n *node) {
		if n.kind == kindText && n.veiled && (n.text == "true" || n.text == "false") {
			*into = n.text == "true"
			return
		}
		if !r.expect(n, kindBool) {
			return
		}
		*into = n.boolean
	}}
}

// whole takes a whole number in the range.
func whole(into *int, lowest, highest int) shape {
	return shape{read: func(r *reader, n *node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f != math.Trunc(f) || f < float64(lowest) || f > float64(highest) {
			r.fault(n, "must be a whole number from %d to %d, not %s", lowest, highest, n.shown())
			return
		}
		*into = int(f)
	}}
}

// number takes a number above zero, up to highest.
func number(into *float64, highest float64) shape {
	return shape{read: func(r *reader, n *node) {
		f, ok := r.numberOf(n)
		if !ok {
			return
		}
		if f <= 0 || f > highest {
			r.fault(n, "must be above 0 and at most %s, not %s", strconv.FormatFloat(highest, 'f', -1, 64), n.shown())
			return
		}
		*into = f
	}}
}

// numberOf is a number, or what a reference holds read as one.
func (r *reader) numberOf(n *node) (float64, bool) {
	if n.kind == kindText && n.veiled && !n.broken {
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
func duration(into *time.Duration, lowest, highest time.Duration) shape {
	return shape{read: func(r *reader, n *node) {
		var d time.Duration
		switch {
		case n.broken:
			return
		case (n.kind == kindNumber || n.kind == kindText && n.veiled) && strings.TrimSpace(n.text) == "0":
		case n.kind == kindNumber:
			r.fault(n, "%s has no unit; write %ss for seconds (units: ms, s, m, h)", n.shown(), n.shown())
			return
		default:
			if !r.expect(n, kindText) {
				return
			}
			var err error
			if d, err = time.ParseDuration(strings.TrimSpace(n.text)); err != nil {
				r.fault(n, "%s isn't a duration; write a number with a unit, as in 10s, 1m30s or 24h (units: ms, s, m, h)", n.shown())
				return
			}
		}
		if d < lowest || d > highest {
			r.fault(n, "must be from %s to %s, not %s", durationText(lowest), durationText(highest), n.shown())
			return
		}
		*into = d
	}}
}

// durationText is d as one would write it: 24h, not 24h0m0s.
func durationText(d time.Duration) string {
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

// expect reports a node of another kind, once.
func (r *reader) expect(n *node, want kind) bool {
	switch {
	case n.broken:
		return false
	case n.kind == want:
		return true
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
	const furthest = 3
	best, distance := "", max(1, min(len(word)/2, furthest))+1
	for _, name := range names {
		if d := editDistance(strings.ToLower(word), strings.ToLower(name)); d < distance {
			best, distance = name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	shown := make([]string, 0, len(names))
	for _, name := range names {
		if name != "" {
			shown = append(shown, name)
		}
	}
	return "known are: " + strings.Join(shown, ", ")
}

// editDistance is Damerau and Levenshtein's, with adjacent letters swapped as
// one step (optimal string alignment).
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	const longest = 100
	if len(s) > longest || len(t) > longest {
		return longest
	}
	before := make([]int, len(t)+1)
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}
