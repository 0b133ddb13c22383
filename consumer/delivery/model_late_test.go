package delivery_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/consumer/delivery"
	"engage-worker/consumer/ledger"
)

// TestWordsThatComeLate: plans in which somebody hears of a message later than
// would be convenient, one for each thing that the deliveries do about it.
// Drawn plans meet them once in thousands.
func TestWordsThatComeLate(t *testing.T) {
	const soon = 10 * time.Millisecond
	well := appending{Kind: taken, After: 2 * time.Millisecond}
	for _, c := range []struct {
		name  string
		plan  plan
		set   func(*world)
		taken int // messages of the first text
		dead  int // letters
	}{{
		// Owner 1 sends it, and the ledger hears of that when owner 2 is about
		// to send it again, as the settings have it for what can't be known.
		name: "that it was sent, when its next owner's intent is written",
		plan: plan{Texts: []int{0}, Answers: [][]answer{{{Kind: accepts, Travel: soon, Reply: soon}}}, Tenures: []tenure{{Ends: killed, After: 1900 * time.Millisecond}}},
		set: func(w *world) {
			w.tune = func(c *delivery.Config) { c.ResendUnknown = true }
			w.onList = func(string) listing { return listing{Status: 403, Takes: 2 * time.Second} }
			w.onWrite = func(generation int32, rs []ledger.Record) appending {
				if generation == 1 && holds(rs, "m0", ledger.Sent) {
					return appending{Kind: late, After: 11 * time.Second}
				}
				return well
			}
		},
		taken: 1,
	}, {
		// Its own message is known as taken by then, and the other one in the
		// list is somebody else's: nobody could tell any more.
		name: "that it was sent, while its next owner asks the list",
		plan: plan{Texts: []int{0, 1}, Answers: [][]answer{{{Kind: accepts, Travel: soon, Reply: soon}}}, Tenures: []tenure{{Ends: killed, After: 1900 * time.Millisecond}}},
		set: func(w *world) {
			w.vendor.messages = []sent{{sid: "SMother", account: "AC0", body: "Your login code is 4711", at: w.start, shown: w.start}}
			w.records[1].due = w.start.Add(13200 * time.Millisecond) // its intent is written with that word before it
			w.onList = func(string) listing { return listing{Takes: 2 * time.Second} }
			w.onWrite = func(generation int32, rs []ledger.Record) appending {
				if generation == 1 && holds(rs, "m0", ledger.Sent) {
					return appending{Kind: late, After: 12 * time.Second}
				}
				return well
			}
		},
		taken: 1,
	}, {
		// Owner 2 has two like messages in doubt, and takes the first one's for
		// the second one's when the word comes which is the second one's.
		name: "that it was sent, when its next owner has found another message",
		plan: plan{Texts: []int{0, 0}, Answers: [][]answer{{{Kind: silent, Travel: soon}}, {{Kind: accepts, Travel: 2 * soon, Reply: soon}}}, Tenures: []tenure{{Ends: killed, After: 1900 * time.Millisecond}}},
		set: func(w *world) {
			w.onList = func(id string) listing {
				return listing{Takes: map[string]time.Duration{"m0": 4 * time.Second, "m1": soon}[id]}
			}
			w.onWrite = func(generation int32, rs []ledger.Record) appending {
				if generation == 1 && holds(rs, "m1", ledger.Sent) {
					return appending{Kind: late, After: 11250 * time.Millisecond}
				}
				return well
			}
		},
		taken: 2,
	}, {
		// The list shows the first one's message when it has been asked for
		// the first one, the second takes it, and its own isn't shown yet when
		// the list's silence would count for the first.
		name: "of two like messages in doubt",
		plan: plan{Texts: []int{0, 0}, Answers: [][]answer{
			{{Kind: breaksAfter, Travel: soon, Reply: soon, Lag: 5900 * time.Millisecond}},
			{{Kind: silent, Travel: 7900 * time.Millisecond, Lag: 5900 * time.Millisecond}},
		}},
		set: func(w *world) {
			looks := 0
			w.onList = func(id string) listing {
				if id == "m0" {
					if looks++; looks == 3 { // at 4.6 s
						return listing{Takes: 7500 * time.Millisecond}
					}
				}
				return listing{Takes: 2 * soon}
			}
		},
		taken: 2,
	}, {
		// Owner 1 can't reach Twilio and says that it wasn't sent, which the
		// ledger hears once owner 2 has sent it and was killed.
		name: "that it wasn't sent, when its next owner has sent it",
		plan: plan{Texts: []int{0}, Answers: [][]answer{{{Kind: unreachable}, {Kind: unreachable}, {Kind: silent, Travel: soon}}},
			Tenures: []tenure{{Ends: killed, After: 1900 * time.Millisecond}, {Ends: killed, After: 16 * time.Second}}},
		set: func(w *world) {
			w.onWrite = func(generation int32, rs []ledger.Record) appending {
				if generation == 1 && holds(rs, "m0", ledger.Refused) {
					return appending{Kind: late, After: 30 * time.Second}
				}
				return well
			}
		},
		taken: 1,
	}, {
		// An owner's own word: Twilio refuses the event, the ledger's answer to
		// that is given up, and it arrives once the same event has been
		// produced again and sent.
		name: "that it wasn't sent, when its repetition was",
		plan: plan{Texts: []int{0}, Doubled: true, Answers: [][]answer{{{Kind: refuses, Travel: soon, Reply: soon}, {Kind: silent, Travel: soon}}},
			Tenures: []tenure{{Ends: killed, After: 7900 * time.Millisecond}}},
		set: func(w *world) {
			given := false
			w.onWrite = func(_ int32, rs []ledger.Record) appending {
				if !given && holds(rs, "m0", ledger.Dead) {
					given = true
					return appending{Kind: late, After: 15 * time.Second}
				}
				return well
			}
		},
		taken: 1, dead: 1,
	}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.plan)
				c.set(w)
				faults := run(w)
				if n := w.vendor.taken(body(0)); n != c.taken || len(faults) > 0 || len(w.letters["m0"]) != c.dead {
					t.Errorf("sent %d times, want %d; %d dead letters, want %d", n, c.taken, len(w.letters["m0"]), c.dead)
					for _, line := range append(w.faults, w.trail...) {
						t.Log(line)
					}
				}
			})
		})
	}
}

// holds reports whether the records say that of a delivery, under whatever name of its action.
func holds(records []ledger.Record, id string, state ledger.State) bool {
	return slices.ContainsFunc(records, func(r ledger.Record) bool {
		e, err := ledger.ParseEntry(r.Value)
		return err == nil && strings.HasSuffix(string(r.Key), "\x00"+id) && e.State == state
	})
}

// TestWhoComesIntoDoubtWhileTheListIsAsked: of two like messages one is taken
// for the other's, whose own comes late. The list that was asked before that
// one was in doubt says nothing of it.
func TestWhoComesIntoDoubtWhileTheListIsAsked(t *testing.T) {
	const ms = time.Millisecond
	p := plan{
		Texts: []int{0, 1, 1},
		Lists: []listing{{Takes: 800 * ms}, {Status: 500, Takes: 8 * ms}, {Takes: 80 * ms}, {Takes: 4 * time.Second}, {Takes: 80 * ms}},
		Answers: [][]answer{
			nil,
			{{Kind: breaksAfter, Connect: 2 * time.Second, Travel: requestTimeout - ms, Reply: 4 * time.Second, Lag: 6*time.Second - ms}},
			{{Kind: breaksAfter, Connect: 800 * ms, Travel: 800 * ms, Reply: 80 * ms, Lag: 60 * ms}},
		},
	}
	if faults := play(t, p); len(faults) > 0 {
		t.Error(strings.Join(faults, "\n"))
	}
}

// TestOneNameHasOneSID: three like messages in doubt, the action renamed, and who
// had the shard before says late, under the former name, which message was whose.
// What is found for the former name is written under it, so that the ledger sees
// that it was told another SID.
func TestOneNameHasOneSID(t *testing.T) {
	const ms = time.Millisecond
	p := plan{
		Texts: []int{2, 2, 2}, Writes: []bool{true, false, false}, Renamed: 1, Former: true,
		Lists: []listing{
			{Takes: 800 * ms},
			{Status: 429, Takes: 800 * ms},
			{Takes: 4 * time.Second},
			{Takes: 800 * ms},
		},
		Appends: []appending{
			{Kind: taken, After: 300 * ms},
			{Kind: taken, After: 30 * ms},
			{Kind: taken, After: 29999 * ms},
			{Kind: hanging, After: 29999 * ms},
			{Kind: late, After: 7500 * ms},
			{Kind: late, After: 300 * ms},
			{Kind: taken, After: 7500 * ms},
			{Kind: late, After: 300 * ms},
			{Kind: failed, After: 3 * time.Second},
			{Kind: hanging, After: 3 * time.Second},
			{Kind: unanswered, After: 30 * ms},
			{Kind: taken, After: 300 * ms},
		},
		Tenures: []tenure{
			{Compacted: true, Former: true, Ends: cutOff, After: 40 * ms, Unaware: 79999 * ms, FreezeAt: 2, Freeze: 4 * time.Second},
			{Stays: true, Compacted: true, Ends: leaves, After: 40 * ms, Unaware: 20 * time.Second, FreezeAt: 18, Freeze: 10 * time.Second},
			{Former: true, Ends: killed, After: 20 * time.Second, Unaware: 79999 * ms, FreezeAt: 5, Freeze: 40 * ms},
			{Stays: true, Compacted: true, Former: true, Ends: cutOff, After: 20 * time.Second, Unaware: 79999 * ms, FreezeAt: 23, Freeze: 40 * ms},
		},
		Answers: [][]answer{
			{{Kind: refuses, Connect: 800 * ms, Travel: 7999 * ms, Reply: 7999 * ms, Lag: 60 * ms}},
			{},
			{{Kind: silent, Connect: 800 * ms, Travel: 80 * ms, Reply: 4 * time.Second, Lag: 1500 * ms}},
		},
	}
	if faults := play(t, p); len(faults) > 0 {
		t.Error(strings.Join(faults, "\n"))
	}
}
