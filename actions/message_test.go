package actions_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
)

// sendMessage is a destination with one sendMessage, which sends unless
// changed, and the faults of the changed one.
func sendMessage(change map[string]any) (*actions.Destination, []actions.Fault) {
	mapping := map[string]any{
		"channel": "SMS", "senderType": "Phone number", "contentTemplateType": "Inline",
		"toPhoneNumber": map[string]any{"@path": "$.properties.phone"}, "fromPhoneNumber": "+15005550006", "inlineBody": "Hello {{name}}",
		"inlineVariables": map[string]any{"name": map[string]any{"@path": "$.properties.name"}},
	}
	for name, value := range change {
		if mapping[name] = value; value == nil {
			delete(mapping, name)
		}
	}
	return actions.New(actions.Definition{
		Name:     "d",
		Settings: actions.Settings{TwilioAccountSID: "AC0", TwilioAPIKeySID: "SK0", TwilioAPIKeySecret: "secret", WebhookURL: "https://hook.example/x?a=b"},
		Actions:  []actions.ActionDefinition{{Name: "a", Type: actions.SendMessage, Mapping: mapping}},
	}, actions.Options{})
}

const (
	messagingService = "MG0123456789abcdef0123456789abcdef"
	contentTemplate  = "HX0123456789abcdef0123456789abcdef"
	statusCallback   = " StatusCallback=https://hook.example/x?a=b&space_id=&__segment_internal_external_id_key__=phone&__segment_internal_external_id_value__=%2B15551234567#rp=all&rc=5"
)

func at(path string) any { return map[string]any{"@path": path} }

func TestMessage(t *testing.T) {
	const event = `{"type":"track","event":"Audience Entered","messageId":"m1","userId":"u1","properties":{"phone":"+15551234567","name":"{{x}} Jane","status":"Subscribed",
		"off":"false","odd":"maybe","img":"https://x.example/a b.png","long":"` + "LONG" + `","list":[1],"messenger":" 1234567890123456 "}}`
	hello := "To=+15551234567 From=+15005550006 Body=Hello {{x}} Jane" + statusCallback
	service := map[string]any{"senderType": "Messaging Service", "messagingServiceSid": messagingService}
	for _, c := range []struct {
		name   string
		change map[string]any
		want   string // the form, or the decision with its reason and code
	}{
		{"as it is", nil, hello},
		// Consent, where it is mapped.
		{"subscribed", map[string]any{"subscriptionStatus": at("$.properties.status")}, hello},
		{"unsubscribed", map[string]any{"subscriptionStatus": at("$.properties.off")}, "skip not_subscribed"},
		{"no status", map[string]any{"subscriptionStatus": at("$.properties.none")}, "skip not_subscribed"},
		{"another status", map[string]any{"subscriptionStatus": at("$.properties.odd")}, "skip invalid_subscription_status"},
		{"asked before the number", map[string]any{"subscriptionStatus": at("$.properties.off"), "toPhoneNumber": at("$.properties.name")}, "skip not_subscribed"},
		// Recipients and senders.
		{"bad number", map[string]any{"toPhoneNumber": at("$.properties.name")}, "fail invalid_recipient invalid_recipient"},
		{"Messenger", map[string]any{"channel": "Messenger", "toMessengerUserId": at("$.properties.messenger"), "senderType": "Facebook Page ID", "fromFacebookPageId": "99"},
			"To=messenger:1234567890123456 From=messenger:99 Body=Hello {{x}} Jane" + strings.Replace(statusCallback, "%2B15551234567", "messenger%3A1234567890123456", 1)},
		{"Messenger, nobody", map[string]any{"channel": "Messenger", "toMessengerPageUserId": at("$.properties.none"), "senderType": "Messenger Sender ID", "fromMessengerSenderId": "99"},
			"fail invalid_recipient invalid_recipient"},
		{"RCS", with(service, map[string]any{"channel": "RCS"}), "To=+15551234567 MessagingServiceSid=" + messagingService + " Body=Hello {{x}} Jane" + statusCallback},
		{"channel of the event", map[string]any{"channel": at("$.properties.odd")}, "fail mapping_failed invalid_channel"},
		// Content.
		{"a picture alone", map[string]any{"channel": "MMS", "inlineBody": nil, "inlineMediaUrls": []any{"https://x.example/{{name}}"}},
			"To=+15551234567 From=+15005550006 MediaUrl=https://x.example/{{x}} Jane" + statusCallback},
		{"nothing", map[string]any{"inlineBody": at("$.properties.none")}, "fail no_content no_content"},
		{"no template", map[string]any{"contentTemplateType": "Text", "contentSid": at("$.properties.none")}, "fail no_content no_content"},
		{"no URL", map[string]any{"inlineMediaUrls": []any{"{{name}}"}}, "fail content_rejected invalid_media"},
		{"too long", map[string]any{"inlineBody": strings.Repeat("{{long}}", 50), "inlineVariables": map[string]any{"long": at("$.properties.long")}}, "fail content_rejected body_too_long"},
		{"names end with their line", map[string]any{"inlineBody": "a{{na\nme}}b{{name}}c}}{{"}, "To=+15551234567 From=+15005550006 Body=a{{na\nme}}b{{x}} Janec}}{{" + statusCallback},
		{"empty variable", map[string]any{"contentTemplateType": "Text", "contentSid": contentTemplate, "contentVariables": map[string]any{"1": ""}}, "fail content_rejected empty_content_variable"},
		// What the newer versions and Twilio's documentation add.
		{"scheduled", with(service, map[string]any{"sendAt": "2026-12-01T10:00:00Z", "validityPeriod": "60"}),
			"To=+15551234567 SendAt=2026-12-01T10:00:00Z ScheduleType=fixed ValidityPeriod=60 MessagingServiceSid=" + messagingService + " Body=Hello {{x}} Jane" + statusCallback},
		{"no zone", map[string]any{"sendAt": at("$.properties.name")}, "fail mapping_failed invalid_field"},
		{"tags", map[string]any{"tags": map[string]any{"a": " x ", "b": nil, "c": "", "n": 5.0}}, strings.Replace(hello, " Status", ` Tags={"a":"x","n":"5"} Status`, 1)},
		{"bad tag", map[string]any{"tags": map[string]any{"a": at("$.properties.img")}}, "fail mapping_failed invalid_tags"},
		{"a list as tag", map[string]any{"tags": map[string]any{"a": at("$.properties.list")}}, "fail mapping_failed invalid_tags"},
	} {
		d, faults := sendMessage(c.change)
		if len(faults) > 0 {
			t.Errorf("%s: %v", c.name, faults)
			continue
		}
		value := []byte(strings.Replace(event, "LONG", strings.Repeat("long ", 1000), 1))
		ev, err := d.Decode(value)
		if err != nil {
			t.Fatal(err)
		}
		delivery := d.Prepare(t.Context(), ev, 0)
		got := delivery.Decision.String() + " " + delivery.Reason.String()
		if delivery.Failure != nil {
			got += " " + delivery.Failure.Code
		}
		if m := delivery.Message; m != nil {
			var form []string
			for _, v := range m.Form {
				form = append(form, v.Name+"="+v.Value)
			}
			got = strings.Join(form, " ")
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if explained, x, err := d.Explain(t.Context(), value, 0); err != nil || explained.Decision != delivery.Decision || x.Trigger == "" {
			t.Errorf("%s: explained as %v, %+v, %v", c.name, explained.Decision, x, err)
		}
		d.Close()
	}
}

func with(parts ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range parts {
		maps.Copy(all, m)
	}
	return all
}

// TestMessageFaults: what would fail with every event is refused before.
func TestMessageFaults(t *testing.T) {
	for _, c := range []struct {
		change map[string]any
		want   string
	}{
		{map[string]any{"channel": "sms"}, `actions[0].mapping.channel: is "sms"; there are SMS, MMS, Whatsapp, Messenger and RCS`},
		{map[string]any{"channel": nil}, `actions[0].mapping.channel: is ""; there are SMS, MMS, Whatsapp, Messenger and RCS`},
		{map[string]any{"senderType": "Phone"}, `actions[0].mapping.senderType: is "Phone"; there are Phone number, Messaging Service and Messenger Sender ID`},
		{map[string]any{"senderType": "Phone", "fromPhoneNumber": at("$.x")}, `actions[0].mapping.senderType: is "Phone"; there are Phone number, Messaging Service and Messenger Sender ID`},
		{map[string]any{"channel": "RCS"}, "actions[0].mapping.senderType: must be Messaging Service for the channel RCS"},
		{map[string]any{"fromPhoneNumber": nil}, "actions[0].mapping.fromPhoneNumber: is not a number in E.164 (+15551234567)"},
		{map[string]any{"toPhoneNumber": nil}, "actions[0].mapping.toPhoneNumber: is neither a number in E.164 (+15551234567) nor a short code"},
		{map[string]any{"senderType": "Messaging Service", "messagingServiceSid": "MG0"}, "actions[0].mapping.messagingServiceSid: is not a messaging service: want MG and 32 hexadecimal digits"},
		{map[string]any{"contentTemplateType": nil}, "actions[0].mapping.contentTemplateType: is required: Inline, or the type of the content template"},
		{map[string]any{"inlineBody": nil, "inlineVariables": nil}, "actions[0].mapping: neither mapping.inlineBody nor mapping.inlineMediaUrls has a value for this event"},
		{map[string]any{"contentTemplateType": "Text", "contentSid": "HX12", "inlineVariables": nil}, "actions[0].mapping: mapping.contentSid is not a content template: want HX and 32 hexadecimal digits"},
		{map[string]any{"validityPeriod": 0.0}, "actions[0].mapping.validityPeriod: should be a number from 1 to 14400"},
		{map[string]any{"sendAt": "2026-12-01T10:00:00"}, "actions[0].mapping.sendAt: should be a date and a time with a zone, such as 2026-12-01T10:00:00Z"},
		{map[string]any{"mediaUrls": []any{map[string]any{"url": ""}}}, "actions[0].mapping.mediaUrls: item 0: url is required"},
		{map[string]any{"tags": map[string]any{"é": "x"}}, "actions[0].mapping.tags: has a tag that Twilio doesn't take: names and values are 1 to 128 letters of ASCII, digits, spaces, _ and -"},
		{map[string]any{"from": "+1"}, "actions[0].mapping.from: there is no such field; there are "},
	} {
		d, faults := sendMessage(c.change)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Path+": "+faults[0].Message, c.want) {
			t.Errorf("%v: %v, %q\nwant %s", c.change, d, faults, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	mapping := map[string]any{"subscriptionStatus": at("$.properties.status")}
	got := actions.Warnings(actions.Definition{Actions: []actions.ActionDefinition{
		{Type: actions.SendMessage},
		{Type: actions.SendMessage, Mapping: mapping, Trigger: `type = "Track"`},
		{Type: actions.SendSMS},
	}})
	want := []actions.Warning{
		{
			Path: "actions[0].mapping", Message: "has no subscriptionStatus: the message goes to everybody whom the trigger wants",
			WayOut: "map it, and only who is subscribed gets it",
		},
		{Path: "actions[1].trigger", Message: `type = "Track" can't be true`, WayOut: "preview --explain shows what decides for an event"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestDisabled: a disabled action wants nothing, though another has the same
// trigger, and what was under way isn't sent.
func TestDisabled(t *testing.T) {
	mapping := map[string]any{"from": "MG0", "body": "x", "toNumber": "+15551234567"}
	d, faults := actions.New(actions.Definition{
		Name: "d", Settings: actions.Settings{TwilioAccountSID: "AC0", TwilioAPIKeySID: "SK0", TwilioAPIKeySecret: "secret"},
		Actions: []actions.ActionDefinition{
			{Name: "off", Type: actions.SendSMS, Mapping: mapping, Disabled: true},
			{Name: "on", Type: actions.SendSMS, Mapping: mapping},
		},
	}, actions.Options{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	defer d.Close()
	value := []byte(`{"type":"track","event":"Audience Entered"}`)
	if m := d.Match(value); m.Actions != 0b10 {
		t.Errorf("%b", m.Actions)
	}
	ev, err := d.Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	if off, on := d.Prepare(t.Context(), ev, 0), d.Prepare(t.Context(), ev, 1); off.Reason != outcome.ReasonSendDisabled || on.Decision != actions.DecisionSend {
		t.Errorf("%v %v", off, on)
	}
	other := []byte(`{"type":"track","event":"Order Shipped"}`)
	if !d.Wants(other, 0) || !d.Wants(value, 1) || d.Wants(other, 1) {
		t.Error("what was under way for a disabled action is to be skipped as such, what another's trigger no longer wants isn't to be made")
	}
	if delivery, x, err := d.Explain(t.Context(), value, 0); err != nil || delivery.Decision != actions.DecisionNoMatch || x.Trigger != "the action is switched off: enabled is false" {
		t.Errorf("%v %+v %v", delivery, x, err)
	}
}
