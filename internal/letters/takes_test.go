package letters

import (
	"os"
	"path/filepath"
	"testing"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
)

// A letter may name its destination and its action as they were called before.
func TestFormerNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(`
kafka: {brokers: ["127.0.0.1:1"]}
destinations:
  - name: onboarding
    formerNames: [intro]
    settings: {twilioAccountSID: AC00000000000000000000000000000001, twilioApiKeySID: SK00000000000000000000000000000001, twilioApiKeySecret: secret}
    actions: [{name: welcome, formerNames: [hello], type: sendSms, mapping: {from: MG00000000000000000000000000000001, body: Welcome}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	planner, err := d.Planner()
	if err != nil {
		t.Fatal(err)
	}
	value := []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"m","external_ids":[{"type":"phone","id":"+14155550000","channelType":"sms","isSubscribed":true}]}`)
	for _, c := range []struct {
		destination, action string
		present             string
		takes               deadletter.Why
	}{
		{"onboarding", "welcome", "welcome", ""},
		{"onboarding", "hello", "welcome", ""},
		{"intro", "hello", "welcome", ""},
		{"intro", "", "", ""},
		{"onboarding", "bye", "bye", deadletter.NoAction},
		{"winback", "welcome", "welcome", deadletter.OtherSource},
	} {
		if got := planner.Present(c.destination, c.action); got != c.present {
			t.Errorf("%s/%s: present name %q", c.destination, c.action, got)
		}
		if got := planner.Takes(c.destination, c.action, value); got != c.takes {
			t.Errorf("%s/%s: takes %q, want %q", c.destination, c.action, got, c.takes)
		}
	}
}
