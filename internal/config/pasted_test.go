package config

import (
	"bytes"
	"strings"
	"testing"

	"engage-worker/actions"
)

// pasted is a hosted destination's settings and subscriptions as they are.
const pasted = `
kafka: {brokers: [a:1], topic: t}
destinations:
  - name: d
    settings: {accountSID: "${SID}", apiKeySID: SK1, apiKeySecret: very-secret, region: us-west-2}
    actions:
      - name: welcome
        partnerAction: sendMessage
        subscribe: event = "Signed Up"
        enabled: true
        mapping: {channel: SMS, senderType: Phone number, contentTemplateType: Inline, inlineBody: Hi,
          fromPhoneNumber: "+15005550006", toPhoneNumber: {"@path": $.properties.phone}}
      - {name: old, partnerAction: sendSms, enabled: false, mapping: {from: MG1, body: Hi}}
`

func TestPastedSubscription(t *testing.T) {
	cfg, err := load(pasted, map[string]string{"SID": "AC-hidden"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Destinations[0]
	equal(t, d.Settings, actions.Settings{
		TwilioAccountSID: "AC-hidden", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "very-secret", Region: "us-west-2", ConnectionOverrides: "rp=all&rc=5",
	})
	first, second := d.Actions[0], d.Actions[1]
	equal(t, []any{first.Type, first.Trigger, first.Disabled}, []any{actions.SendMessage, `event = "Signed Up"`, false})
	equal(t, []any{second.Type, second.Trigger, second.Disabled}, []any{actions.SendSMS, actions.DefaultTrigger, true})

	var out bytes.Buffer
	if err := cfg.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"twilioAccountSID: '***'", "twilioApiKeySecret: '***'", "type: sendMessage", "enabled: false"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s isn't in\n%s", want, &out)
		}
	}
	if text := out.String(); strings.Contains(text, "hidden") || strings.Contains(text, "very-secret") {
		t.Error(text)
	}
	if err, readable := schemaError(t, pasted); err != nil || !readable {
		t.Error(err)
	}
}

func TestPastedTwice(t *testing.T) {
	for before, after := range map[string][2]string{
		"partnerAction: sendMessage": {"partnerAction: sendMessage, type: sendSms", "partnerAction: is another name for type, which is there too; keep one"},
		`subscribe: event = "Signed Up"`: {`subscribe: type = "track", trigger: type = "track"`,
			"subscribe: is another name for trigger, which is there too; keep one"},
		"apiKeySID: SK1": {"apiKeySID: SK1, twilioApiKeySID: SK2", "apiKeySID: is another name for twilioApiKeySID, which is there too; keep one"},
	} {
		change := after[0]
		if !strings.Contains(before, "SK1") {
			change = strings.ReplaceAll(change, ", ", "\n        ")
		}
		text := strings.Replace(pasted, before, change, 1)
		_, err := load(text, map[string]string{"SID": "AC1"}, nil)
		if err == nil || !strings.Contains(err.Error(), after[1]) {
			t.Errorf("%v, want %s", err, after[1])
		}
		if err, readable := schemaError(t, text); err == nil || !readable {
			t.Errorf("the schema takes %s", change)
		}
	}
}
