package evidence

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Without is the history without an action, by any name that begins as its own.
func (h *History) Without(action string) *History {
	rest := *h
	rest.Messages = slices.DeleteFunc(slices.Clone(h.Messages), func(m Message) bool { return m.Action == action })
	rest.Dead = slices.DeleteFunc(slices.Clone(h.Dead), func(d Dead) bool { return strings.HasPrefix(d.Action, action) })
	rest.Retries = slices.DeleteFunc(slices.Clone(h.Retries), func(r Retry) bool { return strings.HasPrefix(r.Action, action) })
	return &rest
}

// Pardoned is the history in which the dead letters for these reasons are what is
// expected of their events.
func (h *History) Pardoned(reasons []string) *History {
	if len(reasons) == 0 {
		return h
	}
	rest := *h
	rest.Dead = slices.Clone(h.Dead)
	for i := range rest.Dead {
		if d := &rest.Dead[i]; slices.Contains(reasons, d.Reason) && d.Ref != "" {
			d.Reason = kinds[d.Ref[0]].Reason()
		}
	}
	return &rest
}

// Took is how long a sender's messages took from production to acceptance, of the
// events that were produced between two moments; sorted.
func (h *History) Took(between [2]time.Time, sender string) (took []time.Duration) {
	produced := map[string]time.Time{}
	for _, rec := range h.Records {
		if _, ok := produced[rec.Ref]; !ok && rec.At.After(between[0]) && rec.At.Before(between[1]) {
			produced[rec.Ref] = rec.At
		}
	}
	for _, m := range h.Messages {
		if at, ok := produced[m.Ref]; ok && m.Sender == sender {
			took = append(took, m.At.Sub(at))
		}
	}
	slices.Sort(took)
	return took
}

// JudgedBefore reports whether an event was settled well before the schedule did
// something, if it did. One that waits behind another of its key is judged later, and
// one of which a request was in doubt may be in doubt still.
func (h *History) JudgedBefore(what, ref string) bool {
	i := slices.IndexFunc(h.Faults, func(f Fault) bool { return f.What == what })
	if i >= 0 && slices.ContainsFunc(h.Requests, func(r Request) bool { return r.Ref == ref && r.Status != http.StatusCreated }) {
		return false
	}
	return i < 0 || slices.ContainsFunc(h.Messages, func(m Message) bool {
		return m.Ref == ref && m.Action == "" && m.At.Before(h.Faults[i].At.Add(-5*time.Second))
	})
}

// After reports whether it was after the schedule did something.
func (h *History) After(what string, at time.Time) bool {
	return slices.ContainsFunc(h.Faults, func(f Fault) bool { return f.What == what && at.After(f.At) })
}
