package ledger

import (
	"slices"
	"testing"
	"time"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tags  = Tags{Recipient: 7, Body: 9}
)

// TestAnIntentInDoubtOutlivesItsOlderRecords: forgetting what a delivery's
// first attempt left, a retention ago, leaves alone what is known of its latest.
func TestAnIntentInDoubtOutlivesItsOlderRecords(t *testing.T) {
	x := newIndex(8 * time.Hour)
	k, other := x.keys.of(key(1)), x.keys.of(key(2))
	x.put(k, Entry{State: Intent, Time: epoch, Tags: tags}, epoch)
	later := epoch.Add(7 * time.Hour)
	x.put(k, Entry{State: Intent, Time: later, Tags: tags}, later)
	if x.len() != 1 {
		t.Errorf("%d entries for one delivery", x.len())
	}
	now := epoch.Add(10 * time.Hour)
	x.put(other, Entry{State: Sent, Time: now}, now) // forgets the first bucket
	if got := x.bodies(func(o Doubt) bool { return o.Tags.Recipient == tags.Recipient }, other); !slices.Equal(got, []uint32{tags.Body}) {
		t.Errorf("in doubt to the recipient: %v, want the one", got)
	}
	if e, ok := x.get(k); !ok || e.State != Intent || !e.Time.Equal(later) {
		t.Errorf("%+v, %t", e, ok)
	}
}

// TestTheMarkOfWhatWasSent is kept beside the largest position, and by what
// stands in the log again.
func TestTheMarkOfWhatWasSent(t *testing.T) {
	x := newIndex(time.Hour)
	for n, e := range []Entry{
		{State: Sent, SID: "SM1", Mark: 1, Position: Position{1<<29 - 1, 1<<47 - 1}},
		{State: Sent, SID: "SM2", Mark: 0xffff, Position: Position{0, 0}},
		{State: Sent, SID: "SM3", Position: Position{7, 9}},
	} {
		e.Time = epoch
		k := x.keys.of(key(n))
		x.put(k, e, epoch)
		e.SID, e.Time = "", time.Time{} // aren't kept
		if got, ok := x.get(k); !ok || got != e {
			t.Errorf("%+v, %t; want %+v", got, ok, e)
		}
	}
}

// TestAClockAheadDoesNotStopForgetting: an entry dated in the future is kept
// for the retention, and doesn't keep all that follows it.
func TestAClockAheadDoesNotStopForgetting(t *testing.T) {
	x := newIndex(8 * time.Hour)
	x.put(x.keys.of(key(0)), Entry{State: Sent, Time: epoch.Add(1000 * time.Hour)}, epoch)
	for n := range 100 {
		now := epoch.Add(time.Duration(n) * time.Hour)
		x.put(x.keys.of(key(n)), Entry{State: Sent, Time: now}, now)
	}
	if n := x.len(); n > 12 {
		t.Errorf("%d entries are kept, an hour apart, for 8 hours", n)
	}
}

// TestAFormerOwnersRefusalDoesNotSettleAnIntent: who lost the shard while it
// was frozen knows nothing of the request that its next owner made.
func TestAFormerOwnersRefusalDoesNotSettleAnIntent(t *testing.T) {
	for _, late := range []State{Refused, Dead} {
		x := newIndex(time.Hour)
		k := x.keys.of(key(1))
		x.put(k, Entry{State: Intent, Time: epoch, Generation: 5, Tags: tags}, epoch)
		if x.put(k, Entry{State: late, Time: epoch, Generation: 4}, epoch) {
			t.Errorf("%v of generation 4 was stored over the intent of generation 5", late)
		}
		if e, _ := x.get(k); e.State != Intent || len(x.bodies(func(o Doubt) bool { return o.Tags.Recipient == tags.Recipient }, Key{})) != 1 {
			t.Errorf("after %v of generation 4: %+v", late, e)
		}
		if x.put(k, Entry{State: late, Time: epoch, Generation: 5}, epoch); len(x.open) != 0 {
			t.Errorf("%v of its own generation doesn't settle it", late)
		}
		x.put(k, Entry{State: Intent, Time: epoch, Generation: 6, Tags: tags}, epoch)
		if x.put(k, Entry{State: Sent, SID: "SM1", Time: epoch, Generation: 4}, epoch); !x.hasClaimed("SM1") {
			t.Error("a former owner's sent counts whenever it comes")
		}
	}
}
