package actions

import (
	"reflect"
	"strings"
	"testing"
)

// TestCostlyBodies: which bodies one character makes dear, and which are meant
// to be what they are.
func TestCostlyBodies(t *testing.T) {
	const ucs2 = "makes the SMS UCS-2, with 70 characters a segment instead of 160: "
	for body, want := range map[string]string{
		"plain, é and [brackets]":         "",
		"It’s here":                       "’ (character 3) " + ucs2 + "1 segment either way | write \"'\" in its place",
		"“x” – y":                         "“ ” – (character 1) " + ucs2 + "1 segment either way | write \"\\\"\" \"\\\"\" \"-\" in its place",
		"a\u00a0b":                        "U+00A0 (character 2) " + ucs2 + "1 segment either way | write \" \" in its place",
		"❤️":                              "❤ (character 1) " + ucs2 + "1 segment either way | leave it out, if it isn't worth that",
		"🎉 and 👋":                         "",
		"Привет":                          "",
		strings.Repeat("x", 141) + "’":    "’ (character 142) " + ucs2 + "3 segments instead of 1 | write \"'\" in its place",
		strings.Repeat("ç", 3) + "garçon": "ç (character 1) " + ucs2 + "1 segment either way | leave it out, if it isn't worth that",
	} {
		got := ""
		if message, wayOut, ok := costly(body, false); ok {
			got = message + " | " + wayOut
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", body, got, want)
		}
	}
}

// TestExplainWarns of what came out empty, and of what the event's values cost.
func TestExplainWarns(t *testing.T) {
	d, faults := New(Definition{
		Name: "d", Settings: Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "x"},
		Actions: []ActionDefinition{{Name: "a", Type: SendSMS, Mapping: map[string]any{
			"from": "MG1", "body": "Hi {{ profile.traits.name }}{{ profile.traits.last }}, {{ profile.traits.x | default: 'y' }}",
		}}},
	}, Options{})
	if faults != nil {
		t.Fatal(faults)
	}
	defer d.Close()
	_, x, err := d.Explain(t.Context(), []byte(`{"type":"track","event":"Audience Entered","messageId":"m","properties":{"name":"Zoë"},
		"external_ids":[{"id":"+14155550134","type":"phone","isSubscribed":true}]}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{
		{"mapping", "{{ profile.traits.last }} came out empty", "give it a default: {{ profile.traits.last | default: 'there' }}"},
		{"mapping.body", "ë (character 6) makes the SMS UCS-2, with 70 characters a segment instead of 160: 1 segment either way", "leave it out, if it isn't worth that"},
	}
	if !reflect.DeepEqual(x.Warnings, want) || !reflect.DeepEqual(x.Empty, []string{"profile.traits.last"}) {
		t.Errorf("%q %q", x.Warnings, x.Empty)
	}
}
