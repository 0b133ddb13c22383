package actions_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"engage-worker/actions"
)

const wrapped = `{"type":"track","event":"Audience Entered","messageId":"m1","userId":"u1","properties":{"phone":"+15551234567"}}`

// envelopes are events as they come wrapped.
var envelopes = []struct {
	value string
	want  actions.Envelope
}{
	{`{"schema":{"type":"struct"},"payload":` + wrapped + `}`, actions.EnvelopeConnect},
	{`{"schema":null,"payload":"text"}`, actions.EnvelopeConnect},
	{`{"before":null,"after":` + wrapped + `,"source":{},"op":"c","ts_ms":1}`, actions.EnvelopeDebezium},
	{`{"schema":{},"payload":{"op":"u","after":` + wrapped + `}}`, actions.EnvelopeDebezium},
	{`{"specversion":"1.0","id":"1","source":"/x","type":"com.x.audience","data_base64":"e30="}`, actions.EnvelopeCloudEvents},
	{`{"specversion":"1.0","id":"1","source":"/x","type":"com.x.audience","data":{"hello":"world"}}`, actions.EnvelopeCloudEvents},
	{`{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:x","Message":"{}"}`, actions.EnvelopeSNS},
	{`{"version":"0","id":"1","detail-type":"x","source":"y","detail":` + wrapped + `}`, actions.EnvelopeEventBridge},
	{`{"batch":[` + wrapped + `],"sentAt":"x"}`, actions.EnvelopeBatch},
	{`{"Records":[{"body":"{}"}]}`, actions.EnvelopeBatch},
	// None.
	{`{}`, actions.EnvelopeNone},
	{`{"schema":{},"data":1,"batch":5,"detail":{},"op":"c","Message":"x"}`, actions.EnvelopeNone},
	{strings.Replace(wrapped, "track", "page", 1), actions.EnvelopeNone},
	{strings.Replace(wrapped, `"type"`, `"batch":[1],"type"`, 1), actions.EnvelopeNone},
	{wrapped, actions.EnvelopeNone},
}

func TestEnvelopes(t *testing.T) {
	d, faults := sendMessage(nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	defer d.Close()
	for _, c := range envelopes {
		value := []byte(c.value)
		if got := d.Match(value); got.Envelope != c.want {
			t.Errorf("%s is in %q", c.value, got.Envelope)
		}
		if n := testing.AllocsPerRun(10, func() { d.Match(value) }); n != 0 {
			t.Errorf("%s: %v allocations", c.value, n)
		}
	}
	page, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range actions.Envelopes() {
		if e.Advice() == "" || !strings.Contains(string(page), "\n| `"+e.String()+"` |") {
			t.Errorf("%d: %q, %q isn't in docs/events.md", e, e, e.Advice())
		}
	}
}

// TestEnvelopeWanted: what a trigger wants isn't looked at for envelopes.
func TestEnvelopeWanted(t *testing.T) {
	mapping := map[string]any{"from": "MG0", "body": "x", "toNumber": "+15551234567"}
	d, faults := actions.New(actions.Definition{
		Name: "d", Settings: actions.Settings{TwilioAccountSID: "AC0", TwilioAPIKeySID: "SK0", TwilioAPIKeySecret: "secret"},
		Actions: []actions.ActionDefinition{{Name: "a", Type: actions.SendSMS, Mapping: mapping, Trigger: `payload.type = "track"`}},
	}, actions.Options{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	defer d.Close()
	if m := d.Match([]byte(envelopes[0].value)); m.Actions != 1 || m.Envelope != actions.EnvelopeNone {
		t.Errorf("%+v", m)
	}
}

// TestCloudEvents: the event in data is what triggers, mappings and ids are of.
func TestCloudEvents(t *testing.T) {
	d, faults := sendMessage(nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	defer d.Close()
	for _, value := range []string{
		`{"specversion":"1.0","id":"1","source":"/x","type":"com.x.audience","data":` + wrapped + `}`,
		`{"data":` + wrapped + `,"specversion":"1.0"}`,
	} {
		if m := d.Match([]byte(value)); m.Actions != 1 || m.Envelope != actions.EnvelopeNone {
			t.Errorf("%+v", m)
		}
		ev, err := d.Decode([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if ev.MessageID() != "m1" || ev.UserID() != "u1" {
			t.Errorf("%s %s", ev.MessageID(), ev.UserID())
		}
		delivery, x, err := d.Explain(t.Context(), []byte(value), 0)
		if err != nil || delivery.Decision != actions.DecisionSend || !strings.HasPrefix(x.Trigger, "match: ") {
			t.Errorf("%v %+v %v", delivery.Decision, x, err)
		}
	}
	// What has a type of the spec is the event itself.
	value := []byte(`{"type":"identify","specversion":"1.0","messageId":"m2","data":` + wrapped + `}`)
	if ev, err := d.Decode(value); err != nil || ev.MessageID() != "m2" || d.Match(value).Actions != 0 {
		t.Errorf("%v %v", ev.MessageID(), err)
	}
}

func BenchmarkMatchEnvelopes(b *testing.B) {
	d, faults := sendMessage(nil)
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	defer d.Close()
	for i, c := range envelopes {
		b.Run(fmt.Sprintf("%d %s", i, c.want), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Match([]byte(c.value))
			}
		})
	}
}
