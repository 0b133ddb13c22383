package actions_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions"
)

// TestRegionsOfEvents: an event chooses among the regions that the
// configuration names. Any other is the destination's own.
func TestRegionsOfEvents(t *testing.T) {
	s := settings()
	s.Region = "home"
	d := mustNew(t, s, actions.Options{
		Regions: []string{"home", "away", "ie"},
		Region: func(name string) (string, string) {
			if name == "ie" {
				return "ie1", "dublin"
			}
			return "", ""
		},
	}, sms(map[string]any{"from": "MG1", "body": "hi", "region": map[string]any{"@path": "$.where"}}))
	for named, want := range map[string]string{
		"": "home", "home": "home", "away": "away", "ie": "ie",
		"AWAY": "home", "elsewhere": "home", "../ie": "home", "+14155550123": "home", strings.Repeat("x", 100_000): "home",
	} {
		host := "https://api.twilio.com"
		if want == "ie" {
			host = "https://api.dublin.ie1.twilio.com"
		}
		got := prepare(t, d, event(fmt.Sprintf(`"where":%q,`, named)+smsAddress))
		if got.Decision != actions.DecisionSend || got.Region != want || got.Message.BaseURL != host {
			t.Errorf("%.40q: %v by %q, %+v; want %q by %s", named, got.Decision, got.Region, got.Message, want, host)
		}
	}
	if got := fmt.Sprint(d.Regions()); got != "[away home ie]" {
		t.Errorf("Regions: %s; no event adds any", got)
	}
}

// TestRegionsInBranches: what a mapping fixes is a region as any, and is checked as such.
func TestRegionsInBranches(t *testing.T) {
	region := func(then, otherwise any) map[string]any {
		return map[string]any{"@if": map[string]any{"exists": map[string]any{"@path": "$.there"}, "then": then, "else": otherwise}}
	}
	s := settings()
	s.Region = "home"
	d := mustNew(t, s, actions.Options{Regions: []string{"home"}}, sms(map[string]any{"from": "MG1", "body": "hi", "region": region("away", region("farther", map[string]any{"@path": "$.where"}))}))
	if got := fmt.Sprint(d.Regions()); got != "[away farther home]" {
		t.Errorf("Regions: %s", got)
	}
	if got := prepare(t, d, event(`"there":1,`+smsAddress)); got.Region != "away" {
		t.Errorf("it goes through %q", got.Region)
	}
	_, faults := actions.New(actions.Definition{Name: "d", Settings: s, Actions: []actions.ActionDefinition{sms(map[string]any{"from": "MG1", "body": "hi", "region": region("away", "not a name")})}}, actions.Options{})
	if len(faults) != 1 || faults[0].Path != "actions[0].mapping.region" {
		t.Errorf("%v", faults)
	}
}

// TestStrangeRegionsAreSaid once a minute, with nothing in the line that could
// be a number.
func TestStrangeRegionsAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := mustNew(t, settings(), actions.Options{Log: zerolog.New(&out)}, sms(map[string]any{"from": "MG1", "body": "hi", "region": map[string]any{"@path": "$.where"}}))
		name := func(region string) { prepare(t, d, event(fmt.Sprintf(`"where":%q,`, region)+smsAddress)) }
		name("elsewhere")
		for i := range 100 {
			name(fmt.Sprint("r", i))
		}
		time.Sleep(time.Minute)
		name("+1_415_555_0123")
		time.Sleep(time.Minute)
		name(strings.Repeat("long", 1000))
		name("us-west-2") // its own
		time.Sleep(time.Minute)
		name("")
		line := func(named string, events int) string {
			return fmt.Sprintf(`{"level":"warn","destination":"d","named":%q,"region":"us-west-2","events":%d,"message":"events name a region that the configuration doesn't: they go through the destination's own"}`+"\n", named, events)
		}
		want := line("elsewhere", 1) + line("***", 101) + line(strings.Repeat("long", 16), 1)
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
