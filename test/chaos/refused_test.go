package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"engage-worker/test/chaos/evidence"
)

// TestMeasureRefused: what died of the refused sender is bounded, and pardoned;
// what died of anything else isn't.
func TestMeasureRefused(t *testing.T) {
	history := func(asked, dead int, reason string) *evidence.History {
		h := &evidence.History{Topic: "events"}
		for range asked {
			h.Requests = append(h.Requests, evidence.Request{Method: http.MethodPost, Status: http.StatusUnauthorized, At: time.Now()})
		}
		for i := range dead {
			ref := "p-00000" + string(rune('0'+i))
			h.Records = append(h.Records, evidence.Record{Ref: ref})
			h.Dead = append(h.Dead, evidence.Dead{Ref: ref, ID: ref, Reason: reason})
		}
		h.Commits = []evidence.Commit{{Topic: "events", Committed: 9, End: 9}}
		return h
	}
	r := &run{all: make([]*replica, 2)}
	for _, c := range []struct {
		name       string
		h          *evidence.History
		faults     []string
		violations int
	}{
		{"as it should be", history(10, 8, senderRejected), nil, 0},
		{"too many asked", history(41, 1, senderRejected), []string{"41 requests were refused with the key, at most 40 should be"}, 0},
		{"none asked", history(0, 1, senderRejected), []string{"0 requests were refused with the key, at most 40 should be"}, 0},
		{"too many dead", history(1, 9, senderRejected), []string{"9 messages died of the refused sender, at most 8 should"}, 0},
		{"dead of the key", history(1, 2, "account_rejected"), nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, faults := measureRefused(r, c.h); !slices.Equal(faults, c.faults) {
				t.Errorf("%q, want %q", faults, c.faults)
			}
			if got := evidence.Check(c.h.Pardoned([]string{senderRejected})).Violations; len(got) != c.violations {
				t.Errorf("%v, want %d", got, c.violations)
			}
			if got := evidence.Check(c.h).Violations; len(got) != len(c.h.Dead) {
				t.Errorf("without a pardon: %v", got)
			}
		})
	}
}
