package ledger

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSegmentsChangeNothing plays steps on two indexes, of which one makes
// segments all the time and the other none.
func TestSegmentsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, sealed := newIndex(7*24*time.Hour), newIndex(7*24*time.Hour)
		sealed.keys, sealed.sids = plain.keys, plain.sids
		sealed.length = rapid.IntRange(1, 5).Draw(t, "length")
		now := epoch
		for step := range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 60, 600, 6000}).Draw(t, "minutes")) * time.Minute)
			k := plain.keys.of(key(rapid.IntRange(0, 20).Draw(t, "delivery")))
			e := Entry{
				State: rapid.SampledFrom([]State{Intent, Sent, Sent, Refused, Dead}).Draw(t, "state"), Generation: rapid.Int32Range(1, 3).Draw(t, "generation"),
				Time:     now.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "late")) * time.Minute),
				Position: Position{rapid.IntRange(3, 4).Draw(t, "partition"), rapid.SampledFrom([]int64{0, 1, 7, 1 << 29, 1 << 30, 1 << 31, 1 << 50}).Draw(t, "offset")},
			}
			if e.State == Sent {
				e.SID, e.Mark = fmt.Sprint("SM", rapid.IntRange(0, 30).Draw(t, "sid")), Mark(rapid.Uint16().Draw(t, "mark"))
			}
			if a, b := plain.put(k, e, now), sealed.put(k, e, now); a != b {
				t.Fatalf("step %d: %+v was stored: %t in tables, %t with segments", step, e, a, b)
			}
			for n := range 21 {
				k := plain.keys.of(key(n))
				a, known := plain.get(k)
				if b, ok := sealed.get(k); a != b || known != ok {
					t.Fatalf("step %d: delivery %d is %+v, %t in tables; %+v, %t with segments", step, n, a, known, b, ok)
				}
			}
			for n := range 31 {
				sid := fmt.Sprint("SM", n)
				if a, b := plain.hasClaimed(sid), sealed.hasClaimed(sid); a != b {
					t.Fatalf("step %d: %s is claimed: %t in tables, %t with segments", step, sid, a, b)
				}
			}
		}
	})
}

// TestSIDsAreForgottenAfterTheLastDoubt: and not while a delivery in doubt
// may come upon one.
func TestSIDsAreForgottenAfterTheLastDoubt(t *testing.T) {
	const day = 24 * time.Hour
	x := newIndex(8 * day)
	put := func(n int, state State, sid string, at time.Time) {
		x.put(x.keys.of(key(n)), Entry{State: state, SID: sid, Time: at}, at)
	}
	put(0, Sent, "SM0", epoch)
	put(1, Intent, "", epoch.Add(day))
	for n := range 6 {
		put(2+n, Sent, fmt.Sprint("SM", 2+n), epoch.Add(time.Duration(1+n)*day+time.Hour))
	}
	if !x.hasClaimed("SM0") {
		t.Error("a SID from before a delivery in doubt is forgotten")
	}
	put(1, Refused, "", epoch.Add(7*day))
	put(8, Sent, "SM8", epoch.Add(7*day+2*time.Hour))
	put(9, Sent, "SM9", epoch.Add(8*day+time.Hour))
	for sid, want := range map[string]bool{"SM0": false, "SM4": false, "SM8": true, "SM9": true} {
		if x.hasClaimed(sid) != want {
			t.Errorf("%s is known: %t", sid, !want)
		}
	}
	for n := range 10 {
		if _, ok := x.get(x.keys.of(key(n))); !ok {
			t.Errorf("delivery %d is forgotten with its SID", n)
		}
	}
}
