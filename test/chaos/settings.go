package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
func changedSettings(ctx context.Context, r *run) error {
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
		if err := errors.Join(r.behave("doesn't say what it did, and has no list", doubtful), pause(ctx, 4*time.Second)); err != nil {
			return err
		}
		for _, w := range append([]*replica(nil), r.live...) {
			if i%2 == 0 {
				r.kill(w)
			} else if err := r.stop(w); err != nil {
				return err
			}
		}
		r.note("another configuration: %s", change.what)
		if err := errors.Join(r.change(change.from, change.to), r.behave("as usual", usual), r.add(), r.add(), pause(ctx, 10*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// groups has a second environment come and go, changes the group's prefix
// replica by replica, which sends nothing, and then goes on by the recipe.
func groups(ctx context.Context, r *run) error {
	had := append([]*replica(nil), r.live...)
	prefixed := func(prefix string) func() error {
		return func() error { return r.change("kafka:\n", "kafka:\n  groupPrefix: "+prefix+"\n") }
	}
	if err := pause(ctx, 6*time.Second); err != nil {
		return err
	}
	r.note("a second environment")
	second, err := r.startWith(ctx, prefixed("staging"), func() error { return r.change("  groupPrefix: staging\n", "") })
	if err != nil {
		return err
	}
	r.expect(ctx, "a second environment that isn't ready", r.unready(second, "ledger"))
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := r.stop(second); err != nil {
		return err
	}
	r.note("another prefix, replica by replica")
	if err := errors.Join(prefixed("moved")(), r.add(), pause(ctx, 3*time.Second), r.stop(had[0]), r.add(), pause(ctx, 3*time.Second)); err != nil {
		return err
	}
	r.kill(had[1])
	moved := append([]*replica(nil), r.live...)
	for _, w := range moved {
		r.expect(ctx, "replicas of another prefix that aren't ready", r.unready(w, "ledger.adopt"))
	}
	if !r.present {
		return pause(ctx, 8*time.Second) // it knows no ledger.adopt
	}
	r.note("ledger.adopt")
	if err := errors.Join(r.change("delivery:\n", "ledger: {adopt: engage-worker}\ndelivery:\n"), r.add(), r.add()); err != nil {
		return err
	}
	for _, w := range moved {
		if err := r.stop(w); err != nil {
			return err
		}
	}
	return pause(ctx, 8*time.Second)
}

// expect waits for what is to be seen. That it isn't is a fault, and the run goes on.
func (r *run) expect(ctx context.Context, what string, check func(context.Context) error) {
	if err := r.await(ctx, 20*time.Second, what, check); err != nil {
		r.fail(err)
	}
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
