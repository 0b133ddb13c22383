package trigger

import (
	"slices"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		expr string
		want []string
	}{
		// Nothing to say.
		{defaultTrigger, nil},
		{complexTrigger, nil},
		{`type = "track" and (event = "A" or event = "B") and !contains(event, "x")`, nil},
		{`contains(event, "a") and !contains(event, "b") and lowercase(event) = "ab" or match(name, "*x")`, nil},
		{`properties.a = context.b and properties.a = "x" and context.b = "x"`, nil},
		{`properties.n >= 5 and properties.n <= 5 and properties.n != null`, nil},
		{`properties.n > 5 and properties.n < 6`, nil},
		{`"a" in properties.tags and "b" in properties.tags and length(properties.tags) = 2`, nil},
		{`userId = 42 or userId != null and typeof(traits.x) != "object"`, nil},
		{`properties.a and !properties.a.b and custom.field = "x" and external_ids.0.type = "phone"`, nil},
		{`properties.tags\[0\] = "a" and properties.tags.1 != "a"`, nil},
		{`type = `, nil},
		{`match(event, "[")`, nil},
		// What can't be true, or always is.
		{`type = "track" and type = "page"`, []string{`type = "track" and type = "page" can't be true`}},
		{`type = "Track"`, []string{`type = "Track" can't be true`}},
		{`type != "x" and event = "A"`, []string{`type != "x" is always true`}},
		{`type = "track" and (event != "A" or event != "B")`, []string{`event != "A" or event != "B" is always true`}},
		{`type = "track" and (event = "A" and event = "B")`, []string{`event = "A" and event = "B" can't be true`, "so the trigger wants no event"}},
		{`event = "A" or userId = null or userId != null`, []string{`event = "A" or userId = null or userId != null is always true`}},
		{`properties.n > 5 and properties.n < 3`, []string{`properties.n > 5 and properties.n < 3 can't be true`}},
		{`properties.n > 5 and properties.n < 5.0`, []string{`properties.n > 5 and properties.n < 5.0 can't be true`}},
		{`properties.n > abc`, []string{`properties.n > abc can't be true`}},
		{`event = null and contains(event, "x")`, []string{`event = null and contains(event, "x") can't be true`}},
		{`event = "abc" and !contains(event, "b")`, []string{`event = "abc" and !contains(event, "b") can't be true`}},
		{`properties.a = "x" and !(properties.a = "x")`, []string{`properties.a = "x" and !(properties.a = "x") can't be true`}},
		{`event > 5`, []string{"event > 5 can't be true"}},
		{`5 = 6 or event = "A"`, []string{"5 = 6 can't be true"}},
		{`typeof(properties.x) = "integer"`, []string{`typeof(properties.x) = "integer" can't be true`}},
		{`type in ["track", "page"] and !(type in ["track", "page", "screen"])`, []string{`type in ["track", "page"] and !(type in ["track", "page", "screen"]) can't be true`}},
		{`type = "identify" and event = "A"`, []string{`type = "identify" and event = "A" can't be true`}},
		{`(type = "identify" or type = "page") and contains(event, "A")`, []string{`(type = "identify" or type = "page") and contains(event, "A") can't be true`}},
		{`(type = "identify" or type = "track") and event = "A"`, nil},
		{`type != "track" and event != "A" or type = "identify" and event = null`, nil},
		{`event.name = "A" and type = "track"`, []string{`event.name: event is a text, so that there is nothing in it`}},
		// Fields that are nearly the spec's.
		{`trait.plan = "x" or props.n = 5 or user_id = "u" or externalIds.0.id = "1" or Event = "A"`, []string{
			"trait.plan: events have no field trait; is it traits?", "props.n: events have no field props; is it properties?",
			"user_id: events have no field user_id; is it userId?", "externalIds.0.id: events have no field externalIds; is it external_ids?",
			"Event: events have no field Event; is it event?",
		}},
	} {
		if got := Warnings(c.expr); !slices.Equal(got, c.want) {
			t.Errorf("%s\n got %q\nwant %q", c.expr, got, c.want)
		}
	}
}

// TestWarningsAreBounded: expressions whose events would be too many.
func TestWarningsAreBounded(t *testing.T) {
	var terms []string
	for _, a := range "abcdefghijklmnopqrstuvwxyz" {
		terms = append(terms, `properties.`+string(a)+` > 5`)
	}
	got := Warnings(strings.Join(terms, " and ") + ` and type = "Track"`)
	if want := []string{`type = "Track" can't be true`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
