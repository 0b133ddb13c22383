package trigger

import (
	"reflect"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	got := compile(t, `type = "track" and !(event = "x" or match(properties.city, "Z*"))`).Explain([]byte(event))
	want := Explanation{
		Text: `type = "track" and !(event = "x" or match(properties.city, "Z*"))`, kind: partAnd,
		Parts: []Explanation{
			{Text: `type = "track"`, Result: true, Seen: []Seen{{"type", `"track"`}}, kind: partPredicate},
			{Text: `!(event = "x" or match(properties.city, "Z*"))`, kind: partNot, Parts: []Explanation{
				{Text: `event = "x" or match(properties.city, "Z*")`, Result: true, kind: partOr, Parts: []Explanation{
					{Text: `event = "x"`, Seen: []Seen{{"event", `"Audience Entered"`}}, kind: partPredicate},
					{Text: `match(properties.city, "Z*")`, Result: true, Seen: []Seen{{"properties.city", `"Zürich"`}}, kind: partPredicate},
				}},
			}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
}

func TestExplanationString(t *testing.T) {
	for _, c := range []struct{ expr, event, want string }{
		{defaultTrigger, event, `match: type = "track" is true (type is "track"); event = "Audience Entered" is true (event is "Audience Entered")`},
		{defaultTrigger, `{"type":"page"}`, `no match: type = "track" is false (type is "page")`},
		{defaultTrigger, `{"type":"track"}`, `no match: event = "Audience Entered" is false (event is missing)`},
		{`type = "a" or type = "b"`, event, `no match: type = "a" is false (type is "track"); type = "b" is false (type is "track")`},
		{`!(properties.ltv > 5)`, event, `no match: properties.ltv > 5 is true (properties.ltv is 1234.5)`},
		{`properties.a = traits.b`, `{"properties":{"a":1}}`, `no match: properties.a = traits.b is false (properties.a is 1, traits.b is missing)`},
		{`type in ["a"] or "x" in properties.tags`, event, `no match: type in ["a"] is false (type is "track"); "x" in properties.tags is false (properties.tags is ["a","b","c"])`},
		{`1 = 2`, event, `no match: 1 = 2 is false`},
		{`name = "a"`, `{"name":"` + strings.Repeat("é", 100) + `"}`, `no match: name = "a" is false (name is "` + strings.Repeat("é", 79) + `...)`},
		{strings.Repeat(`type = "track" and `, 5) + `type != null`, event, `match: ` + strings.Repeat(`type = "track" is true (type is "track"); `, 4) + `and 2 more`},
		{defaultTrigger, `{"type"`, `no match: ` + defaultTrigger + ` is false (the event is the JSON object is cut off at byte 7)`},
	} {
		if got := compile(t, c.expr).Explain([]byte(c.event)).String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
