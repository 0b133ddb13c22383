package evidence

import (
	"cmp"
	"fmt"
	"slices"
)

// NotDelivered is the reason of a letter of what failed after it was accepted.
const NotDelivered = "not_delivered"

// Status is a record of the status topic.
type Status struct {
	SID    string `json:"sid"`
	Status string `json:"status"`
	Code   int    `json:"code,omitempty"`
	By     string `json:"by,omitempty"`
	Place
}

// LastStatuses are the last records of each message, by SID.
func (h *History) LastStatuses() map[string]Status {
	last := map[string]Status{}
	for _, s := range h.Statuses {
		if of, ok := last[s.SID]; !ok || of.Partition == s.Partition && of.Offset < s.Offset {
			last[s.SID] = s
		}
	}
	return last
}

// Letter is what readers fold by: of each failure there is one.
type Letter struct {
	ID      string
	Replays int
}

// CheckStatuses compares what is known of each message with what became of it:
// its status and code are the simulator's, and one that failed has one dead letter,
// with that code. It returns what is wrong, in words, with an example each.
func CheckStatuses(h *History) (faults []string) {
	wrong := map[string][]string{}
	fault := func(what, format string, args ...any) {
		wrong[what] = append(wrong[what], fmt.Sprintf(format, args...))
	}
	found := map[string]map[Letter]int{} // the codes of the letters, by SID
	for _, d := range h.Dead {
		if d.Reason == NotDelivered {
			if d.Ref == "" {
				fault("dead letters without their event", "%s: %s", d.SID, d.Message)
			}
			if found[d.SID] == nil {
				found[d.SID] = map[Letter]int{}
			}
			found[d.SID][Letter{d.ID, d.Replays}] = d.Code
		}
	}
	last := h.LastStatuses()
	for _, m := range h.Messages {
		want, got := cmp.Or(m.End, "delivered"), last[m.SID]
		if got.Status != want || got.Code != m.Code {
			fault("messages whose status isn't the simulator's", "%s %s: %s %d, want %s %d", m.Ref, m.SID, cmp.Or(got.Status, "none"), got.Code, want, m.Code)
		}
		letters := found[m.SID]
		delete(found, m.SID)
		switch failed := m.Code != 0; {
		case failed && len(letters) == 0:
			fault("failures without a dead letter", "%s %s", m.Ref, m.SID)
		case failed && len(letters) > 1:
			fault("failures with several dead letters", "%s %s: %v", m.Ref, m.SID, letters)
		case !failed && len(letters) > 0:
			fault("dead letters of what was delivered", "%s %s: %v", m.Ref, m.SID, letters)
		}
		for _, code := range letters {
			if code != m.Code {
				fault("dead letters with another code", "%s %s: %d, want %d", m.Ref, m.SID, code, m.Code)
			}
		}
	}
	for sid, letters := range found {
		fault("dead letters of no message", "%s: %v", sid, letters)
	}
	for what, all := range wrong {
		faults = append(faults, fmt.Sprintf("%d %s, as %s", len(all), what, slices.Min(all)))
	}
	slices.Sort(faults)
	return faults
}
