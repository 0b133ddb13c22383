package evidence

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Verdict is what the checker makes of a history.
type Verdict struct {
	Events      int // distinct, of all kinds
	Accepted    int // messages
	Lost        int // events without a message, a dead letter, or a place where they wait
	Twice       int // messages beyond those that should be
	WrongDead   int // events dead for no good reason, or for another than expected
	DeadLetters int // distinct
	Due         int // events that wait in a retry topic
	Uncommitted int64
	Violations  []Violation
}

// Violation is one broken promise.
type Violation struct {
	Ref  string // the event, "" when it is none's
	What string
}

// OK reports whether every promise was kept.
func (v *Verdict) OK() bool { return len(v.Violations) == 0 }

// fate is all that happened to one event.
type fate struct {
	records, messages, waiting, due int
	replays                         map[string]bool   // of its dead letters that are worth a message more
	dead                            map[string]string // id -> reason, but for what failed after it was accepted
}

// Check compares what was produced with what came of it.
func Check(h *History) *Verdict {
	v := &Verdict{}
	fates := h.fates()
	for _, ref := range slices.Sorted(maps.Keys(fates)) {
		v.judge(h, ref, fates[ref])
	}
	for _, c := range h.Commits {
		if c.Topic == h.Topic && c.Committed != c.End {
			v.Uncommitted += c.End - c.Committed
			v.violation("", "%s/%d: committed %d, the log ends at %d", c.Topic, c.Partition, c.Committed, c.End)
		}
		if c.Committed > c.End {
			v.violation("", "%s/%d: committed %d, beyond the log's end %d", c.Topic, c.Partition, c.Committed, c.End)
		}
	}
	return v
}

// fates gathers the history by event.
func (h *History) fates() map[string]*fate {
	fates := map[string]*fate{}
	at := func(ref string) *fate {
		f := fates[ref]
		if f == nil {
			f = &fate{dead: map[string]string{}, replays: map[string]bool{}}
			fates[ref] = f
		}
		return f
	}
	committed := map[int]int64{} // by all groups
	for _, c := range h.Commits {
		if at, ok := committed[c.Partition]; c.Topic == h.Topic && (!ok || c.Committed < at) {
			committed[c.Partition] = c.Committed
		}
	}
	arrived := map[string]bool{} // at Twilio, by the letter of what wasn't delivered then
	for _, d := range h.Dead {
		arrived[d.ID] = arrived[d.ID] || d.Reason == NotDelivered
	}
	for _, r := range h.Records {
		f := at(r.Ref)
		letter, _, _ := strings.Cut(r.Replay, "/")
		switch {
		case r.Replay == "":
			f.records++
		case arrived[letter]:
			f.replays[r.Replay] = true
		}
		if r.Offset >= committed[r.Partition] {
			f.waiting++
		}
	}
	for _, m := range h.Messages {
		at(m.Ref).messages++
	}
	for _, d := range h.Dead {
		if d.Reason != NotDelivered { // see CheckStatuses
			at(d.Ref).dead[d.ID] = d.Reason
		}
	}
	for _, r := range h.Retries {
		if !r.Done {
			at(r.Ref).due++
		}
	}
	return fates
}

func (v *Verdict) judge(h *History, ref string, f *fate) {
	v.Accepted += f.messages
	v.DeadLetters += len(f.dead)
	if f.due > 0 {
		v.Due++
	}
	if ref == "" || f.records == 0 {
		v.violation(ref, "%d messages, %d dead letters for something that was never produced", f.messages, len(f.dead))
		return
	}
	v.Events++
	kind := kinds[ref[0]]
	want := 0
	switch kind {
	case Plain:
		want = 1
	case Anonymous:
		want = f.records
	}
	want = want*max(1, h.PerEvent) + len(f.replays)
	if more := f.messages - want; more > 0 {
		v.Twice += more
		v.violation(ref, "%d messages where %d should be", f.messages, want)
	}
	wrong := false
	for _, reason := range f.dead {
		wrong = wrong || reason != kind.Reason()
	}
	if wrong {
		v.WrongDead++
		v.violation(ref, "a wrong dead letter for an event that is %s: %s", kind, strings.Join(slices.Sorted(maps.Values(f.dead)), ", "))
	}
	accounted := f.messages + f.due + f.waiting
	if kind.Reason() != "" {
		want = max(1, h.PerEvent)
	}
	if missing := want - accounted - len(f.dead); missing > 0 {
		v.Lost += missing
		v.violation(ref, "neither a message, nor a dead letter, nor a retry that is due")
	}
}

func (v *Verdict) violation(ref, format string, args ...any) {
	v.Violations = append(v.Violations, Violation{ref, fmt.Sprintf(format, args...)})
}

// Tell prints all that is known of one event, in the order of time.
func (h *History) Tell(w io.Writer, ref string) {
	type moment struct {
		at   time.Time
		text string
	}
	var story []moment
	add := func(at time.Time, format string, args ...any) {
		story = append(story, moment{at, fmt.Sprintf(format, args...)})
	}
	shards, to := map[int]bool{}, ""
	for _, r := range h.Records {
		if r.Ref == ref {
			shards[r.Partition] = true
			add(r.At, "produced to %s/%d at %d", r.Topic, r.Partition, r.Offset)
		}
	}
	for _, m := range h.Messages {
		if m.Ref == ref {
			to = m.To
			add(m.At, "ACCEPTED as %s (request read %s before)%s", m.SID, m.At.Sub(m.Received).Round(time.Millisecond), suffix(", then ", m.Fault))
		}
	}
	for _, r := range h.Requests {
		if r.Ref == ref {
			to = cmp.Or(to, r.To)
			add(r.At, "request to the vendor: %s after %s", answer(r.Status), r.Ended.Sub(r.At).Round(time.Millisecond))
		}
	}
	for _, e := range h.Ledger {
		if e.Ref == ref {
			add(e.At, "ledger: %s%s, generation %d, at %d/%d", e.State, suffix(" ", e.SID), e.Generation, e.Partition, e.Offset)
		}
	}
	for _, d := range h.Dead {
		if d.Ref == ref {
			add(d.At, "dead letter: %s: %s", d.Reason, d.Message)
		}
	}
	for _, r := range h.Retries {
		if r.Ref == ref {
			add(r.At, "retry in %s/%d at %d, due %s, because of %s%s", r.Topic, r.Partition, r.Offset, r.Due, r.Reason, map[bool]string{true: "", false: ", still open"}[r.Done])
		}
	}
	if len(story) == 0 {
		return
	}
	order := func(a, b moment) int { return a.at.Compare(b.at) }
	slices.SortStableFunc(story, order)
	// Around it: who owned the shard, what was broken, what the list was asked.
	from, until := story[0].at.Add(-time.Second), story[len(story)-1].at.Add(time.Second)
	for _, o := range h.Owners {
		if shards[o.Shard] && o.From.Before(until) && (o.Until.IsZero() || o.Until.After(from)) {
			add(o.From, "shard %d is %s's, generation %d", o.Shard, o.Replica, o.Generation)
			if !o.Until.IsZero() {
				add(o.Until, "shard %d is given up by %s", o.Shard, o.Replica)
			}
		}
	}
	for _, f := range h.Faults {
		if f.At.After(from) && f.At.Before(until) {
			add(f.At, "-- %s", f.What)
		}
	}
	for _, r := range h.Requests {
		if r.Method == "GET" && to != "" && r.To == to && r.At.After(from) && r.At.Before(until) {
			add(r.At, "the list is asked for the recipient: %s after %s", answer(r.Status), r.Ended.Sub(r.At).Round(time.Millisecond))
		}
	}
	slices.SortStableFunc(story, order)
	fmt.Fprintf(w, "  %s\n", ref)
	for _, m := range story {
		fmt.Fprintf(w, "    %s  %s\n", m.at.Format("15:04:05.000"), m.text)
	}
}

func suffix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func answer(status int) string {
	if status == 0 {
		return "no answer"
	}
	return fmt.Sprintf("answered %d", status)
}
