package trigger

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// otherText and otherList stand for all the texts and lists that an
// expression doesn't name.
const (
	otherText = `"\u0000"`
	otherList = `["\u0000"]`
)

// consider adds the values that a predicate names to those of its field.
func (f *doubted) consider(x *predicate) {
	operands := []*operand{x.Left, x.Right}
	if x.In != nil && x.In.Literal != nil {
		operands = append(operands, x.In.Literal.Elements...)
	}
	for _, o := range operands {
		switch {
		case o == nil:
		case o.Number != nil:
			n, _ := strconv.ParseFloat(*o.Number, 64) // the lexer has read it
			f.number(n)
		case o.String != nil:
			text := unquote(*o.String)
			encoded, _ := json.Marshal(text) // a string always marshals
			f.value(string(encoded))
			f.number(readNumber(text))
		case o.Call != nil && len(o.Call.Args) == 2 && o.Call.Args[1].String != nil:
			encoded, _ := json.Marshal(unquote(*o.Call.Args[1].String))
			f.value(string(encoded))
		}
	}
}

func (f *doubted) value(text string) {
	if !slices.Contains(f.values, text) {
		f.values = append(f.values, text)
	}
}

func (f *doubted) number(n float64) {
	if !math.IsNaN(n) && !math.IsInf(n, 0) {
		f.value(strconv.FormatFloat(n, 'g', -1, 64))
	}
}

// complete adds the values that no predicate names, as far as a field of
// the spec can have them.
func (f *doubted) complete() {
	text := strings.Join(f.path.steps, ".")
	if text == "type" {
		f.values = []string{"null", `"track"`, `"identify"`, `"page"`, `"screen"`, `"group"`, `"alias"`}
		return
	}
	f.value("null")
	f.value(otherText)
	if text == "event" || text == "name" {
		f.values = slices.DeleteFunc(f.values, func(v string) bool { return v[0] != '"' && v != "null" })
		return
	}
	numbers := []float64{0, 1}
	for _, v := range f.values {
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers[1:] {
		f.number(n)
		f.number(numbers[i] + (n-numbers[i])/2)
	}
	f.number(numbers[0] - max(1, math.Abs(numbers[0])))
	f.number(numbers[len(numbers)-1] + max(1, math.Abs(numbers[len(numbers)-1])))
	for _, v := range []string{"true", "false", otherList, "{}"} {
		f.value(v)
	}
}

// parts reports whether no event has the value of type beside some event, or
// the event beside such a type: only tracks have one.
func (f *doubted) parts(value string) bool {
	switch strings.Join(f.path.steps, ".") {
	case "type":
		return value != "null" && value != `"track"`
	case "event":
		return value != "null"
	}
	return false
}

// result is what a predicate says of a value.
func (f *doubted) result(c *claim, value string) verdict {
	if c.open && (value == otherText || value == otherList) {
		return either
	}
	event := value
	for _, step := range slices.Backward(f.path.steps) {
		key, _ := json.Marshal(step)
		event = "{" + string(key) + ":" + event + "}"
	}
	e, err := Parse([]byte(event))
	if err != nil { // deeper than an event can be
		return either
	}
	return verdictOf(c.match(e))
}
