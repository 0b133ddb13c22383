package actions_test

import (
	"strings"
	"testing"

	"engage-worker/actions"
)

// TestSchemaRegistry: the five bytes of a schema registry's serializer are
// passed over before an object, and an event in another format of its is
// malformed in words that name the serializer.
func TestSchemaRegistry(t *testing.T) {
	d, faults := actions.New(actions.Definition{
		Name: "d", Settings: settings(),
		Actions: []actions.ActionDefinition{{Name: "a", Type: actions.SendSMS, Trigger: `type = "track"`, Mapping: map[string]any{
			"from": "MG0", "body": map[string]any{"@path": "$.event"}, "toNumber": "+15551234567",
		}}},
	}, actions.Options{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	defer d.Close()
	const frame, serializer = "\x00\x00\x00\x00\x0a", "not JSON: a schema registry's Avro or Protobuf serializer wrote it (magic byte 0, schema 10); " +
		"publish with the JSON Schema serializer, or JSON without a registry"
	for _, c := range []struct {
		value, fault string
	}{
		{wrapped, ""},
		{frame + wrapped, ""},
		{frame + " \n" + wrapped + " ", ""},
		{frame + `{"specversion":"1.0","data":` + wrapped + `}`, ""},
		{frame + "\x0aAudience Entered\x04u1", serializer},             // Avro
		{frame + "\x00\x0a\x10Audience Entered\x12\x02u1", serializer}, // Protobuf
		{frame + "\x02\x06\x0a\x10Audience", serializer},               // Protobuf with a message's index
		{frame + wrapped[:20], "the JSON object is cut off at byte 25"},
		{frame + "[" + wrapped + "]", "a JSON list, whose elements are to be published one by one, at byte 5"},
		{frame, "empty: no JSON object at byte 5"},
		{"\x01" + frame[1:] + wrapped, "unexpected character '\\x01' at byte 0"},
		{frame + frame + wrapped, serializer},
	} {
		value := []byte(c.value)
		match := d.Match(value)
		_, err := d.Decode(value)
		if c.fault != "" {
			if match.Malformed == nil || match.Malformed.Error() != c.fault || match.Actions != 0 || err == nil {
				t.Errorf("%q: %v, %v; want %s", c.value, match.Malformed, err, c.fault)
			}
			continue
		}
		if match != (actions.Match{Actions: 1}) || err != nil {
			t.Errorf("%q: %+v, %v", c.value, match, err)
			continue
		}
		if n := testing.AllocsPerRun(10, func() { d.Match(value) }); n != 0 {
			t.Errorf("%q: %v allocations", c.value, n)
		}
		delivery, explanation, err := d.Explain(t.Context(), value, 0)
		if err != nil || delivery.MessageID != "m1" || delivery.Message == nil || delivery.Message.Body != "Audience Entered" || !strings.Contains(explanation.Trigger, "track") {
			t.Errorf("%q: %+v, %+v, %v", c.value, delivery, explanation, err)
		}
	}
}
