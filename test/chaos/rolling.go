package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"engage-worker/test/chaos/evidence"
)

// secondAction is what a rolling change of the configuration adds; its texts
// begin with secondText.
const (
	secondAction = "second-sms" // and what it is called later begins with this
	secondText   = "Second thoughts"
	removed      = "the action is removed"
	second       = `      - name: ` + secondAction + `
        type: sendSms
        mapping:
          from: {"@path": "$.properties.sender"}
          body: {"@template": "` + secondText + ` about it all. Yours, {{properties.ref}}"}
          region: {"@path": "$.properties.region"}
`
)

// rolling adds an action, renames it and removes it, each one replica after the
// other, with deliveries in doubt and waiting. Of each configuration one is killed; once
// it is added, one that has the former comes for a while.
func rolling(r *run) {
	former := r.configuration()
	had := slices.Clone(r.live)
	r.pause(12 * time.Second)
	r.note("an action is added to the configuration")
	r.configureReplicas(former + second)
	added := r.startOf(r.program)
	r.pause(5 * time.Second)
	r.stop(had[0])
	r.pause(3 * time.Second)
	r.kill(added) // while it stands by
	r.add()
	r.pause(4 * time.Second)
	r.kill(had[1]) // so that half have it, and then more
	r.pause(5 * time.Second)
	r.add()
	r.pause(5 * time.Second)
	r.stop(had[2])
	r.pause(4 * time.Second)
	r.note("a replica comes that doesn't know the action")
	r.configureReplicas(former)
	stale := r.addReady()
	r.configureReplicas(former + second)
	r.pause(4 * time.Second)
	r.add()
	r.pause(3 * time.Second)
	r.stop(stale)
	r.pause(3 * time.Second)
	if r.present { // or it knows no formerNames
		r.roll("the action is renamed", former+strings.Replace(second, secondAction+"\n", secondAction+"-again\n        formerNames: ["+secondAction+"]\n", 1))
	}
	r.roll(removed, former)
}

// roll brings a configuration to all replicas, one after the other, of which one is
// killed.
func (r *run) roll(what, text string) {
	r.reconfigure(text)
	r.note("%s", what)
	for i, w := range slices.Clone(r.live) {
		r.add()
		r.pause(4 * time.Second)
		if i == 1 {
			r.kill(w)
		} else {
			r.stop(w)
		}
		r.pause(2 * time.Second)
	}
}

// measureRolling judges the action that comes and goes: it never sends an event's message
// twice, and in each shard it has all events from one to another that were settled before
// it went, and none before and after. What waits for it when it goes is a dead letter.
func measureRolling(_ *run, h *evidence.History) (grades, faults []string) {
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
		if !strings.HasPrefix(d.Action, secondAction) {
			continue
		}
		if note(d.Ref, dead); d.Reason != evidence.KindOf(d.Ref).Reason() && !(d.Reason == gone && h.After(removed, d.At)) {
			faults = append(faults, fmt.Sprintf("%s: %s has a dead letter because of %s: %s", secondAction, d.Ref, d.Reason, d.Message))
		}
	}
	for _, r := range h.Retries {
		if strings.HasPrefix(r.Action, secondAction) && !r.Done {
			note(r.Ref, waits)
		}
	}
	copies := map[string][]evidence.Record{} // by ref, in the order of the log
	for _, rec := range h.Records {
		if kind := evidence.KindOf(rec.Ref); kind != evidence.Malformed && kind != evidence.Unwanted {
			copies[rec.Ref] = append(copies[rec.Ref], rec)
		}
	}
	// By shard, the first and the last that it surely has: of an event that comes
	// twice nobody knows by which of the two.
	begins, ends := map[int]evidence.Record{}, map[int]evidence.Record{}
	had := 0
	for ref, all := range copies {
		slices.SortFunc(all, func(a, b evidence.Record) int { return cmp.Compare(a.Offset, b.Offset) })
		of, first, last := did[ref], all[0], all[len(all)-1]
		if of == nil {
			continue
		}
		if allowed := map[bool]int{true: len(all), false: 1}[evidence.KindOf(ref) == evidence.Anonymous]; of[sent] > allowed {
			faults = append(faults, fmt.Sprintf("%s: %d messages for %s", secondAction, of[sent], ref))
		}
		had++
		if known, ok := begins[last.Partition]; !ok || last.Offset < known.Offset {
			begins[last.Partition] = last
		}
		if known, ok := ends[first.Partition]; !ok || first.Offset > known.Offset {
			ends[first.Partition] = first
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(copies)) {
		for _, rec := range copies[ref] {
			if first, end := begins[rec.Partition], ends[rec.Partition]; did[ref] == nil && rec.Offset > first.Offset && rec.Offset < end.Offset && h.JudgedBefore(removed, ref) {
				faults = append(faults, fmt.Sprintf("%s: shard %d: it has %s at %d and %s at %d, and not %s at %d between", secondAction, rec.Partition, first.Ref, first.Offset, end.Ref, end.Offset, ref, rec.Offset))
				break
			}
		}
	}
	if had < 1000 || len(copies)-had < 500 {
		faults = append(faults, fmt.Sprintf("%s has %d of %d events: nothing is shown", secondAction, had, len(copies)))
	}
	if len(begins) > 0 {
		grades = append(grades, fmt.Sprintf("the action that came and went has %d of %d events: in each of %d shards all between two, produced between %s and %s", had, len(copies), len(begins), span(begins), span(ends)))
	}
	return grades, faults
}

// span is when the records of some shards were produced.
func span(records map[int]evidence.Record) string {
	moments := slices.SortedFunc(maps.Values(records), func(a, b evidence.Record) int { return a.At.Compare(b.At) })
	return fmt.Sprintf("%s..%s", moments[0].At.Format("15:04:05.0"), moments[len(moments)-1].At.Format("15:04:05.0"))
}

// actionOf is the action that a text is of.
func actionOf(body string) string {
	if strings.HasPrefix(body, secondText) {
		return secondAction
	}
	return ""
}
