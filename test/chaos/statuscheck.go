package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// notDelivered is the reason of a letter of what failed after it was accepted.
const notDelivered = "not_delivered"

// Status is a record of the status topic.
type Status struct {
	SID    string `json:"sid"`
	Status string `json:"status"`
	Code   int    `json:"code,omitempty"`
	By     string `json:"by,omitempty"`
	Place
}

// collectStatuses reads a destination's status topic.
func (r *run) collectStatuses(ctx context.Context, h *History, destination string) error {
	var errs []error
	err := r.read(ctx, r.cfg.StatusTopic(destination), func(m kafka.Message) {
		if m.Value == nil {
			return
		}
		rec, err := status.ParseRecord(m.Value)
		errs = append(errs, err)
		h.Statuses = append(h.Statuses, Status{rec.SID, rec.Status.String(), rec.Code, string(rec.By), place(m)})
	})
	return errors.Join(append(errs, err)...)
}

// collectDead reads the dead letters.
func (r *run) collectDead(ctx context.Context, h *History) error {
	var errs []error
	err := r.read(ctx, r.cfg.DeadLetterTopic(), func(m kafka.Message) {
		d, err := deadletter.Decode(m)
		if err != nil {
			errs = append(errs, err)
			return
		}
		h.Dead = append(h.Dead, Dead{refOf(m.Value), m.Time, d.ID(), d.Action, d.Reason, d.Message, d.TwilioSID, d.TwilioCode, d.Replays, place(m)})
	})
	return errors.Join(append(errs, err)...)
}

// lastStatuses are the last records of each message, by SID.
func (h *History) lastStatuses() map[string]Status {
	last := map[string]Status{}
	for _, s := range h.Statuses {
		if of, ok := last[s.SID]; !ok || of.Partition == s.Partition && of.Offset < s.Offset {
			last[s.SID] = s
		}
	}
	return last
}

// letter is what readers fold by: of each failure there is one.
type letter struct {
	id      string
	replays int
}

// CheckStatuses compares what is known of each message with what became of it:
// its status and code are the simulator's, and one that failed has one dead letter,
// with that code. It returns what is wrong, in words, with an example each.
func CheckStatuses(h *History) (faults []string) {
	wrong := map[string][]string{}
	fault := func(what, format string, args ...any) {
		wrong[what] = append(wrong[what], fmt.Sprintf(format, args...))
	}
	found := map[string]map[letter]int{} // the codes of the letters, by SID
	for _, d := range h.Dead {
		if d.Reason == notDelivered {
			if d.Ref == "" {
				fault("dead letters without their event", "%s: %s", d.SID, d.Message)
			}
			if found[d.SID] == nil {
				found[d.SID] = map[letter]int{}
			}
			found[d.SID][letter{d.ID, d.Replays}] = d.Code
		}
	}
	last := h.lastStatuses()
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

// measureStatus judges the statuses, and tells who told of them.
func measureStatus(r *run, h *History) (grades, faults []string) {
	faults = CheckStatuses(h)
	by, failed, letters, replays := map[string]int{}, 0, map[letter]bool{}, map[string]bool{}
	for _, s := range h.lastStatuses() {
		by[s.By]++
	}
	for _, m := range h.Messages {
		if m.Code != 0 {
			failed++
		}
	}
	for _, d := range h.Dead {
		if d.Reason == notDelivered {
			letters[letter{d.ID, d.Replays}] = true
		}
	}
	for _, rec := range h.Records {
		replays[rec.Replay] = true
	}
	delete(replays, "") // what is no replay
	calls := r.vendor.sim.Stats().Callbacks
	grades = append(grades,
		fmt.Sprintf("%d messages: the last status told by callbacks of %d, by Twilio's answer of %d; %d failed, %d dead letters; %d replays",
			len(h.Messages), by["callback"], by["sweep"], failed, len(letters), len(replays)))
	if len(replays) == 0 {
		faults = append(faults, "nothing was replayed")
	}
	if r.front == nil {
		if by["sweep"] != len(h.Messages) {
			faults = append(faults, fmt.Sprintf("told by %v, without a receiver", by))
		}
		return grades, faults
	}
	grades = append(grades, fmt.Sprintf("callbacks: %d answered, %d lost on the way, %d given up by Twilio; forged ones: %d refused, %d met no receiver",
		calls.Answered, calls.Lost, calls.Failed, r.forged.refused, r.forged.other))
	if by["callback"] == 0 || by["sweep"] == 0 || calls.Failed == 0 || r.forged.refused < 100 {
		faults = append(faults, "that shows nothing: "+grades[0]+"; "+grades[1])
	}
	return grades, faults
}
