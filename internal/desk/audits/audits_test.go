package audits

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
)

// What is said of letters goes with them, and what is said of others stays.
func TestRetain(t *testing.T) {
	states, audits := deadletter.NewStates(nil), New()
	refs := make([]deadletter.Ref, 10)
	for n := range refs {
		l := &deadletter.Record{Topic: "events", Offset: int64(n), Destination: "onboarding", Action: "welcome-sms", MessageID: fmt.Sprint("m", n), Replays: n % 2}
		refs[n] = states.Add(l)
		letter, _ := refs[n].Letter()
		if l.Replays > 0 {
			audits.Died(letter, l.Replays)
		}
		audits.Take(&Entry{
			Audit: deadletter.Audit{ID: l.ID(), Replay: l.Replays + 1, Plan: "p", Series: "p", State: deadletter.Published, At: time.Unix(1, 0)},
			Place: reread.Place{Partition: 1, Offset: int64(n)},
		}, letter)
	}
	kept := slices.Values(refs[:4])
	audits.Retain(kept)
	if n := audits.marks.Len(); n != 6 { // four replays, and two deaths before them
		t.Errorf("%d marks", n)
	}
	if got, want := fmt.Sprint(audits.Places(slices.Values(refs))), "[{1 0} {1 1} {1 2} {1 3}]"; got != want {
		t.Errorf("the record speaks of them at %s, want %s", got, want)
	}
	if by, other := audits.ReplayedBy(refs[0]), audits.ReplayedBy(refs[9]); by != audits.Number("p") || by == 0 || other != 0 {
		t.Errorf("replayed by %d and %d", by, other)
	}
}
