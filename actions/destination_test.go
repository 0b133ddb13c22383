package actions_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

func settings() actions.Settings {
	return actions.Settings{
		TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "sekret",
		ProfileAPIEnvironment: "production", ProfileAPIAccessToken: "token", SpaceID: "spa_1",
	}
}

func sms(mapping map[string]any) actions.ActionDefinition {
	return actions.ActionDefinition{Name: "sms", Type: actions.SendSMS, Mapping: mapping}
}

func whatsApp(mapping map[string]any) actions.ActionDefinition {
	return actions.ActionDefinition{Name: "wa", Type: actions.SendWhatsApp, Mapping: mapping}
}

func mustNew(t *testing.T, s actions.Settings, opts actions.Options, defs ...actions.ActionDefinition) *actions.Destination {
	t.Helper()
	d, faults := actions.New(actions.Definition{Name: "d", Settings: s, Actions: defs}, opts)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	t.Cleanup(d.Close)
	return d
}

// event is an audience event with members added.
func event(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"type":"track","event":"Audience Entered","userId":"jane","messageId":"m1"` + members + `}`
}

const smsAddress = `"external_ids":[{"id":"+15551234567","type":"phone","channelType":"sms","isSubscribed":true}]`

const waAddress = `"external_ids":[{"id":"+15551234567","type":"phone","channelType":"whatsapp","isSubscribed":true}]`

func prepare(t *testing.T, d *actions.Destination, value string) actions.Delivery {
	t.Helper()
	if m := d.Match([]byte(value)); m.Actions&1 == 0 {
		t.Fatalf("Match: %+v", m)
	}
	ev, err := d.Decode([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return d.Prepare(t.Context(), ev, 0)
}

// summary is a delivery in short.
type summary struct {
	decision, reason, code, region string
	form                           string
}

func summarize(d actions.Delivery) summary {
	s := summary{decision: d.Decision.String(), reason: d.Reason.String(), region: d.Region}
	if d.Failure != nil {
		s.code = d.Failure.Code
	}
	if d.Message != nil {
		var pairs []string
		for _, v := range d.Message.Form {
			pairs = append(pairs, v.Name+"="+v.Value)
		}
		s.form = strings.Join(pairs, " & ")
	}
	return s
}

func TestFaults(t *testing.T) {
	ok := map[string]any{"from": "MG1", "body": "hi"}
	type faults = []actions.Fault
	for _, c := range []struct {
		name     string
		settings actions.Settings
		actions  []actions.ActionDefinition
		want     faults
	}{
		{"nothing", actions.Settings{}, nil, faults{
			{"settings.twilioAccountSID", "is required: the account's SID (AC...)"},
			{"settings.twilioApiKeySID", "is required: an API key's SID (SK...)"},
			{"settings.twilioApiKeySecret", "is required: the API key's secret"},
			{"actions", "there is none: a destination needs an action"},
		}},
		{"settings", actions.Settings{
			TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s", WebhookURL: "foo", ConnectionOverrides: "rc=6&rp=ct,6xx&sni=maybe&ct=99&x=1&rc=1&e",
			TwilioHostname: "a b", ContentHostname: "ftp://x", ProfileAPIHostname: "https://u:p@x",
		}, []actions.ActionDefinition{sms(ok)}, faults{
			{"settings.connectionOverrides", "rc=6: want a number from 0 to 5 (retries)"},
			{"settings.connectionOverrides", "rp=ct,6xx: want one or more of 4xx, 5xx, ct, rt, all, joined by commas"},
			{"settings.connectionOverrides", "sni=maybe: want y or n"},
			{"settings.connectionOverrides", "ct=99: want a number from 100 to 10000 (milliseconds to connect)"},
			{"settings.connectionOverrides", "x is no connection override; there are ct, rt, tt, rc, rp, sni and e"},
			{"settings.connectionOverrides", "rc is there twice"},
			{"settings.connectionOverrides", `"e": want name=value pairs joined by &, such as rp=all&rc=5`},
			{"settings.webhookUrl", "is not an absolute URL: no scheme: it must begin with https:// or the like"},
			{"settings.twilioHostname", ""},
			{"settings.contentHostname", ""},
			{"settings.profileApiHostname", ""},
		}},
		{"an account that leads elsewhere", actions.Settings{TwilioAccountSID: "AC1/../AC2", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{sms(ok)}, faults{
			{"settings.twilioAccountSID", "want the account's SID (AC...), which holds letters and digits only"},
		}},
		{"an account of dots", actions.Settings{TwilioAccountSID: "..", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{sms(ok)}, faults{
			{"settings.twilioAccountSID", "want the account's SID (AC...), which holds letters and digits only"},
		}},
		{"a key that ends early", actions.Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK:1", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{sms(ok)}, faults{
			{"settings.twilioApiKeySID", "want an API key's SID (SK...), which holds no colon"},
		}},
		{"placeholders", actions.Settings{TwilioAccountSID: "AC...", TwilioAPIKeySID: "SK...", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{sms(ok)}, nil},
		{"actions", settings(), []actions.ActionDefinition{
			{Name: "a", Type: "sendSMS", Mapping: ok},
			{Name: "a", Type: "email", Mapping: ok},
			{Trigger: `type = `, Mapping: ok},
			{Name: "b", Type: actions.SendSMS, Mapping: map[string]any{"form": "MG1", "body": "{{ x", "send": map[string]any{"@pat": "$.x"}, "media": []any{map[string]any{"@if": map[string]any{}}}, "zzz": 1.0}},
			{Name: "c", Type: actions.SendSMS, Mapping: map[string]any{"from": "", "body": map[string]any{}, "send": "yes"}},
		}, faults{
			{"actions[0].type", `is "sendSMS"; did you mean sendSms?`},
			{"actions[1].name", `is "a", as actions[0]'s: names must differ`},
			{"actions[1].type", `is "email"; there are sendSms, sendWhatsApp and sendMessage`},
			{"actions[2].name", "is required: dead letters and metrics call the action by it"},
			{"actions[2].trigger", ""},
			{"actions[2].type", "is required: sendSms, sendWhatsApp or sendMessage"},
			{"actions[3].mapping.form", "there is no such field; did you mean from?"},
			{"actions[3].mapping.zzz", ""},
			{"actions[3].mapping.from", "is required: the number, short code or messaging service (MG...) to send from"},
			{"actions[3].mapping.media[0].@if", ""},
			{"actions[3].mapping.send", ""},
			{"actions[4].mapping.from", "is empty: a message needs a sender"},
			{"actions[4].mapping.body", "has the wrong type: it should be a string, it is an object"},
			{"actions[4].mapping.send", "has the wrong type: it should be true or false, it is a string"},
		}},
		{"content", settings(), []actions.ActionDefinition{
			{Name: "1", Type: actions.SendSMS, Mapping: map[string]any{"from": "MG1"}},
			{Name: "2", Type: actions.SendSMS, Mapping: map[string]any{"from": "MG1", "body": "", "media": []any{"https://x"}}},
			{Name: "3", Type: actions.SendWhatsApp, Mapping: map[string]any{"from": "MG1", "contentSid": nil}},
			{Name: "4", Type: actions.SendSMS, Mapping: map[string]any{"from": "MG1", "body": "{% if %}", "media": []any{"https://ok", "{{ x"}}},
			{Name: "5", Type: actions.SendWhatsApp, Mapping: map[string]any{"from": "MG1", "contentSid": "HX1", "contentVariables": map[string]any{"1": "{{ x", "2": "ok"}}},
			{Name: "6", Type: actions.SendSMS, Mapping: map[string]any{"from": "MG1", "contentSid": "HX1", "contentVariables": map[string]any{"1": ""}}},
			{Name: "7", Type: actions.SendWhatsApp, Mapping: map[string]any{"from": "MG1", "body": "{{ x"}},
		}, faults{
			{"actions[0].mapping", "has nothing to send: set body or contentSid"},
			{"actions[1].mapping.body", "is required beside media: the hosted destination sends no media alone"},
			{"actions[2].mapping", "has nothing to send: set body or contentSid"},
			{"actions[3].mapping.body", ""},
			{"actions[3].mapping.media[1]", ""},
			{"actions[4].mapping.contentVariables.1", ""},
			{"actions[5].mapping.contentVariables", `content variable "1" is empty; Twilio refuses that`},
			{"actions[6].mapping.body", ""},
		}},
		{"profile settings", actions.Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{
			sms(map[string]any{"from": "MG1", "body": "hi", "traitEnrichment": false}),
		}, faults{
			{"settings.spaceId", ""},
			{"settings.profileApiAccessToken", ""},
			{"settings.profileApiEnvironment", ""},
		}},
		{"no profile settings for WhatsApp templates", actions.Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s"}, []actions.ActionDefinition{
			whatsApp(map[string]any{"from": "MG1", "contentSid": "HX1", "traitEnrichment": false}),
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, got := actions.New(actions.Definition{Name: "d", Settings: c.settings, Actions: c.actions}, actions.Options{})
			if (d == nil) != (len(got) > 0) {
				t.Errorf("Destination %v with %d faults", d, len(got))
			}
			for i := range min(len(got), len(c.want)) {
				if c.want[i].Message == "" && got[i].Path == c.want[i].Path && got[i].Message != "" {
					c.want[i].Message = got[i].Message // another package's words
				}
			}
			if len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got")
				for _, f := range got {
					t.Errorf("  %s: %s", f.Path, f.Message)
				}
			}
		})
	}
}

func TestTooManyActions(t *testing.T) {
	defs := make([]actions.ActionDefinition, 65)
	for i := range defs {
		defs[i] = sms(map[string]any{"from": "MG1", "body": "hi"})
		defs[i].Name = strings.Repeat("x", i+1)
	}
	_, faults := actions.New(actions.Definition{Name: "d", Settings: settings(), Actions: defs}, actions.Options{})
	want := []actions.Fault{{Path: "actions", Message: "there are 65, a destination can have 64; put the others into another destination"}}
	if !reflect.DeepEqual(faults, want) {
		t.Errorf("got %v", faults)
	}
	d := mustNew(t, settings(), actions.Options{}, defs[:64]...)
	if m := d.Match([]byte(event(""))); m.Actions != ^uint64(0) {
		t.Errorf("Match: %x", m.Actions)
	}
}

func TestMatch(t *testing.T) {
	hi := map[string]any{"from": "MG1", "body": "hi"}
	d := mustNew(t, settings(), actions.Options{},
		actions.ActionDefinition{Name: "a", Type: actions.SendSMS, Mapping: hi},
		actions.ActionDefinition{Name: "b", Type: actions.SendSMS, Mapping: hi, Trigger: `userId = "jane"`},
		actions.ActionDefinition{Name: "c", Type: actions.SendSMS, Mapping: hi, Trigger: actions.DefaultTrigger},
		actions.ActionDefinition{Name: "d", Type: actions.SendSMS, Mapping: hi, Trigger: `type = "page"`},
	)
	if got := d.Actions(); !reflect.DeepEqual(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("Actions: %q", got)
	}
	for _, c := range []struct {
		name      string
		value     []byte
		actions   uint64
		malformed bool
		tombstone bool
	}{
		{"tombstone", nil, 0, false, true},
		{"empty", []byte{}, 0, true, false},
		{"null", []byte("null"), 0, true, false},
		{"list", []byte(`[{"type":"page"}]`), 0, true, false},
		{"cut off", []byte(`{"type":"page"`), 0, true, false},
		{"a million brackets", []byte(strings.Repeat("[", 1<<20)), 0, true, false},
		{"a million nested objects", []byte(strings.Repeat(`{"a":`, 1<<20)), 0, true, false},
		{"matching", []byte(event("")), 0b0111, false, false},
		{"the last of doubled keys", []byte(`{"type":"track","type":"page","userId":"jane"}`), 0b1010, false, false},
		{"nothing", []byte(`{}`), 0, false, false},
	} {
		m := d.Match(c.value)
		if m.Actions != c.actions || (m.Malformed != nil) != c.malformed || m.Tombstone != c.tombstone {
			t.Errorf("%s: %+v", c.name, m)
		}
	}
	value := []byte(event(smsAddress))
	if n := testing.AllocsPerRun(100, func() { d.Match(value) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

func TestDecode(t *testing.T) {
	d := mustNew(t, settings(), actions.Options{}, sms(map[string]any{"from": "MG1", "body": "hi"}))
	for value, want := range map[string][2]string{
		`{"messageId":"m","userId":"u"}`:                  {"m", "u"},
		`{"messageId":"m","userId":7,"messageId":"n"}`:    {"n", "7"},
		`{"messageId":{},"userId":null}`:                  {"", ""},
		`{}`:                                              {"", ""},
		"{\"messageId\":\"\xff\",\"userId\":\"\\ud83d\"}": {"\uFFFD", "\uFFFD"},
	} {
		ev, err := d.Decode([]byte(value))
		if err != nil {
			t.Errorf("%s: %v", value, err)
		} else if got := [2]string{ev.MessageID(), ev.UserID()}; got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	for _, value := range []string{``, `null`, `[]`, `"sekret"`, `{"sekret"`, strings.Repeat(`{"a":`, 1<<20)} {
		if _, err := d.Decode([]byte(value)); err == nil || strings.Contains(err.Error(), "sekret") {
			t.Errorf("%.20s: %v", value, err)
		}
	}
}

// TestBeyondTheHosted is what the conformance suite has no case of, this
// worker's own rules first.
// trusting is an action that renders templates out of events.
func trusting(def actions.ActionDefinition) actions.ActionDefinition {
	def.LiquidFromEvents = true
	return def
}

func TestBeyondTheHosted(t *testing.T) {
	path := func(p string) any { return map[string]any{"@path": p} }
	smsForm := func(body string) string {
		return "Body=" + body + ` & From=MG1 & To=+15551234567 & ShortenUrls=true & Tags={"external_id_type":"phone","external_id_value":"+15551234567"}`
	}
	const waTags = ` & Tags={"external_id_type":"phone","external_id_value":"+15551234567"}`
	for _, c := range []struct {
		name   string
		action actions.ActionDefinition
		event  string
		want   summary
	}{
		{"send defaults to true", sms(map[string]any{"from": "MG1", "body": "hi"}), smsAddress,
			summary{decision: "send", region: "us-west-2", form: smsForm("hi")}},
		{"a send that is mapped and missing is false", sms(map[string]any{"from": "MG1", "body": "hi", "send": path("$.nope")}), smsAddress,
			summary{decision: "skip", reason: "send_disabled", region: "us-west-2"}},
		{"a region by mapping", sms(map[string]any{"from": "MG1", "body": "hi", "region": path("$.region")}), `"region":"eu-west-1",` + smsAddress,
			summary{decision: "send", region: "eu-west-1", form: smsForm("hi")}},
		{"an empty region by mapping", sms(map[string]any{"from": "MG1", "body": "hi", "region": path("$.region")}), `"region":null,` + smsAddress,
			summary{decision: "send", region: "us-west-2", form: smsForm("hi")}},
		{"a region that is no text", sms(map[string]any{"from": "MG1", "body": "hi", "region": path("$.region")}), `"region":{},` + smsAddress,
			summary{decision: "fail", reason: "mapping_failed", code: "invalid_field", region: "us-west-2"}},
		{"no sender", sms(map[string]any{"from": path("$.from"), "body": "hi"}), smsAddress,
			summary{decision: "fail", reason: "mapping_failed", code: "missing_from", region: "us-west-2"}},
		{"a directive that fails", sms(map[string]any{"from": "MG1", "body": map[string]any{"@template": path("$.external_ids")}}), smsAddress,
			summary{decision: "fail", reason: "mapping_failed", code: "directive_failed", region: "us-west-2"}},
		{"no body in the event", sms(map[string]any{"from": "MG1", "body": path("$.body")}), smsAddress,
			summary{decision: "fail", reason: "no_content", code: "no_content", region: "us-west-2"}},
		{"no number", sms(map[string]any{"from": "MG1", "body": "hi", "toNumber": "jane@example.com"}), "",
			summary{decision: "fail", reason: "invalid_recipient", code: "invalid_phone", region: "us-west-2"}},
		{"1,600 characters", sms(map[string]any{"from": "MG1", "body": "{{ profile.traits.x }}"}), `"properties":{"x":"` + strings.Repeat("é", 1600) + `"},` + smsAddress,
			summary{decision: "send", region: "us-west-2", form: smsForm(strings.Repeat("é", 1600))}},
		{"1,601 characters", sms(map[string]any{"from": "MG1", "body": "{{ profile.traits.x }}"}), `"properties":{"x":"` + strings.Repeat("é", 1601) + `"},` + smsAddress,
			summary{decision: "fail", reason: "content_rejected", code: "body_too_long", region: "us-west-2"}},
		{"eleven media", sms(map[string]any{"from": "MG1", "body": "hi", "media": path("$.media")}), `"media":["1","2","3","4","5","6","7","8","9","10","11"],` + smsAddress,
			summary{decision: "fail", reason: "content_rejected", code: "too_many_media", region: "us-west-2"}},
		{"a broken template in the event", trusting(sms(map[string]any{"from": "MG1", "body": path("$.body")})), `"body":"{{ x",` + smsAddress,
			summary{decision: "fail", reason: "template_failed", code: "invalid_liquid", region: "us-west-2"}},
		{"what looks like a template in the event", sms(map[string]any{"from": "MG1", "body": path("$.body")}), `"body":"{{ x",` + smsAddress,
			summary{decision: "send", region: "us-west-2", form: smsForm("{{ x")}},
		{"SMS with variables for Twilio", sms(map[string]any{"from": "MG1", "contentSid": "HX1", "contentVariables": map[string]any{"1": path("$.userId"), "2": "{{ as it is }}"}}), smsAddress,
			summary{decision: "send", region: "us-west-2", form: `ContentSid=HX1 & From=MG1 & To=+15551234567 & ContentVariables={"1":"jane","2":"{{ as it is }}"} & ShortenUrls=true` + waTags}},
		{"SMS with an empty variable", sms(map[string]any{"from": "MG1", "contentSid": "HX1", "contentVariables": map[string]any{"1": path("$.x")}}), `"x":"",` + smsAddress,
			summary{decision: "fail", reason: "content_rejected", code: "empty_content_variable", region: "us-west-2"}},
		{"WhatsApp with a body", whatsApp(map[string]any{"from": "whatsapp:+1", "body": "Hi {{ profile.user_id }} {{ profile.traits.x }}", "media": "https://m"}), `"properties":{"x":"X"},` + waAddress,
			summary{decision: "send", region: "us-west-2", form: `Body=Hi jane X & From=whatsapp:+1 & To=whatsapp:+15551234567 & MediaUrl=https://m` + waTags}},
		{"WhatsApp with neither", whatsApp(map[string]any{"from": "whatsapp:+1", "body": path("$.x"), "contentSid": path("$.y")}), waAddress,
			summary{decision: "fail", reason: "no_content", code: "no_content", region: "us-west-2"}},
		{"WhatsApp to no number", whatsApp(map[string]any{"from": "whatsapp:+1", "contentSid": "HX1", "toNumber": "nobody"}), "",
			summary{decision: "fail", reason: "invalid_recipient", code: "invalid_phone", region: "us-west-2"}},
		{"WhatsApp with an empty variable as it is", whatsApp(map[string]any{"from": "whatsapp:+1", "contentSid": "HX1", "traitEnrichment": false, "contentVariables": map[string]any{"1": path("$.x")}}), `"x":null,` + waAddress,
			summary{decision: "fail", reason: "content_rejected", code: "empty_content_variable", region: "us-west-2"}},
		{"no user to look up", sms(map[string]any{"from": "MG1", "body": "hi", "traitEnrichment": false, "userId": path("$.nobody")}), smsAddress,
			summary{decision: "fail", reason: "profile_lookup_failed", code: "no_user_id", region: "us-west-2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustNew(t, settings(), actions.Options{Regions: []string{"eu-west-1"}}, c.action)
			got := prepare(t, d, event(c.event))
			if s := summarize(got); s != c.want {
				t.Errorf("got  %+v\nwant %+v", s, c.want)
			}
			if f := got.Failure; f != nil && (strings.Contains(f.Error(), "5551234567") || strings.Contains(f.Error(), "jane@")) {
				t.Errorf("the failure shows the number: %v", f)
			}
		})
	}
}

func TestDelivery(t *testing.T) {
	s := settings()
	s.WebhookURL = "https://cb.io"
	d := mustNew(t, s, actions.Options{
		Region: func(region string) (string, string) {
			return map[string]string{"eu-west-1": "ie1"}[region], map[string]string{"eu-west-1": "dublin"}[region]
		},
	}, sms(map[string]any{"from": "MG1", "body": "see HTTPS://x.io", "region": "eu-west-1"}))
	got := prepare(t, d, event(smsAddress))
	want := actions.Delivery{
		Action: "sms", Purpose: actions.Marketing, Decision: actions.DecisionSend, Region: "eu-west-1", MessageID: "m1", UserID: "jane", Recipient: "+15551234567",
		Message: &twilio.Message{
			BaseURL: "https://api.dublin.ie1.twilio.com", To: "+15551234567", From: "MG1", Body: "see HTTPS://x.io", HasLink: true, Account: "AC1",
			Form: []twilio.FormValue{
				{Name: "Body", Value: "see HTTPS://x.io"}, {Name: "From", Value: "MG1"}, {Name: "To", Value: "+15551234567"}, {Name: "ShortenUrls", Value: "true"},
				{Name: "Tags", Value: `{"external_id_type":"phone","external_id_value":"+15551234567"}`},
				{Name: "StatusCallback", Value: "https://cb.io/?space_id=spa_1&__segment_internal_external_id_key__=phone&__segment_internal_external_id_value__=%2B15551234567#rp=all&rc=5"},
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if names := d.Regions(); !reflect.DeepEqual(names, []string{"eu-west-1", "us-west-2"}) {
		t.Errorf("Regions: %q", names)
	}
}

func TestHasLink(t *testing.T) {
	for body, want := range map[string]bool{
		"": false, "no link": false, "x://y": false, "http:/x": false, "see http://x": true, "https://x": true, "shttps://x": true, "ftp://a http://b": true, "//x": false, "p://": false,
	} {
		d := mustNew(t, settings(), actions.Options{}, sms(map[string]any{"from": "MG1", "body": map[string]any{"@path": "$.body"}}))
		delivery := prepare(t, d, event(`"body":"x `+body+`",`+smsAddress))
		if got := delivery.Message.HasLink; got != want {
			t.Errorf("%q: %t", body, got)
		}
	}
}

// TestLookups: templates and profiles are remembered, failures say whether
// another attempt may help, and a context bounds them.
func TestLookups(t *testing.T) {
	var contents, profiles atomic.Int64
	status := new(atomic.Int64)
	status.Store(http.StatusOK)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "slow") {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		w.WriteHeader(int(status.Load()))
		if strings.HasPrefix(r.URL.Path, "/v1/Content/") {
			contents.Add(1)
			_, _ = w.Write([]byte(`{"types":{"twilio/text":{"body":"Hi {{ profile.traits.n }}"}}}`))
			return
		}
		profiles.Add(1)
		_, _ = w.Write([]byte(`{"traits":{"n":"Prof"}}`))
	}))
	defer server.Close()
	defer close(release)
	s := settings()
	s.ContentHostname, s.ProfileAPIHostname = server.URL, server.URL
	var results atomic.Int64
	d := mustNew(t, s, actions.Options{Lookup: func(kind, result string) { results.Add(1) }}, sms(map[string]any{
		"from": "MG1", "contentSid": map[string]any{"@path": "$.sid"}, "traitEnrichment": false,
	}))
	for range 3 {
		got := prepare(t, d, event(`"sid":"HX1",`+smsAddress))
		if got.Message == nil || got.Message.Body != "Hi Prof" {
			t.Fatalf("%+v", summarize(got))
		}
	}
	if contents.Load() != 1 || profiles.Load() != 1 || results.Load() != 6 {
		t.Errorf("%d templates and %d profiles looked up, %d results", contents.Load(), profiles.Load(), results.Load())
	}

	status.Store(http.StatusNotFound)
	f := prepare(t, d, event(`"sid":"HX2",`+smsAddress)).Failure
	if f == nil || f.Reason != outcome.ReasonContentTemplateFailed || f.Code != "content_template_http_404" || f.Retryable || f.Status != 404 {
		t.Errorf("%+v", f)
	}
	status.Store(http.StatusServiceUnavailable)
	f = prepare(t, d, event(`"sid":"HX3",`+smsAddress)).Failure
	if f == nil || f.Code != "content_template_http_503" || !f.Retryable || f.Status != 503 {
		t.Errorf("%+v", f)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ev, err := d.Decode([]byte(event(`"sid":"slow",` + smsAddress)))
	if err != nil {
		t.Fatal(err)
	}
	f = d.Prepare(ctx, ev, 0).Failure
	if f == nil || !f.Retryable || !errors.Is(f, context.Canceled) {
		t.Errorf("%+v", f)
	}
}

// TestPrepareConcurrently has goroutines prepare the same event and events of
// their own, for whatever is shared between deliveries must not show in them.
func TestPrepareConcurrently(t *testing.T) {
	d := benchDestination(t)
	deliveries := func(value string) (all []actions.Delivery) {
		ev, err := d.Decode([]byte(value))
		if err != nil {
			t.Error(err)
			return nil
		}
		for i := range d.Actions() {
			all = append(all, d.Prepare(t.Context(), ev, i))
		}
		return all
	}
	shared, err := d.Decode([]byte(benchEvent))
	if err != nil {
		t.Fatal(err)
	}
	want := d.Prepare(t.Context(), shared, 0)
	var wg sync.WaitGroup
	for i := range 8 {
		own := strings.ReplaceAll(benchWhatsAppEvent, "Jane", "Jane "+strings.Repeat("x", 40*i))
		wantOwn := deliveries(own)
		wg.Go(func() {
			for range 100 {
				if got := d.Prepare(t.Context(), shared, 0); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got.Message, want.Message)
				}
				if got := deliveries(own); !reflect.DeepEqual(got, wantOwn) {
					t.Errorf("got %+v, want %+v", got, wantOwn)
				}
			}
		})
	}
	wg.Wait()
}
