package actions_test

import (
	"testing"

	"engage-worker/actions"
)

// TestFingerprint: what decides who is texted and by what makes another one;
// words, keys and callbacks don't.
func TestFingerprint(t *testing.T) {
	type parts struct {
		settings actions.Settings
		action   actions.ActionDefinition
		region   string // Twilio's, with its edge
		edge     string
		more     []actions.ActionDefinition
	}
	of := func(change func(*parts)) uint64 {
		t.Helper()
		p := parts{
			settings: actions.Settings{TwilioAccountSID: "AC00000000000000000000000000000001", TwilioAPIKeySID: "SK00000000000000000000000000000001", TwilioAPIKeySecret: "s", SpaceID: "spa"},
			action:   actions.ActionDefinition{Name: "a", Type: actions.SendSMS, Mapping: map[string]any{"from": "+15005550006", "body": "Hi"}},
		}
		change(&p)
		d, faults := actions.New(actions.Definition{Name: "d", Settings: p.settings, Actions: append([]actions.ActionDefinition{p.action}, p.more...)},
			actions.Options{Region: func(string) (string, string) { return p.region, p.edge }})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		defer d.Close()
		if d.Fingerprint() == 0 || d.Fingerprint()>>62 != 0 {
			t.Errorf("%#x isn't of 62 bits, and not 0", d.Fingerprint())
		}
		return d.Fingerprint()
	}
	was := of(func(*parts) {})
	for what, change := range map[string]func(*parts){
		"body":  func(p *parts) { p.action.Mapping["body"] = "Ho" },
		"media": func(p *parts) { p.action.Mapping["media"] = []any{"https://example.com/a.png"} },
		"key": func(p *parts) {
			p.settings.TwilioAPIKeySID, p.settings.TwilioAPIKeySecret = "SK00000000000000000000000000000002", "t"
		},
		"webhook": func(p *parts) { p.settings.WebhookURL = "https://example.com/hook" },
		"source":  func(p *parts) { p.settings.SourceID = "src" },
		"former":  func(p *parts) { p.settings.Former = []actions.FormerAccess{{From: "+15005550007"}} },
	} {
		if of(change) != was {
			t.Errorf("%s: another fingerprint", what)
		}
	}
	seen := map[uint64]string{was: "nothing changed"}
	for what, change := range map[string]func(*parts){
		"an action more": func(p *parts) {
			p.more = []actions.ActionDefinition{{Name: "b", Type: actions.SendSMS, Mapping: map[string]any{"from": "+15005550006", "body": "Hi"}}}
		},
		"name":          func(p *parts) { p.action.Name = "b" },
		"former name":   func(p *parts) { p.action.FormerNames = []string{"b"} },
		"trigger":       func(p *parts) { p.action.Trigger = `event = "Order Shipped"` },
		"disabled":      func(p *parts) { p.action.Disabled = true },
		"channel":       func(p *parts) { p.action.Type = actions.SendWhatsApp },
		"sender":        func(p *parts) { p.action.Mapping["from"] = "+15005550007" },
		"recipient":     func(p *parts) { p.action.Mapping["toNumber"] = "+15005550008" },
		"account":       func(p *parts) { p.settings.TwilioAccountSID = "AC00000000000000000000000000000002" },
		"host":          func(p *parts) { p.settings.TwilioHostname = "twilio.example.com" },
		"Twilio region": func(p *parts) { p.region, p.edge = "ie1", "dublin" },
		"region":        func(p *parts) { p.settings.Region = "eu-west-1" },
	} {
		if is := of(change); seen[is] != "" {
			t.Errorf("%s: the fingerprint of %s", what, seen[is])
		} else {
			seen[is] = what
		}
	}
}
