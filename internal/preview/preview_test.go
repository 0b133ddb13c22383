package preview

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"engage-worker/internal/config"
)

const settings = `
destinations:
  - name: onboarding
    formerNames: [welcome]
    settings: {twilioAccountSID: AC0, twilioApiKeySID: SK0, twilioApiKeySecret: secret, profileApiAccessToken: token, spaceId: spa_1}
    actions:
      - {name: hello, formerNames: [hi], type: sendSms, trigger: type = "track", mapping: {from: MG0, toNumber: {"@path": $.properties.to}, body: "Hi {{ profile.traits.name }}"}}
      - {name: never, type: sendSms, trigger: type = "page", mapping: {from: MG0, toNumber: "+15551234567", body: x}}
`

func previewer(t *testing.T) *Previewer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestLetter: a dead letter's own action decides, by any name that it and its
// destination had.
func TestLetter(t *testing.T) {
	p := previewer(t)
	event := []byte(`{"type":"track","event":"x","messageId":"m1","userId":"u1","properties":{"to":"+15551230000"}}`)
	for _, test := range []struct{ destination, action, value, want, err string }{
		{"onboarding", "hello", string(event), "hello send", ""},
		{"welcome", "hi", string(event), "hello send", ""},
		{"onboarding", "never", string(event), "never no_match", ""},
		{"onboarding", "", string(event), "hello send, never no_match", ""},
		{"onboarding", "gone", string(event), "", "the configuration has no such action any more: nothing would be sent"},
		{"other", "hello", string(event), "", `the configuration has no destination "other"`},
		{"onboarding", "hello", "{", "", "nothing: the value is no event ("},
	} {
		lines, err := p.Letter(t.Context(), test.destination, test.action, []byte(test.value))
		var got []string
		for _, line := range lines {
			got = append(got, line.Action+" "+line.Decision)
		}
		if strings.Join(got, ", ") != test.want || (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s/%s: %q, %v", test.destination, test.action, got, err)
		}
	}
	lines, err := p.Letter(t.Context(), "onboarding", "hello", event)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines[0].Request.Field("To"); got != "+15551230000" || lines[0].Explain.Segments.Segments != 1 {
		t.Errorf("to %q, %+v", got, lines[0].Explain)
	}
}

// TestEvent calls for each action, or once for a value that is no event.
func TestEvent(t *testing.T) {
	p := previewer(t)
	for value, want := range map[string][]string{
		`{"type":"page","messageId":"m2"}`: {"hello no_match no_match m2", "never send  m2"},
		`[1]`:                              {" fail malformed_event "},
	} {
		var got []string
		if err := p.Event(t.Context(), []byte(value), true, func(line Line) error {
			got = append(got, strings.Join([]string{line.Action, line.Decision, line.Reason, line.Event.MessageID}, " "))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q", value, got)
		}
	}
}
