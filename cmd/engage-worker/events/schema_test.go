package events

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEventSchemaTellsMistakes that producers make, in plain words; and takes
// the examples as they are.
func TestEventSchemaTellsMistakes(t *testing.T) {
	schema, err := newEventSchema()
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"type":"track","event":"Audience Entered","messageId":"m1","userId":"u1","timestamp":"2026-11-01T10:00:00Z","external_ids":[{"id":"+14155550134","type":"phone","channelType":"sms","isSubscribed":"subscribed"}]}`
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{`"subscribed"`, `"Subscribed"`, ""},
		{`"subscribed"`, `true`, ""},
		{`"messageId":"m1",`, ``, "messageId is missing"},
		{`"event":"Audience Entered",`, ``, "event is missing"},
		{`"type":"track"`, `"type":"Track"`, "type must be one of identify track page screen group alias"},
		{`"userId":"u1"`, `"userId":1`, "must be"},
		{`"userId":"u1",`, ``, "userId and anonymousId are missing: one is needed"},
		{`2026-11-01T10:00:00Z`, `yesterday`, "timestamp must be a time as in 2026-11-01T10:00:00Z (RFC 3339)"},
		{`external_ids`, `externalIds`, "externalIds is no member of an event; is it external_ids?"},
		{`"userId":`, `"user_id":`, "user_id is no member of an event; is it userId?"},
		{`"messageId":`, `"messageID":`, "messageID is no member of an event; is it messageId?"},
		{`"subscribed"`, `"yes"`, "external_ids.0.isSubscribed isn't what it should be: subscribed or true"},
		{`"type":"phone"`, `"type":"mobile"`, "external_ids.0.type isn't what it should be: phone is what messages go to"},
		{`"channelType":"sms"`, `"channelType":"text"`, "external_ids.0.channelType isn't what it should be: sms or nothing for SMS"},
		{`"+14155550134"`, `"(415) 555-0134"`, "external_ids.0.id isn't what it should be: Of type phone, a number in E.164"},
		{`[{"id"`, `[1,{"id"`, "external_ids.0 must be object, not number"},
	} {
		got := strings.Join(schema.faults([]byte(strings.Replace(good, c.from, c.to, 1))), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s for %s: %q, want %q", c.to, c.from, got, c.want)
		}
		if strings.Contains(got, "555-0134") {
			t.Errorf("a value is shown: %s", got)
		}
	}
	examples, err := filepath.Glob("../../../docs/examples/*.json")
	if err != nil || len(examples) == 0 {
		t.Fatal(examples, err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if faults := schema.faults(text); faults != nil && !strings.HasSuffix(path, "rudderstack.json") {
			t.Errorf("%s: %q", path, faults)
		}
	}
}
