package trigger

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// event is a realistic audience event of about 600 bytes.
const event = `{"type":"track","event":"Audience Entered","userId":"usr_2a4f09","messageId":"personas_2YbJ6kqv8wZ0u1d3","timestamp":"2026-11-01T10:00:00.000Z",` +
	`"properties":{"audience_key":"high_value","audience_name":"High value","first_name":"Jürgen","city":"Zürich","ltv":1234.5,"orders":7,"vip":true,"tags":["a","b","c"],"address":{"zip":"94103"},"empty":"","nul":null},` +
	`"context":{"personas":{"computation_class":"audience","computation_id":"aud_1","computation_key":"high_value","namespace":"spa_1","space_id":"spa_1"},"locale":"en-US","ip":"1.2.3.4"},` +
	`"external_ids":[{"id":"+15551234567","type":"phone","channelType":"sms","isSubscribed":"subscribed"}]}`

const defaultTrigger = `type = "track" and event = "Audience Entered"`

func compile(t testing.TB, expr string) *Trigger {
	t.Helper()
	trigger, err := Compile(expr)
	if err != nil {
		t.Fatal(err)
	}
	return trigger
}

func TestMatch(t *testing.T) {
	const identify = `{"type":"identify","userId":"jane","traits":{"age":31,"beta":true,"email":"a@x.io"}}`
	for _, c := range []struct {
		expr, event string
		want        bool
	}{
		// Predicates and their types.
		{defaultTrigger, event, true},
		{`type="track" and event="Audience Exited"`, event, false},
		{`event = "audience entered"`, event, false},
		{`properties.ltv > 1000`, event, true},
		{`properties.ltv >= 1234.5`, event, true},
		{`properties.ltv < 1234.5`, event, false},
		{`properties.ltv <= 1.2345E+3`, event, true},
		{`properties.ltv > -1`, event, true},
		{`1000 < properties.ltv`, event, true},
		{`properties.ltv > "1000"`, event, true},
		{`properties.audience_key > 1`, event, false},
		{`properties.missing < 1`, event, false},
		{`properties.nul <= 0`, event, false},
		{`properties.ltv = "1234.5"`, event, false},
		{`properties.address.zip = 94103`, event, false},
		{`properties.address.zip = "94103"`, event, true},
		{`properties.orders = 7`, event, true},
		{`properties.orders = 7.0e0`, event, true},
		{`properties.vip = true`, event, true},
		{`properties.vip = "true"`, event, false},
		{`properties.vip`, event, true},
		{`!properties.vip`, event, false},
		{`properties.vip.x = true`, event, false},
		{`properties.empty = ""`, event, true},
		{`properties.city = 'Zürich'`, event, true},
		{`"track" = type`, event, true},
		{`properties.audience_key = context.personas.computation_key`, event, true},
		{`properties.tags = properties.tags`, event, true},
		{`properties.audience_key = context.personas.computation_key and userId != context.personas`, event, true},
		// Beside a field, a word is a text.
		{`type=track and event="Audience Entered"`, event, true},
		{`properties.audience_key != high_value`, event, false},
		{`properties.audience_key = high_value`, event, true},
		{`event = Audience\ Entered`, event, true},
		{`properties.city = Z\ürich`, event, true},
		{`custom = word`, `{"custom":"word"}`, true},
		{`contains(event, Entered) and match(properties.audience_key, high_value)`, event, true},
		{`lowercase(type) = track and typeof(event) = string and typeof(event) != list`, event, true},
		{`properties.n > 5 or properties.n < abc`, `{"properties":{"n":1}}`, false},
		// type, event, name and userId are texts, numbers beside them too.
		{`userId = 42 and event = 1.50`, `{"userId":"42","event":"1.5"}`, true},
		{`userId != 42`, `{"userId":"42"}`, false},
		{`42 = userId`, `{"userId":42}`, true},
		{`!userId != 42`, `{"userId":"42"}`, true},
		{`userId != 42`, `{}`, true},
		{`event = true and !(name != false)`, `{"event":"true","name":false}`, true},
		{`userId = true`, `{"userId":"true"}`, false},
		{`traits.id = 42`, `{"traits":{"id":"42"}}`, false},
		// and, or, in as they come.
		{`type = "track" AND event = "x" Or type In ["track"]`, event, true},
		{`type = "page" OR event = "x"`, event, false},
		// Null and missing are the same.
		{`properties.nul = null`, event, true},
		{`properties.missing = null`, event, true},
		{`properties.missing.deeper = null`, event, true},
		{`properties != null`, event, true},
		{`event = null`, identify, true},
		{`event != null`, identify, false},
		{`anonymousId = null and messageId != null`, event, true},
		// Negation is plain, also of what is missing.
		{`event != "Audience Entered"`, identify, true},
		{`properties.ltv != 5`, identify, true},
		{`properties.vip != true`, event, false},
		{`properties.vip != false`, event, true},
		{`!contains(event, "Entered")`, identify, true},
		{`!match(event, "Audience*")`, identify, true},
		{`!(type = "track" and event = "Audience Entered")`, event, false},
		{`!!(type = "track")`, event, true},
		{`! type = "track"`, event, false},
		// and binds tighter than or.
		{`type = "track" or type = "page" and event = "x"`, event, true},
		{`type = "page" and event = "x" or type = "track"`, event, true},
		{`(type = "track" or type = "page") and event = "x"`, event, false},
		// Functions.
		{`contains(event, "Entered")`, event, true},
		{`contains(event, "")`, event, true},
		{`contains(properties.address.zip, 941)`, event, true},
		{`contains(properties.orders, 7)`, event, false},
		{`contains(properties.tags, "a")`, event, false},
		{`contains(lowercase(event), "entered")`, event, true},
		{`match(event, "Audience*")`, event, true},
		{`match(event, "*Entered")`, event, true},
		{`match(event, "*dience*")`, event, true},
		{`match(event, "Audience")`, event, false},
		{`match(properties.city, "Z?rich")`, event, true},
		{`match(lowercase(event), "audience ?ntered")`, event, true},
		{`lowercase(event) = "audience entered"`, event, true},
		{`lowercase(event) = "Audience Entered"`, event, false},
		{`lowercase(properties.city) = "zürich"`, event, true},
		{`lowercase(properties.missing) = null`, event, true},
		{`length(event) = 16`, event, true},
		{`length(properties.city) = 7`, event, true}, // bytes
		{`length(properties.tags) >= 3`, event, true},
		{`length(properties.missing) = 0`, event, true},
		{`length(properties) = null`, event, true},
		{`typeof(event) = "string" and typeof(properties.ltv) = "number" and typeof(properties.vip) = "bool"`, event, true},
		{`typeof(properties.tags) = "list" and typeof(properties) = "object" and typeof(properties.nul) = "null"`, event, true},
		{`"b" in properties.tags`, event, true},
		{`"x" in properties.tags`, event, false},
		{`type in ["identify", 'track']`, event, true},
		{`!(type in ["identify", null])`, event, true},
		{`properties.missing in [null]`, event, true},
		{`type in []`, event, false},
		// Other fields and lists.
		{`traits.age > 30 and traits.beta = true and contains(traits.email, "@x.io")`, identify, true},
		{`external_ids.0.type = "phone"`, event, true},
		{`external_ids.1.type = null`, event, true},
		{`properties.tags.2 = "c"`, event, true},
		{`properties.tags.02 = null`, event, true},
		{`properties.tags\[2\] = "c"`, event, true},
		{`!contains(properties.tags\[0\], "a")`, event, false},
		{`external_ids\[0\].type = "phone" and external_ids.\[0\]\.id != null`, event, false},
		{`external_ids\[0\].type = "phone" and external_ids.\[0\].id != null`, event, true},
		{`properties.m\[0\]\[1\].a = 5`, `{"properties":{"m":[[0,{"a":5}]]}}`, true},
		{`properties.a\[b\] = 5`, `{"properties":{"a":{"b":5}}}`, true},
		// Escapes, in paths, strings and events.
		{`properties.product\ 1.price = "19.99"`, `{"properties":{"product 1":{"price":"19.99"}}}`, true},
		{`properties.a\.b = 1`, `{"properties":{"a.b":1,"a":{"b":2}}}`, true},
		{`properties.a.b = 2`, `{"properties":{"a.b":1,"a":{"b":2}}}`, true},
		{`properties.\*\? = 1 and properties.\#\| = 2 and properties.\@this = 3`, `{"properties":{"*?":1,"#|":2,"@this":3}}`, true},
		{`properties.caf\é = 1`, `{"properties":{"café":1}}`, true},
		{`properties.\a = 1`, `{"properties":{"a":1}}`, true},
		{`event = "say \"hi\""`, `{"event":"say \"hi\""}`, true},
		{`event = 'it\'s "x" \u00e9\ud83d\ude00\n\t\/\\'`, `{"event":"it's \"x\" é😀\n\t/\\"}`, true},
		{`event = "a\nb"`, `{"event":"a\\nb"}`, false},
		{`event = "a\\nb"`, `{"event":"a\nb"}`, false},
		{`event = "a\\nb"`, `{"event":"a\\nb"}`, true},
		{`event = "\u0041"`, `{"event":"A"}`, true},
		{`event = "Audience Entered"`, `{"ev\u0065nt":"Audience \u0045ntered"}`, true},
		{`properties.key = "v"`, `{"properties":{"k\u0065y":"\u0076"}}`, true},
		// The last of members with the same name counts.
		{`event = "b"`, `{"event":"a","event":"b"}`, true},
		{`event = "a"`, `{"event":"a","\u0065vent":"b"}`, false},
		{`properties.a = 1`, `{"properties":{"a":1},"properties":{"b":2}}`, false},
		{`properties.a = 2`, `{"properties":{"a":1,"a":2}}`, true},
		{`external_ids.0 = 2`, `{"external_ids":[1],"external_ids":[2]}`, true},
		// Numbers as JSON.parse reads them.
		{`properties.n > 1e300`, `{"properties":{"n":1e999}}`, true},
		{`properties.n = 9007199254740993`, `{"properties":{"n":9007199254740992}}`, true},
		{`properties.n = 0`, `{"properties":{"n":-0.0}}`, true},
		// Not events.
		{`type != "x"`, `[]`, false},
		{`type != "x"`, `{"type":"a"`, false},
		{`type != "x"`, " {} \n", true},
	} {
		trigger := compile(t, c.expr)
		if got := trigger.Match([]byte(c.event)); got != c.want {
			t.Errorf("%s\n of %s\n is %t", c.expr, c.event, got)
		}
		if got := trigger.Explain([]byte(c.event)).Result; got != c.want {
			t.Errorf("Explain of %s\n of %s\n is %t", c.expr, c.event, got)
		}
		if trigger.String() != c.expr {
			t.Errorf("String is %q, want %q", trigger.String(), c.expr)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		expr    string
		offset  int
		message string
	}{
		{``, 0, "the expression is empty"},
		{` `, 0, "the expression is empty"},
		{`typo`, 4, "typo alone is not a condition: compare it with something"},
		{`type`, 4, "type alone is not a condition: compare it with something"},
		{`type = `, 7, "something is missing here"},
		{`type = "track" and`, 18, "something is missing here"},
		{`(type = "a"`, 11, "something is missing here"},
		{`type = "a")`, 10, "unexpected )"},
		{`type = "a" event = "b"`, 11, "unexpected event"},
		{`event = Order Completed`, 14, "unexpected Completed; and or or is missing before it, or quotes around a text of several words"},
		{`type = "a" && event = "b"`, 11, "unexpected &&; it is written and"},
		{`type = "a" || event = "b"`, 11, "unexpected ||; it is written or"},
		{`type = "a" AND OR`, 15, "unexpected or"},
		{`properties.tags[0] = "a"`, 15, `unexpected [; a list's element is written tags\[0\] or tags.0`},
		{`properties.\[\] = "a"`, 11, "there is no field's name in the brackets"},
		{`\[\] = 1`, 0, "there is no field's name in the brackets"},
		{`properties.ok = TRUE`, 16, `TRUE is written true, and the text "TRUE"`},
		{`properties.ok != undefined`, 17, `what is missing is null: undefined isn't known, and the text is written "undefined"`},
		{`properties.kind = event`, 18, `event may be the field or the text here: the text is written "event", and a field stands on the left`},
		{`track = type`, 0, `events have no field track: the text is written "track"`},
		{`plan = lowercase(properties.plan)`, 0, `events have no field plan: the text is written "plan"`},
		{`vip in properties.tags`, 0, `events have no field vip: the text is written "vip"`},
		{`properties.site = www.example.com`, 18, `events have no field www.example.com: the text is written "www.example.com"`},
		{`type in [track, page]`, 9, `a list's elements are strings, numbers, true, false or null: a text is written "track"`},
		{`match(event, "[a")`, 13, `match's pattern: the class isn't closed with ]; an ordinary bracket is written \[`},
		{`match(event, name)`, 13, `name may be the field or the text here: the text is written "name", and a field stands on the left`},
		{`match(event, traits.pattern)`, 13, "match's pattern must be a string"},
		{`type = and`, 7, "unexpected and"},
		{`type == "a"`, 6, "unexpected =; it is written once"},
		{`a = b = c`, 6, "unexpected ="},
		{`type * "a"`, 5, "unexpected '*'; a text needs quotes, in a field's name it must be escaped with a backslash"},
		{`type = "ü" or name = "x`, 22, "the string isn't closed"},
		{`type = "x\"`, 7, "the string isn't closed"},
		{`properties..a = 1`, 11, "a field's name is missing after the dot"},
		{`properties.a\`, 12, "nothing follows the backslash"},
		{`properties.n = 5x`, 15, "not a number; a text needs quotes"},
		{`properties.n = 1.`, 15, "not a number; a text needs quotes"},
		{`properties.n = -`, 15, "not a number; a text needs quotes"},
		{`properties.n = 1e999`, 15, "the number is out of range"},
		{`upper(type) = "X"`, 0, "no function upper: there are contains, match, lowercase, length and typeof"},
		{`contains(event)`, 0, "contains takes 2 arguments, not 1"},
		{`length(event)`, 0, "length(event) is a number, not a condition: compare it with something"},
		{`5`, 0, "5 is a number, not a condition: compare it with something"},
		{`type in [length(event)]`, 9, "a list's elements must be strings, numbers, true, false or null"},
		{`type in "track"`, 8, `unexpected "track"`},
		{"type = \"\xff\"", 8, "not UTF-8"},
		{strings.Repeat("(", 10_000), 100, "nested deeper than 100 parentheses"},
		{strings.Repeat("a", maxExpr+1), 0, "longer than 65536 bytes"},
	} {
		_, err := Compile(c.expr)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.40s: %v", c.expr, err)
			continue
		}
		if want := (SyntaxError{Expr: c.expr, Offset: c.offset, Message: c.message}); *syntax != want {
			t.Errorf("%.40s: offset %d, %q", c.expr, syntax.Offset, syntax.Message)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := strings.Repeat("(", maxNesting) + `type = "a"` + strings.Repeat(")", maxNesting)
	if !compile(t, nested).Match([]byte(`{"type":"a"}`)) {
		t.Error("no match in parentheses")
	}
	if !compile(t, strings.Repeat("!", 20_000)+`type = "a"`).Match([]byte(`{"type":"a"}`)) {
		t.Error("no match behind an even number of !")
	}
	long := strings.Repeat(`type = "a" and `, 4_000) + `type = "a"`
	if !compile(t, long).Match([]byte(`{"type":"a"}`)) {
		t.Error("no match of a long expression")
	}
}

func TestSyntaxErrorText(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{`name = "ü" or or`, "trigger, column 15: unexpected or\n  name = \"ü\" or or\n                ^"},
		{"type = \"a\" and\n\tfoo bar", "trigger, line 2, column 6: unexpected bar; and or or is missing before it, or quotes around a text of several words\n  \tfoo bar\n  \t    ^"},
		{strings.Repeat("é", 100) + `"x`, "trigger, column 1: unexpected 'é'; a text needs quotes, in a field's name it must be escaped with a backslash\n  " + strings.Repeat("é", 60) + "...\n  ^"},
		{`type = "` + strings.Repeat("é", 100) + `" x`, "trigger, column 111: unexpected x\n  ..." + strings.Repeat("é", 58) + "\" x\n     " + strings.Repeat(" ", 60) + "^"},
	} {
		_, err := Compile(c.expr)
		if err == nil || err.Error() != c.want {
			t.Errorf("got\n%v\nwant\n%s", err, c.want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, expr := range []string{
		defaultTrigger,
		complexTrigger,
		`properties.address.zip = "94103" and properties.ltv > 1000 and properties.vip = true and userId != null`,
		`lowercase(event) = "audience entered" and length(properties.tags) = 3 and typeof(traits) = "null"`,
		`"c" in properties.tags and type in ["track", "identify"] and external_ids.0.channelType = "sms"`,
	} {
		trigger, raw := compile(t, expr), []byte(event)
		if !trigger.Match(raw) {
			t.Errorf("%s doesn't match", expr)
		}
		if n := testing.AllocsPerRun(100, func() { trigger.Match(raw) }); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
	}
}

// TestConcurrentMatch is for the race detector.
func TestConcurrentMatch(t *testing.T) {
	trigger := compile(t, complexTrigger)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if raw := []byte(event); !trigger.Match(raw) || !trigger.Explain(raw).Result {
					t.Error("no match")
				}
			}
		})
	}
	wg.Wait()
}
