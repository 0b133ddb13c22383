package delivery_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/ledger"
	"engage-worker/ratelimit"
)

// TestWhoWaitsForItsLedgerKeepsNobodyBack: of an account of which nothing was
// heard lately only a few are tried at a time. Who can't write its intent isn't
// one of them.
func TestWhoWaitsForItsLedgerKeepsNobodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck, well := newWorld(plan{Renamed: 9, Texts: make([]int, 20)}), newWorld(plan{Renamed: 9, Texts: []int{0}})
		doors := ratelimit.NewDoors(meters, zerolog.Nop())
		stuck.doors, well.doors = doors, doors
		stuck.onWrite = func(int32, []ledger.Record) appending { return appending{Kind: hanging} }
		first, second := newOwner(stuck, 1, tenure{}, nil), newOwner(well, 1, tenure{}, nil)
		first.begin()
		time.Sleep(2 * time.Second) // all of them wait for it
		second.begin()
		time.Sleep(3 * commitInterval)
		stuck.mu.Lock()
		begun := len(first.begun)
		stuck.mu.Unlock()
		well.mu.Lock()
		sent := well.settled()
		well.mu.Unlock()
		if begun != 20 || !sent {
			t.Errorf("%d wait for their ledger, and another shard's message is sent: %t", begun, sent)
		}
		for _, o := range []*owner{first, second} {
			close(o.world.over)
			o.stop()
		}
	})
}

// TestRefusedSender: a sender that is refused for five people is tried for one
// now and then, and the others' messages are held meanwhile, in place or, where
// there are other senders, in the retry topic. None dies of it, except those
// that were needed to find out.
func TestRefusedSender(t *testing.T) {
	for _, c := range []struct {
		name    string
		several bool // senders
		retried bool
	}{{name: "the only one"}, {name: "one of two", several: true, retried: true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(plan{Renamed: 9, Texts: make([]int, 9)})
				w.onSend = func(_ *owner, m *twilio.Message) answer {
					if m.From == "MG1" && time.Since(w.start) < 12*time.Second {
						return answer{Kind: refusesSender}
					}
					return answer{Kind: accepts}
				}
				w.decide = func(d *actions.Delivery) {
					n, _ := strconv.Atoi(d.MessageID[1:])
					m := *d.Message
					m.To = "+1415555010" + strconv.Itoa(n)
					if c.several && n == 8 {
						m.From = "MG2"
					}
					d.Message, d.Recipient = &m, m.To
				}
				for n, r := range w.records {
					r.due = time.Now().Add(time.Duration(n) * time.Second)
				}
				w.tune = func(cfg *delivery.Config) { cfg.SeveralSenders = c.several }
				for _, fault := range run(w) {
					t.Error(fault)
				}
				dead, retried := len(w.letters), 0
				for _, n := range w.retried {
					retried += n
				}
				if dead != 4 || w.vendor.taken(body(0)) != 5 || (retried > 0) != c.retried {
					t.Errorf("%d are dead, %d sent, %d went to a retry topic\n%s", dead, w.vendor.taken(body(0)), retried, strings.Join(w.trail, "\n"))
				}
			})
		})
	}
}

// TestAWrongSenderLeavesTheOthersAlone: one action's sender is refused for a minute. The
// other's messages take as long as if it weren't, by a clock that only they move.
func TestAWrongSenderLeavesTheOthersAlone(t *testing.T) {
	const n = 60
	tookOthers := func(t *testing.T, wrong bool) (took map[string]time.Duration, tries int) {
		took = map[string]time.Duration{}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(plan{Renamed: 9, Texts: make([]int, n)})
			due := map[string]time.Time{}
			for i, r := range w.records {
				r.due = time.Now().Add(time.Duration(i) * 500 * time.Millisecond)
				due[messageID(i)] = r.due
			}
			w.onSend = func(_ *owner, m *twilio.Message) answer {
				w.mu.Lock()
				defer w.mu.Unlock()
				switch id := m.Form[0].Value; {
				case m.From == "MG2":
					took[id] = time.Since(due[id])
				case wrong && time.Since(w.start) < time.Minute:
					tries++
					return answer{Kind: refusesSender}
				}
				return answer{Kind: accepts, Travel: 50 * time.Millisecond, Reply: 50 * time.Millisecond}
			}
			w.decide = func(d *actions.Delivery) {
				i, _ := strconv.Atoi(d.MessageID[1:])
				m := *d.Message
				m.To, m.From = fmt.Sprintf("+1415555%04d", i), []string{"MG1", "MG2"}[i%2]
				d.Message, d.Recipient = &m, m.To
			}
			w.tune = func(cfg *delivery.Config) { cfg.SeveralSenders = true }
			for _, fault := range run(w) {
				t.Error(fault)
			}
		})
		return took, tries
	}
	usual, _ := tookOthers(t, false)
	got, tries := tookOthers(t, true)
	if len(usual) != n/2 || len(got) != n/2 {
		t.Fatalf("%d and %d messages of the other sender", len(usual), len(got))
	}
	if tries < 5 || tries > 15 { // five to find out, and then one now and then
		t.Errorf("%d requests with the wrong sender", tries)
	}
	longest := func(took map[string]time.Duration) time.Duration {
		return slices.Max(slices.Collect(maps.Values(took)))
	}
	// It waits for the next look at what is due, and for a ledger's write of its own or another's.
	if a, b := longest(usual), longest(got); b > a+10*time.Millisecond {
		t.Errorf("they take up to %v, and %v while another sender is refused", a, b)
	}
}

// TestClosedForLongerThanAnEventMayWait: it isn't held until it is too old.
func TestClosedForLongerThanAnEventMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := ratelimit.NewDoors(meters, zerolog.Nop())
		pass, err := doors.Enter(t.Context(), ratelimit.Sender{Destination: "d"})
		if err != nil || !pass.Done(ratelimit.AccountRefused, "", ratelimit.Refusal{Code: 20003, Message: "no such key"}) {
			t.Fatalf("the account isn't closed: %v", err)
		}
		time.Sleep(time.Minute)
		w := newWorld(plan{Renamed: 9, Texts: []int{0}})
		w.doors = doors
		w.tune = func(cfg *delivery.Config) { cfg.MaxEventAge = 30 * time.Second }
		w.onSend = func(*owner, *twilio.Message) answer { return answer{Kind: refusesKey} }
		for _, fault := range run(w) {
			t.Error(fault)
		}
		all, took := w.letters["m0"], time.Since(w.start)
		if len(all) != 1 || all[0].Reason != "sender_rejected" || all[0].TwilioCode != 20003 || took > 10*time.Second {
			t.Errorf("after %v, dead letters: %+v", took, all)
		}
	})
}

// TestClosedWhileTheIntentIsWritten: the ledger says that it wasn't sent, as a
// refused key can't be used to ask Twilio.
func TestClosedWhileTheIntentIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := ratelimit.NewDoors(meters, zerolog.Nop())
		w := newWorld(plan{Renamed: 9, Texts: []int{0}})
		w.doors = doors
		w.onWrite = func(_ int32, rs []ledger.Record) appending {
			if holds(rs, "m0", ledger.Intent) {
				pass, err := doors.Enter(t.Context(), ratelimit.Sender{Destination: "d"})
				if err != nil || !pass.Done(ratelimit.AccountRefused, "", ratelimit.Refusal{Code: 20003, Message: "no such key"}) {
					t.Errorf("the account isn't closed: %v", err)
				}
			}
			return appending{Kind: taken, After: 2 * time.Millisecond}
		}
		o := newOwner(w, 1, tenure{}, nil)
		o.begin()
		time.Sleep(2 * time.Second)
		close(w.over)
		o.stop()
		if len(w.log) != 2 || !holds(w.log[1:], "m0", ledger.Refused) || w.vendor.attempts["m0"] != 0 {
			t.Errorf("%d requests\n%s", w.vendor.attempts["m0"], strings.Join(w.trail, "\n"))
		}
	})
}
