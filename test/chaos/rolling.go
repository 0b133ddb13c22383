package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// secondAction is what a rolling change of the configuration adds; its texts
// begin with secondText.
const (
	secondAction = "second-sms"
	secondText   = "Second thoughts"
	second       = `      - name: ` + secondAction + `
        type: sendSms
        mapping:
          from: {"@path": "$.properties.sender"}
          body: {"@template": "` + secondText + ` about it all. Yours, {{properties.ref}}"}
          region: {"@path": "$.properties.region"}
`
)

// rolling adds an action, one replica after the other, with deliveries in doubt
// and waiting. Of each configuration one is killed; afterwards one that
// has the former comes for a while.
func rolling(ctx context.Context, r *run) error {
	former, err := os.ReadFile(r.config)
	if err != nil {
		return err
	}
	configure := func(text string) error { return os.WriteFile(r.config, []byte(text), 0o600) }
	had := append([]*replica(nil), r.live...)
	if err := errors.Join(pause(ctx, 12*time.Second), configure(string(former)+second)); err != nil {
		return err
	}
	r.note("an action is added to the configuration")
	added, err := r.startOf(r.program)
	if err = errors.Join(err, pause(ctx, 5*time.Second), r.stop(had[0]), pause(ctx, 3*time.Second)); err != nil {
		return err
	}
	r.kill(added) // while it stands by
	if err := errors.Join(r.add(), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	r.kill(had[1]) // so that half have it, and then more
	if err := errors.Join(pause(ctx, 5*time.Second), r.add(), pause(ctx, 5*time.Second), r.stop(had[2]), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	r.note("a replica comes that doesn't know the action")
	stale, err := r.startWith(ctx, func() error { return configure(string(former)) }, func() error { return configure(string(former) + second) })
	if err = errors.Join(err, pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	return errors.Join(r.add(), pause(ctx, 3*time.Second), r.stop(stale), pause(ctx, 3*time.Second))
}

// startWith starts a replica between two changes of the configuration, once
// it has read it.
func (r *run) startWith(ctx context.Context, before, after func() error) (*replica, error) {
	if err := before(); err != nil {
		return nil, err
	}
	w, err := r.startOf(r.program)
	if err != nil {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for !w.started() {
		if !w.running() || pause(soon, 50*time.Millisecond) != nil {
			return nil, fmt.Errorf("%s doesn't start: see %s", w.name, w.log)
		}
	}
	return w, after()
}

// without is the history without an action.
func (h *History) without(action string) *History {
	rest := *h
	rest.Messages = slices.DeleteFunc(slices.Clone(h.Messages), func(m Message) bool { return m.Action == action })
	rest.Dead = slices.DeleteFunc(slices.Clone(h.Dead), func(d Dead) bool { return d.Action == action })
	rest.Retries = slices.DeleteFunc(slices.Clone(h.Retries), func(r Retry) bool { return r.Action == action })
	return &rest
}

// measureRolling judges the added action: it never sends an event's message
// twice, and in each shard there is one offset from which on it has all events, and
// before which it has none.
func measureRolling(_ *run, h *History) (grades, faults []string) {
	const sent, dead, waits = "sent", "dead", "waits"
	did := map[string]map[string]int{} // by the event's ref
	note := func(ref, what string) {
		if did[ref] == nil {
			did[ref] = map[string]int{}
		}
		did[ref][what]++
	}
	for _, m := range h.Messages {
		if m.Action == secondAction {
			note(m.Ref, sent)
		}
	}
	for _, d := range h.Dead {
		if d.Action != secondAction {
			continue
		}
		if note(d.Ref, dead); d.Reason != kinds[d.Ref[0]].reason() {
			faults = append(faults, fmt.Sprintf("%s: %s has a dead letter because of %s: %s", secondAction, d.Ref, d.Reason, d.Message))
		}
	}
	for _, r := range h.Retries {
		if r.Action == secondAction && !r.Done {
			note(r.Ref, waits)
		}
	}
	last, copies := map[string]Record{}, map[string]int{}
	for _, rec := range h.Records {
		if kind := kinds[rec.Ref[0]]; kind != Malformed && kind != Unwanted {
			copies[rec.Ref]++
			if known, ok := last[rec.Ref]; !ok || known.Offset < rec.Offset {
				last[rec.Ref] = rec
			}
		}
	}
	begins, missed := map[int]Record{}, map[int]Record{} // by shard: the first that it has, the last that it hasn't
	had := 0
	for _, ref := range slices.Sorted(maps.Keys(last)) {
		rec, of := last[ref], did[ref]
		if allowed := map[bool]int{true: copies[ref], false: 1}[kinds[ref[0]] == Anonymous]; of[sent] > allowed {
			faults = append(faults, fmt.Sprintf("%s: %d messages for %s", secondAction, of[sent], ref))
		}
		if of == nil {
			if known, ok := missed[rec.Partition]; !ok || known.Offset < rec.Offset {
				missed[rec.Partition] = rec
			}
			continue
		}
		had++
		if known, ok := begins[rec.Partition]; !ok || rec.Offset < known.Offset {
			begins[rec.Partition] = rec
		}
	}
	for shard, first := range begins {
		if miss, ok := missed[shard]; ok && miss.Offset > first.Offset {
			faults = append(faults, fmt.Sprintf("%s: shard %d: it has %s at %d and not %s at %d", secondAction, shard, first.Ref, first.Offset, miss.Ref, miss.Offset))
		}
	}
	if had < 1000 || len(last)-had < 500 {
		faults = append(faults, fmt.Sprintf("%s has %d of %d events: nothing is shown", secondAction, had, len(last)))
	}
	moments := slices.SortedFunc(maps.Values(begins), func(a, b Record) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	if len(moments) > 0 {
		grades = append(grades, fmt.Sprintf("the added action has %d of %d events: in each of %d shards all from one on, which was produced between %s and %s",
			had, len(last), len(begins), moments[0].At.Format("15:04:05.000"), moments[len(moments)-1].At.Format("15:04:05.000")))
	}
	return grades, faults
}

// actionOf is the action that a text is of.
func actionOf(body string) string {
	if strings.HasPrefix(body, secondText) {
		return secondAction
	}
	return ""
}
