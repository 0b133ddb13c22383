package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// unknown is why what nobody can know of dies.
const unknown = "outcome_unknown"

// twice is the configuration with a second destination that is like the first.
func twice(text string) string {
	head, of, _ := strings.Cut(text, "destinations:\n")
	return head + "destinations:\n" + of + strings.Replace(of, "- name: "+destination, "- name: second", 1)
}

// changedSettings changes one setting after the other, each while deliveries
// are in doubt, with replicas killed or stopped.
func changedSettings(r *run) {
	doubtful := usual
	doubtful.AcceptedThen500, doubtful.Failed, doubtful.AcceptedThenSilence, doubtful.ListErrors = 0.2, 0.2, 0.05, 1
	doubtful.Late, doubtful.LateFor = 0.05, 3*time.Second
	for i, change := range []struct{ what, from, to string }{
		{"the sender", `from: {"@path": "$.properties.sender"}`, "from: MG00000000000000000000000000000009"},
		{"the account", "AC00000000000000000000000000000001", "AC00000000000000000000000000000002"},
		{"the host", "twilioHostname: http://127.0.0.1", "twilioHostname: http://localhost"},
		{"the request timeout", fmt.Sprint("requestTimeout: ", requestTimeout), "requestTimeout: 1s"},
		{"the channel", "type: sendSms", "type: sendWhatsApp"},
	} {
		r.during("doesn't say what it did, and has no list", doubtful, 4*time.Second)
		r.stopAll(i%2 == 0)
		r.note("another configuration: %s", change.what)
		r.change(change.from, change.to)
		r.behave("as usual", usual)
		r.addTwo()
		r.pause(10 * time.Second)
	}
}

// groups has a second environment come and go, changes the group's prefix
// replica by replica, which sends nothing, and then goes on by the recipe.
func groups(r *run) {
	had := slices.Clone(r.live)
	prefix := func(name string) { r.change("kafka:\n", "kafka:\n  groupPrefix: "+name+"\n") }
	r.pause(6 * time.Second)
	r.note("a second environment")
	prefix("staging")
	second := r.addReady()
	r.change("  groupPrefix: staging\n", "")
	r.expect("a second environment that isn't ready", r.unready(second, "ledger"))
	r.pause(3 * time.Second)
	r.stop(second)
	r.note("another prefix, replica by replica")
	prefix("moved")
	r.add()
	r.pause(3 * time.Second)
	r.stop(had[0])
	r.add()
	r.pause(3 * time.Second)
	r.kill(had[1])
	moved := slices.Clone(r.live)
	for _, w := range moved {
		r.expect("replicas of another prefix that aren't ready", r.unready(w, "ledger.adopt"))
	}
	if r.present { // or it knows no ledger.adopt
		r.note("ledger.adopt")
		r.change("delivery:\n", "ledger: {adopt: engage-worker}\ndelivery:\n")
		r.addTwo()
		for _, w := range moved {
			r.stop(w)
		}
	}
	r.pause(8 * time.Second)
}

// unready checks that a replica isn't ready, for a reason.
func (r *run) unready(w *replica, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		status, body, err := w.get(ctx, "/readyz")
		if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(body, reason)) {
			err = fmt.Errorf("%s: /readyz is %d: %s; want 503 and %q", w.name, status, body, reason)
		}
		return err
	}
}

// get asks a replica's operators' server.
func (w *replica) get(ctx context.Context, path string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address()+path, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
