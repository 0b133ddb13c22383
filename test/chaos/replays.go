package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"engage-worker/test/chaos/evidence"
)

// What the configuration says of the action in the scenario replays. With the
// poor body an eighth of the events has nothing to send, and dies.
const (
	poorBody  = `body: {"@if": {"exists": {"@path": "$.properties.text"}, "then": {"@template": "Welcome! Yours, {{properties.ref}}"}, "else": ""}}`
	soundBody = `body: {"@template": "Welcome! Yours, {{properties.ref}}"}`

	itsName   = "- name: welcome-sms\n"
	itsNarrow = itsName + `        trigger: type = "track" and event = "Audience Entered" and properties.text = "yes"` + "\n"
)

// noContent and gone are why events may die that are sent later.
const (
	noContent = "no_content"
	gone      = "mapping_failed"
)

// withPoorBody is the configuration with which events die.
func withPoorBody(text string) string { return strings.Replace(text, soundBody, poorBody, 1) }

// replaying changes what the configuration makes of dead letters, with others in
// doubt and waiting: some are replayed before the change by who doesn't know of it, the
// rest after it, and after it is taken back all that came to nothing.
func replaying(r *run) {
	for i, change := range []struct {
		what, from, to string
		stays          bool
	}{
		{"the trigger doesn't want them any more", itsName, itsNarrow, false},
		{"the action is removed", itsName, "- name: another\n        trigger: event = \"Never\"\n", false},
		{"the action is renamed", itsName, "- name: hello-sms\n        formerNames: [welcome-sms]\n", true},
		{"the destination is renamed", "- name: " + destination + "\n", "- name: arrivals\n    formerNames: [" + destination + "]\n", true},
	} {
		if !r.present && strings.Contains(change.to, "formerNames") {
			break // which it doesn't know
		}
		if i > 0 {
			r.stopAll(false)
			r.change(soundBody, poorBody)
			r.addTwo()
			r.await(20*time.Second, "all shards assigned", r.assigned)
		}
		r.gatherLetters(i%2 == 0)
		r.change(poorBody, soundBody)
		r.replay("--region", regions[0].name)
		before := r.configuration()
		r.note("%s", change.what)
		r.change(change.from, change.to)
		r.addTwo()
		if !r.tried(func() { r.await(settleTimeout, "all done after "+change.what, r.settled) }) {
			change.stays = false // it can't do that, or stands still: the rest goes on as before
		}
		r.tried(func() {
			r.replay()
			r.await(settleTimeout, "the source done", r.sourceDone)
			r.ended(change.what)
		})
		r.stopAll(i%2 != 0)
		if !change.stays {
			r.note("that is taken back")
			r.reconfigure(before)
		}
		r.addTwo()
		options := []string{"--ambiguous"}
		if r.present {
			options = append(options, "--again")
		}
		r.tried(func() { r.replay(options...) })
		r.tried(func() { r.await(settleTimeout, "all done", r.settled) })
	}
}

// gatherLetters lets the load go on until there are letters, deliveries in doubt
// and such as wait, and ends with nobody at work.
func (r *run) gatherLetters(kill bool) {
	listless, faulty := usual, usual
	listless.ListErrors = 1
	faulty.Unavailable, faulty.Failed, faulty.AcceptedThen500, faulty.AcceptedThenReset, faulty.ListErrors = 0.1, 0.1, 0.1, 0.1, 1
	r.idle.Store(false)
	r.pause(3 * time.Second)
	r.during("doesn't say what it did, and has no list", faulty, 2*time.Second)
	r.during("has no list", listless, 6*time.Second)
	r.idle.Store(true)
	r.await(time.Minute, "the source done", r.sourceDone)
	r.stopAll(kill)
	r.behave("as usual", usual)
}

// sourceDone tells what keeps the source from being done; retries may wait.
func (r *run) sourceDone(ctx context.Context) error {
	r.supervise()
	return r.doneWith(ctx, r.cfg.Destinations[0].Name, r.topic)
}

// replay replays dead letters, of the delivery's last death each.
func (r *run) replay(options ...string) {
	_, err := r.dlq(r.ctx, append([]string{"replay", "--yes", "--rate", "1000", "--max-replays", "20"}, options...)...)
	must(err)
}

// dlq is what a command of the analysts' prints.
func (r *run) dlq(ctx context.Context, words ...string) (string, error) {
	if words[0] == "replay" && r.present {
		words = append(words, "--wait", "0s")
	}
	cmd := exec.CommandContext(ctx, r.program, append(append([]string{"dlq"}, words...), "--config", r.config)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("dlq %s: %w: %s", strings.Join(words, " "), err, strings.TrimSpace(said.String()))
	}
	r.note("dlq %s: %s %s", strings.Join(words, " "), said.String(), out[:min(1000, len(out))])
	return string(out), nil
}

// states counts the letters by what their state says, and why where that isn't said by it.
func (r *run) states(ctx context.Context) (map[string]int, error) {
	text, err := r.dlq(ctx, "export", "--format", "csv", "--columns", "state,state_why")
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("dlq export: %w: %.200s", err, text)
	}
	states := map[string]int{}
	for _, row := range rows[1:] {
		states[strings.TrimSpace(strings.Join(row, " "))]++
	}
	return states, nil
}

// ended checks that no letter was replayed of which its state doesn't say what came of it.
func (r *run) ended(after string) {
	var states map[string]int
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.grades = append(r.grades, fmt.Sprintf("%s: letters are %s", after, listed(states)))
	}()
	r.await(20*time.Second, "each replayed letter's state", func(ctx context.Context) (err error) {
		if states, err = r.states(ctx); err == nil && states["replayed"] > 0 {
			err = fmt.Errorf("%v", states)
		}
		return err
	})
}

func listed(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(all, ", ")
}

// measureReplays judges what became of the letters in the end: each event has its
// message, and each letter says so.
func measureReplays(r *run, h *evidence.History) (grades, faults []string) {
	sent := map[string]int{}
	for _, m := range h.Messages {
		sent[m.Ref]++
	}
	missing := map[string]bool{}
	for _, rec := range h.Records {
		if sent[rec.Ref] == 0 {
			missing[rec.Ref] = true
		}
	}
	for _, retry := range h.Retries {
		if !retry.Done {
			delete(missing, retry.Ref)
		}
	}
	if len(missing) > 0 {
		faults = append(faults, fmt.Sprintf("%d events have no message in the end, such as %v", len(missing), slices.Sorted(maps.Keys(missing))[:min(5, len(missing))]))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	states, err := r.states(ctx)
	if err != nil {
		return grades, append(faults, err.Error())
	}
	grades = append(grades, "in the end letters are "+listed(states))
	for state, n := range states {
		if state != "sent" && state != "failed_again" {
			faults = append(faults, fmt.Sprintf("%d letters are %s in the end", n, state))
		}
	}
	if states["sent"] < 100 || states["failed_again"] < 20 {
		faults = append(faults, "too few letters: nothing is shown")
	}
	return grades, faults
}
