package letters

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
)

// Every reason of a dead letter has its words, and its place in the docs.
func TestReasonsInWords(t *testing.T) {
	docs, err := os.ReadFile("../../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	for r := outcome.ReasonNoMatch; r <= outcome.ReasonExpired; r++ {
		means, mend, ok := Reason(r.String())
		if isFailure := r >= outcome.ReasonMalformedEvent; ok != isFailure || ok != (means != "" && mend != "") {
			t.Errorf("%s: %q, %q, %v", r, means, mend, ok)
		}
		if ok && !bytes.Contains(docs, []byte("| `"+r.String()+"` |")) {
			t.Errorf("docs/dead-letters.md doesn't tell of %s", r)
		}
	}
	if _, _, ok := Reason("brand_new"); ok {
		t.Error("knows brand_new")
	}
	for _, d := range deadletter.Dispositions() {
		if Disposition(d) == "" {
			t.Errorf("no words for %s", d)
		}
	}
}

func TestStatesAndWhysHaveWords(t *testing.T) {
	for _, s := range deadletter.AllStates() {
		if State(s) == "" {
			t.Errorf("no words for %s", s)
		}
	}
	seen := map[string]deadletter.Why{}
	for _, why := range Whys() {
		words, _ := PassedOver(why, false, 3)
		if other, double := seen[words]; double || words == "" {
			t.Errorf("%s has the words of %s: %q", why, other, words)
		}
		seen[words] = why
	}
	if words, _ := PassedOver(deadletter.TooOften, false, 7); !strings.Contains(words, "7 times") {
		t.Error(words)
	}
	if words, option := PassedOver(deadletter.AlreadyReplayed, true, 3); option != "" || !strings.Contains(words, "interrupted") {
		t.Error(words, option)
	}
}

func TestExplain(t *testing.T) {
	for name, r := range map[string]*deadletter.Record{
		"of a code later on": {Reason: "not_delivered", Disposition: deadletter.Undelivered, TwilioCode: 30003},
		"of a code":          {Reason: "opted_out", Disposition: deadletter.Permanent, TwilioCode: 21610},
		"of a state's own":   {Reason: "expired", Disposition: deadletter.Expired, State: deadletter.StateSkipped, StateWhy: "not_subscribed"},
		"of a newer reason":  {Reason: "brand_new", Disposition: deadletter.Permanent, State: deadletter.StateOpen},
	} {
		e := Explain(r)
		if e.Means == "" || e.End == "" || (e.Code != "") != (r.TwilioCode > 0) || (e.Mend == "") != (r.Reason == "brand_new") {
			t.Errorf("%s: %+v", name, e)
		}
		if r.StateWhy != "" && e.State != r.StateWhy {
			t.Errorf("%s: state %q", name, e.State)
		}
	}
}

func TestDismissible(t *testing.T) {
	var closed, opened []string
	for _, s := range deadletter.AllStates() {
		if Dismissible(s, false) {
			closed = append(closed, string(s))
		}
		if Dismissible(s, true) {
			opened = append(opened, string(s))
		}
	}
	if got := strings.Join(closed, " ") + ", " + strings.Join(opened, " "); got != "open replayed skipped, dismissed" {
		t.Error(got)
	}
}
