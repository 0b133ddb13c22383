package main

import (
	"fmt"
	"slices"
	"testing"

	"engage-worker/test/chaos/evidence"
)

// TestMeasureRolling: what the action that comes and goes missed in the middle, sent twice
// or buried for nothing is found, and what it had from one offset to another is in order.
func TestMeasureRolling(t *testing.T) {
	const events, from = 4000, 1501
	begun := func() *evidence.History {
		h := &evidence.History{Topic: "source"}
		for i := range events {
			ref := fmt.Sprintf("p-%06d", i)
			h.Records = append(h.Records, evidence.Record{Ref: ref, At: at(0), Place: evidence.Place{Topic: "source", Partition: i % 2, Offset: int64(i / 2)}})
			h.Messages = append(h.Messages, evidence.Message{Ref: ref})
			if i >= from+i%2*100 {
				h.Messages = append(h.Messages, evidence.Message{Ref: ref, Action: secondAction})
			}
		}
		return h
	}
	last := func(h *evidence.History) *evidence.Message { return &h.Messages[len(h.Messages)-1] }
	for _, c := range []struct {
		name   string
		change func(*evidence.History)
		faults []string
	}{
		{"in order", func(*evidence.History) {}, nil},
		{"the last waits", func(h *evidence.History) {
			ref := last(h).Ref
			h.Messages = h.Messages[:len(h.Messages)-1]
			h.Retries = append(h.Retries, evidence.Retry{Ref: ref, Action: secondAction})
		}, nil},
		{"one missed", func(h *evidence.History) {
			h.Messages = slices.DeleteFunc(h.Messages, func(m evidence.Message) bool { return m.Ref == "p-003000" && m.Action == secondAction })
		}, []string{"second-sms: shard 0: it has p-001502 at 751 and p-003998 at 1999, and not p-003000 at 1500 between"}},
		{"twice", func(h *evidence.History) { h.Messages = append(h.Messages, *last(h)) }, []string{"second-sms: 2 messages for p-003999"}},
		{"buried", func(h *evidence.History) {
			h.Dead = append(h.Dead, evidence.Dead{Ref: "p-003999", Action: secondAction, Reason: "mapping_failed", Message: "why"})
		}, []string{"second-sms: p-003999 has a dead letter because of mapping_failed: why"}},
		{"buried, as it is gone", func(h *evidence.History) {
			h.Faults = append(h.Faults, evidence.Fault{At: at(1), What: removed})
			h.Dead = append(h.Dead, evidence.Dead{Ref: "p-003999", At: at(2), Action: secondAction + "-again", Reason: "mapping_failed"})
		}, nil},
		{"gone in the end", func(h *evidence.History) {
			h.Messages = slices.DeleteFunc(h.Messages, func(m evidence.Message) bool { return m.Ref >= "p-003500" && m.Action == secondAction })
		}, nil},
		{"never begun", func(h *evidence.History) { *h = *h.Without(secondAction) }, []string{"second-sms has 0 of 4000 events: nothing is shown"}},
	} {
		h := begun()
		c.change(h)
		if _, faults := measureRolling(nil, h); !slices.Equal(faults, c.faults) {
			t.Errorf("%s: %q, want %q", c.name, faults, c.faults)
		}
	}
	h := begun()
	if rest := h.Without(secondAction); len(rest.Messages) != events {
		t.Errorf("%d messages of the other action", len(rest.Messages))
	}
}
