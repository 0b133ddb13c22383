package trigger

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reference evaluates a syntax tree on a decoded event, as plainly as can
// be: what Match is compared with.
type reference struct{ event map[string]any }

func (r reference) or(x *orExpr) bool {
	return slices.ContainsFunc(x.Terms, r.and)
}

func (r reference) and(x *andExpr) bool {
	for _, term := range x.Terms {
		if !r.not(term) {
			return false
		}
	}
	return true
}

func (r reference) not(x *notExpr) (result bool) {
	if x.Group != nil {
		result = r.or(x.Group)
	} else {
		result = r.predicate(x.Predicate)
	}
	for range x.Bangs {
		result = !result
	}
	return result
}

func (r reference) predicate(x *predicate) bool {
	left := r.operand(x.Left)
	if x.In != nil {
		var elements []any
		if x.In.Literal != nil {
			for _, element := range x.In.Literal.Elements {
				elements = append(elements, r.operand(element))
			}
		} else {
			elements, _ = r.path(x.In.Path).([]any)
		}
		for _, element := range elements {
			if reflect.DeepEqual(left, element) {
				return true
			}
		}
		return false
	}
	if x.Op == "" {
		yes, ok := left.(bool)
		return yes && ok
	}
	right := r.operand(x.Right)
	if x.Op == "=" || x.Op == "!=" {
		return reflect.DeepEqual(left, right) == (x.Op == "=")
	}
	a, aok := number(x.Left, left)
	b, bok := number(x.Right, right)
	if !aok || !bok {
		return false
	}
	switch x.Op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	default:
		return a >= b
	}
}

func number(x *operand, v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		if x.String == nil {
			return 0, false
		}
		s := strings.TrimSpace(v)
		if s == "" {
			return 0, true
		}
		if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
			return math.NaN(), true
		}
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil || math.IsInf(n, 0)
	case bool:
		if x.Word == nil {
			return 0, false
		}
		return map[bool]float64{true: 1}[v], true
	}
	return 0, false
}

func (r reference) operand(x *operand) any {
	switch {
	case x.String != nil:
		return unquote(*x.String)
	case x.Number != nil:
		n, _ := strconv.ParseFloat(*x.Number, 64)
		return n
	case x.Word != nil:
		return map[string]any{"true": true, "false": false}[*x.Word]
	case x.Path != nil:
		return r.path(*x.Path)
	}
	first := r.operand(x.Call.Args[0])
	s, isString := first.(string)
	switch x.Call.Name {
	case "contains":
		sub, ok := r.text(x.Call.Args[1])
		return isString && ok && strings.Contains(s, sub)
	case "match":
		pattern, _ := r.text(x.Call.Args[1])
		return isString && slowGlob([]rune(pattern), []rune(s))
	case "lowercase":
		if isString {
			return strings.ToLower(s)
		}
		return nil
	case "length":
		switch v := first.(type) {
		case nil:
			return 0.0
		case string:
			return float64(len(v))
		case []any:
			return float64(len(v))
		}
		return nil
	default:
		switch first.(type) {
		case nil:
			return "null"
		case bool:
			return "bool"
		case float64:
			return "number"
		case string:
			return "string"
		case []any:
			return "list"
		}
		return "object"
	}
}

func (r reference) text(x *operand) (string, bool) {
	v := r.operand(x)
	switch {
	case x.Number != nil:
		return strconv.FormatFloat(v.(float64), 'f', -1, 64), true
	case x.Word != nil && v != nil:
		return strconv.FormatBool(v.(bool)), true
	}
	s, ok := v.(string)
	return s, ok
}

func (r reference) path(token string) (v any) {
	v = r.event
	for _, step := range splitPath(token) {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) || strconv.Itoa(i) != step {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

var exprSeeds = []string{
	defaultTrigger, complexTrigger,
	`event = "Audience Entered" or event = "Audience Exited"`,
	`!(properties.ltv <= 5) and !contains(event, "x")`,
	`properties.a\.b = properties.product\ 1.price`,
	`match(properties.city, "Z?r*\*ich") or typeof(traits.age) = 'null'`,
	`length(properties.tags) > 2 and "b" in properties.tags and type in ['track', 1, true, null]`,
	`lowercase(event) = "\u00e9\n" or contains(lowercase(name), 5) or properties.vip`,
	`((type != -1.5e3)) or external_ids.0.id = null`,
	`properties.x > "12" and properties.y < true`,
	`properties.address = context.personas or properties.tags != traits.tags`,
	`type=track AND properties.plan != free or !userId != 42 OR event = true`,
	`properties.tags\[0\] = a or match(properties.city, "[Z-a][\]u-ü]*")`,
}

var eventSeeds = []string{
	event,
	`{}`, ` { "type" : "track" , "properties" : { "a.b" : [ 1 , { } ] } } `,
	`{"ev\u0065nt":"Audience Ent\u0065red","event":"x","type":null}`,
	`{"properties":{"a":1},"properties":{"a.b":"1","product 1":{"price":"1"},"a.b":2}}`,
	`{"properties":{"city":"Z\u00fcr*ich","ltv":-0.0e+1,"tags":[[],{},"b\/",1e400]},"traits":{"age":0.1}}`,
	`{"event":"\ud83d\ude00\ud83d","name":"` + "\xff\xc3\xbc" + `"}`,
	`{"a":[1,2,[3,{"b":"}]\""}]],"external_ids":[{"id":null}]}`,
	`{"type":"track"} x`, `[]`, `{"a":01}`, `{"a":"` + "\x1f" + `"}`, `{"a":tru}`, `{"a":1,}`,
}

func FuzzMatch(f *testing.F) {
	for _, expr := range exprSeeds {
		for _, event := range eventSeeds {
			f.Add(expr, event)
		}
	}
	f.Fuzz(func(t *testing.T, expr, event string) {
		trigger, err := Compile(expr)
		if err != nil || strings.Count(expr, "*") > 5 { // the reference's glob goes back
			return
		}
		var decoded map[string]any
		if err := json.Unmarshal([]byte(event), &decoded); err != nil || decoded == nil {
			return
		}
		tree, err := parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := trigger.Match([]byte(event)), (reference{decoded}).or(tree); got != want {
			t.Errorf("%s\n of %s\n is %t", expr, event, got)
		}
		checkWarnings(t, trigger, event)
		if x := trigger.Explain([]byte(event)); x.Result != trigger.Match([]byte(event)) || x.String() == "" {
			t.Errorf("Explain of %s\n of %s\n is %v", expr, event, x)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, expr := range exprSeeds {
		f.Add(expr)
	}
	for _, expr := range []string{``, `(`, `"`, `type = "a" and`, `a.\`, `!!!x`, `f(`, `[`, `1e9e`, "\xff", `'\u12'`, `a in [`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		trigger, err := Compile(expr)
		if err != nil {
			syntax, ok := errors.AsType[*SyntaxError](err)
			if !ok || syntax.Offset < 0 || syntax.Offset > len(expr) || syntax.Message == "" || syntax.Error() == "" {
				t.Fatalf("%q: %#v", expr, err)
			}
			return
		}
		// An expression in parentheses says the same.
		again, err := Compile("(" + expr + ")")
		if err != nil {
			if strings.Contains(err.Error(), "deeper") || strings.Contains(err.Error(), "longer") {
				return
			}
			t.Fatal(err)
		}
		if trigger.Match([]byte(event)) != again.Match([]byte(event)) {
			t.Errorf("%q changes in parentheses", expr)
		}
	})
}

func FuzzValid(f *testing.F) {
	for _, event := range eventSeeds {
		f.Add(event)
	}
	f.Fuzz(func(t *testing.T, event string) {
		want := json.Valid([]byte(event)) && strings.HasPrefix(strings.TrimLeft(event, " \t\r\n"), "{")
		err := Valid([]byte(event))
		if (err == nil) != want {
			t.Fatalf("%q: %v", event, err)
		}
		if err != nil {
			at, ok := errors.AsType[*MalformedError](err)
			if !ok || at.Offset < 0 || at.Offset > len(event) || at.Message == "" {
				t.Fatalf("%q: %#v", event, err)
			}
		}
	})
}

// checkWarnings: what a warning says of every event is so of this one, if its
// fields are of the spec's types.
func checkWarnings(t *testing.T, trigger *Trigger, event string) {
	t.Helper()
	e, err := Parse([]byte(event))
	if err != nil || !e.OfSpec() {
		return
	}
	for _, field := range []string{"event", "name"} {
		if kind := valueOf(e.Field(field)).kind; kind != kindString && kind != kindNull {
			return
		}
	}
	expr, matched := strings.TrimSpace(trigger.String()), trigger.MatchEvent(e)
	for _, warning := range Warnings(trigger.String()) {
		never := warning == expr+" can't be true" || warning == "so the trigger wants no event"
		always := warning == expr+" is always true" || warning == "so the trigger wants every event"
		if never && matched || always && !matched {
			t.Errorf("%s\n of %s\n is %t, and yet: %s", expr, event, matched, warning)
		}
	}
}
