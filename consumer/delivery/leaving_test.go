package delivery_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/ledger"
	"engage-worker/ratelimit"
)

// TestLeavesInTime: whatever keeps a request from leaving, it doesn't leave when
// nobody counts on it any more: its lease is over, or its intent so old that the
// list's silence already counts.
func TestLeavesInTime(t *testing.T) {
	for _, c := range []struct {
		name       string
		due, lives time.Duration // when the event comes, and until when the owner commits
		frozen     time.Duration
	}{
		{"frozen until the lease is over", 5 * time.Second, 1500 * time.Millisecond, requestTimeout - time.Second},
		{"frozen for longer than a request may take", 0, 20 * time.Second, requestTimeout + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(plan{Renamed: 9, Texts: []int{0}, Tenures: []tenure{{Ends: cutOff, After: c.lives, Unaware: 40 * time.Second}}})
				w.records[0].due = w.start.Add(c.due)
				froze := false
				w.onSend = func(o *owner, _ *twilio.Message) answer {
					w.mu.Lock()
					defer w.mu.Unlock()
					if o.generation == 1 {
						froze, o.tenure.FreezeAt, o.tenure.Freeze = true, o.steps+1, c.frozen // before it leaves
					}
					return answer{Kind: accepts}
				}
				for _, fault := range run(w) {
					t.Error(fault)
				}
				if !froze {
					t.Error("the first owner never came that far")
				}
			})
		})
	}
	t.Run("waits for others to try the account", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			first, second := newWorld(plan{Renamed: 9, Texts: make([]int, 8)}), newWorld(plan{Renamed: 9, Texts: []int{0}})
			doors := ratelimit.NewDoors(meters, zerolog.Nop())
			first.doors, second.doors = doors, doors
			first.onSend = func(*owner, *twilio.Message) answer { return answer{Kind: swallows} }
			second.onSend = func(*owner, *twilio.Message) answer { return answer{Kind: accepts, Connect: 200 * time.Millisecond} }
			a, b := newOwner(first, 1, tenure{}, nil), newOwner(second, 1, tenure{}, nil)
			a.begin()
			time.Sleep(1100 * time.Millisecond) // all eight are under way
			b.begin()
			time.Sleep(2 * requestTimeout)
			for _, o := range []*owner{a, b} {
				close(o.world.over)
				o.stop()
			}
			if n := second.vendor.taken(body(0)); n != 1 || len(second.faults) > 0 {
				t.Errorf("sent %d times: %q\n%s", n, second.faults, strings.Join(second.trail, "\n"))
			}
		})
	})
}

// TestSentOnceMoreByTheSettings: the settings have what is unknown sent again,
// and then the former owner's word comes that it was sent. Nothing is left to do.
func TestSentOnceMoreByTheSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := appending{Kind: taken, After: 2 * time.Millisecond}
		w := newWorld(plan{Renamed: 9, Texts: []int{0}, Tenures: []tenure{{Ends: killed, After: 1900 * time.Millisecond}}})
		w.tune = func(c *delivery.Config) { c.ResendUnknown = true }
		w.onList = func(string) listing { return listing{Status: 403} }
		w.onSend = func(o *owner, _ *twilio.Message) answer {
			return answer{Kind: accepts, Reply: time.Duration(o.generation-1) * 4 * time.Second}
		}
		w.onWrite = func(generation int32, rs []ledger.Record) appending {
			if generation == 1 && holds(rs, "m0", ledger.Sent) {
				return appending{Kind: late, After: 12 * time.Second}
			}
			return well
		}
		run(w)
		if !w.settled() || len(w.letters) > 0 || w.vendor.taken(body(0)) != 2 {
			t.Errorf("settled: %t, %d dead letters, sent %d times\n%s", w.settled(), len(w.letters), w.vendor.taken(body(0)), strings.Join(w.trail, "\n"))
		}
	})
}
