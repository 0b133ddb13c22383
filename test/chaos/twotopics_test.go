package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"engage-worker/test/chaos/evidence"
)

// TestMeasureTwoTopics: each event of the other topic has one message, and
// somebody says that there are two topics.
func TestMeasureTwoTopics(t *testing.T) {
	const lost, twice = "the other topic: 300 events, 1 lost, 0 sent twice", "the other topic: 300 events, 0 lost, 1 sent twice"
	for _, c := range []struct {
		name   string
		change func(h *evidence.History)
		said   string
		faults []string
	}{
		{"as it should be", func(*evidence.History) {}, twoSaid, nil},
		{"nothing is said", func(*evidence.History) {}, "", []string{"no replica's log says that the group has two topics"}},
		{"one is lost", func(h *evidence.History) { h.Messages = h.Messages[1:] }, twoSaid, []string{lost}},
		{"one is sent twice", func(h *evidence.History) { h.Messages = append(h.Messages, h.Messages[0]) }, twoSaid, []string{twice}},
		{"what the others' replicas send isn't theirs", func(h *evidence.History) { h.Messages[0].Action = "" }, twoSaid, []string{lost}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &evidence.History{}
			for n := range otherEvents {
				h.Messages = append(h.Messages, evidence.Message{Ref: otherRef(n), Action: secondAction})
			}
			c.change(h)
			w := &replica{log: filepath.Join(t.TempDir(), "log")}
			if err := os.WriteFile(w.log, []byte(c.said), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, faults := measureTwoTopics(&run{all: []*replica{w}}, h); !slices.Equal(faults, c.faults) {
				t.Errorf("%q, want %q", faults, c.faults)
			}
		})
	}
}
