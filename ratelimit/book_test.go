package ratelimit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fleet is a model of replicas that share one rate by a log: real books and
// pacers of a sender, whose messages take one use of its rate or several, and a
// coordinator that gives shards away when their owner wasn't heard for a
// session timeout.
type fleet struct {
	t       interface{ Fatalf(string, ...any) }
	rand    *rand.Rand
	now     time.Time
	n       int
	span    time.Duration
	shards  int
	log     []entry
	members []*member
	owner   []*member   // of each shard
	most    int         // uses of a message
	started []time.Time // once for each slot
	used    int         // uses
}

type entry struct {
	note Note
	at   time.Time // in the log
}

type member struct {
	*book
	sender   *sender
	read     int // of the log
	load     float64
	queue    float64
	lease    time.Time
	frozen   time.Time // until then
	cut      time.Time // from the log and the coordinator, until then
	dead     bool
	gained   time.Time // shards were assigned then, and the log wasn't read to its end since
	lastTick time.Time
	open     []permit // that are taken and not started
	head     int      // uses of the next message; 0: not drawn yet
	sent     int      // uses
}

type permit struct{ slots, uses int }

// oneGoroutine skips a long run of a model with the race detector, which has
// nothing to find in one goroutine: make test runs it without.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if withRace {
		t.Skip("one goroutine: run it without the race detector")
	}
}

const (
	modelStep    = 5 * time.Millisecond
	modelSession = 3 * time.Second
)

func newFleet(t interface{ Fatalf(string, ...any) }, seed uint64, rate float64, replicas, shards int) *fleet {
	n, span := slotsOf(rate)
	f := &fleet{t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: time.Now(), n: n, span: span, shards: shards, most: 1, owner: make([]*member, shards)}
	for i := range replicas {
		f.join(fmt.Sprint("r", i))
	}
	f.assign()
	return f
}

func (f *fleet) join(name string) {
	s := newSender("us", "mg", SenderRate{Rate: float64(f.n) * float64(Window) / float64(f.span)})
	s.book.me = name
	m := &member{book: s.book, sender: s, read: len(f.log)}
	if len(f.log) > 0 {
		m.lastAsk = f.now
	}
	f.members = append(f.members, m)
}

// assign gives every shard without an owner to the member with the fewest.
func (f *fleet) assign() {
	count := map[*member]int{}
	for _, m := range f.owner {
		if m != nil {
			count[m]++
		}
	}
	for s := range f.owner {
		if f.owner[s] != nil {
			continue
		}
		var best *member
		for _, m := range f.members {
			if m.reachable(f.now) && (best == nil || count[m] < count[best]) {
				best = m
			}
		}
		if best == nil {
			return
		}
		f.owner[s] = best
		count[best]++
		best.lease = f.now.Add(modelSession)
		best.gained = f.now
	}
}

func (m *member) reachable(now time.Time) bool {
	return !m.dead && !now.Before(m.cut) && !now.Before(m.frozen)
}

func (f *fleet) partsOf(m *member) (parts []Part) {
	for s, owner := range f.owner {
		if owner == m {
			parts = append(parts, Part{float64(s) / float64(f.shards), float64(s+1) / float64(f.shards), m.lease})
		}
	}
	return parts
}

// step lets modelStep pass.
func (f *fleet) step() {
	f.now = f.now.Add(modelStep)
	for s, m := range f.owner {
		if m != nil && !f.now.Before(m.lease) {
			f.owner[s] = nil // and its owner knows by the same lease
		}
	}
	f.assign()
	for _, m := range f.members {
		if !m.dead && !f.now.Before(m.frozen) {
			f.run(m)
		}
	}
}

// run is what a member does in one step.
func (f *fleet) run(m *member) {
	online := !f.now.Before(m.cut)
	if online {
		for s := range f.owner {
			if f.owner[s] == m {
				m.lease = f.now.Add(modelSession)
			}
		}
	}
	if online {
		end := len(f.log)
		for m.read < end && f.now.Sub(f.log[m.read].at) >= time.Duration(f.rand.IntN(20))*time.Millisecond {
			f.append(m.hear(f.log[m.read].note, f.now))
			m.read++
		}
		if caughtUp := m.read == end; caughtUp || f.now.Sub(m.gained) > 300*time.Millisecond {
			m.setParts(f.partsOf(m), caughtUp, f.now)
		}
	}
	m.sender.settle(f.now)
	m.queue += m.load * modelStep.Seconds()
	if f.now.Sub(m.lastTick) >= 100*time.Millisecond {
		m.lastTick = f.now
		if m.queue < 1 {
			m.sender.short = 0
		}
		notes := m.tick(int(m.queue), f.now)
		if online {
			f.append(notes)
		} // else they are lost
	}
	// Some requests leave at once, some only later, some never.
	for len(m.open) > 0 && f.rand.IntN(3) > 0 {
		p := m.open[0]
		m.open = m.open[1:]
		if f.rand.IntN(10) == 0 {
			m.slots.giveBack(p.slots)
			m.queue += float64(p.uses)
		} else {
			f.start(m, p)
		}
	}
	for {
		if m.head == 0 {
			m.head = 1 + f.rand.IntN(f.most)
		}
		if m.queue < float64(m.head) {
			return
		}
		if at, ok := m.sender.next(m.head, f.now); !ok || at.After(f.now) {
			return
		}
		p := permit{m.sender.take(m.head, f.now), m.head}
		m.queue -= float64(m.head)
		m.head = 0
		if f.rand.IntN(10) == 0 {
			m.open = append(m.open, p)
		} else {
			f.start(m, p)
		}
	}
}

func (f *fleet) start(m *member, p permit) {
	if m.slots.lost() {
		m.slots.giveBack(p.slots)
		m.queue += float64(p.uses)
		return
	}
	m.slots.start(p.slots, p.uses, f.now)
	m.sent += p.uses
	f.used += p.uses
	for range p.slots {
		f.started = append(f.started, f.now)
	}
}

func (f *fleet) append(notes []Note) {
	for _, n := range notes {
		f.log = append(f.log, entry{n, f.now})
		if f.rand.IntN(50) == 0 {
			f.log = append(f.log, entry{n, f.now}) // written twice
		}
	}
}

// check fails when any span holds more starts on slots than there are slots.
func (f *fleet) check() {
	for i := f.n; i < len(f.started); i++ {
		if d := f.started[i].Sub(f.started[i-f.n]); d < f.span {
			f.t.Fatalf("%d slots used within %v, and only %d in %v are allowed", f.n+1, d, f.n, f.span)
		}
	}
}

func (f *fleet) pass(d time.Duration) {
	for end := f.now.Add(d); f.now.Before(end); {
		f.step()
	}
}

// use is which part of the rate was used during d.
func (f *fleet) use(d time.Duration) float64 {
	before := f.used
	f.pass(d)
	return float64(f.used-before) / d.Seconds() / (float64(f.n) * float64(Window) / float64(f.span))
}

// TestTheRateGoesWhereTheLoadIs: 3 s after its start, a load uses 95% of the
// rate, whichever replicas have it, and whatever the rate.
func TestTheRateGoesWhereTheLoadIs(t *testing.T) {
	oneGoroutine(t)
	for _, rate := range []float64{0.2, 1, 1.5, 2.5, 3, 5, 10, 100, 200} {
		for _, shards := range []int{6, 12} {
			for name, loaded := range map[string]int{"one": 1, "two": 2, "all": 3} {
				t.Run(fmt.Sprintf("%v/s, %d shards, %s of 3", rate, shards, name), func(t *testing.T) {
					f := newFleet(t, 7, rate, 3, shards)
					f.pass(10 * time.Second) // idle
					for _, m := range f.members[:loaded] {
						m.load = 2*rate + 1
					}
					f.pass(3 * time.Second)
					long := max(60*time.Second, 20*f.span)
					if got := f.use(long); got < 0.95 {
						t.Errorf("%.1f%% of the rate is used", 100*got)
					}
					var sent []int
					for _, m := range f.members[:loaded] {
						sent = append(sent, m.sent)
					}
					if least := slices.Min(sent); float64(least) < float64(slices.Max(sent))/3 {
						t.Errorf("sent by each: %v", sent)
					}
					f.check()
				})
			}
		}
	}
}

// TestMessagesOfSeveralSegments: a sender's rate is used to seven tenths and
// more, whatever its messages take of it and however few slots a replica has.
// The rest is what stays over where no whole message fits in any more.
func TestMessagesOfSeveralSegments(t *testing.T) {
	oneGoroutine(t)
	for _, rate := range []float64{0.5, 1, 3, 10, 30} {
		for _, most := range []int{2, 3, 11} {
			for name, loaded := range map[string]int{"one": 1, "all": 3} {
				t.Run(fmt.Sprintf("%v/s, up to %d segments, %s of 3", rate, most, name), func(t *testing.T) {
					f := newFleet(t, 7, rate, 3, 12)
					f.most = most
					f.pass(10 * time.Second) // idle
					for _, m := range f.members[:loaded] {
						m.load = 2*rate + 1
					}
					f.pass(5 * time.Second)
					if got := f.use(max(120*time.Second, 40*f.span)); got < 0.7 || got > 1.05 {
						t.Errorf("%.1f%% of the rate is used", 100*got)
					}
					f.check()
				})
			}
		}
	}
}

// TestALenderHasItsSlotsBack: within 1.5 s of its own need.
func TestALenderHasItsSlotsBack(t *testing.T) {
	f := newFleet(t, 3, 100, 3, 12)
	f.members[0].load = 1000
	f.pass(10 * time.Second)
	f.members[1].load = 30
	f.pass(1500 * time.Millisecond)
	before := f.members[1].sent
	f.pass(10 * time.Second)
	if got := f.members[1].sent - before; got < 290 {
		t.Errorf("%d of 300 sent while it is lent out", got)
	}
	f.check()
}

// TestTheFleetHoldsTheRate: whatever is killed, frozen, cut off or rebalanced
// while slots are lent, and however the load moves.
func TestTheFleetHoldsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.5, 1, 2.5, 3, 7, 10, 40}).Draw(t, "rate")
		f := newFleet(t, rapid.Uint64().Draw(t, "seed"), rate, rapid.IntRange(1, 4).Draw(t, "replicas"), rapid.IntRange(1, 12).Draw(t, "shards"))
		f.most = rapid.SampledFrom([]int{1, 1, 3, 11}).Draw(t, "segments")
		some := func() *member { return f.members[rapid.IntRange(0, len(f.members)-1).Draw(t, "which")] }
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			d := time.Duration(rapid.IntRange(0, 4500).Draw(t, "ms")) * time.Millisecond
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0:
				some().frozen = f.now.Add(d)
			case 1:
				some().cut = f.now.Add(d)
			case 2:
				some().dead = true
				f.join(fmt.Sprint("r", len(f.members)))
			case 3: // a rebalance
				for s := range f.owner {
					if rapid.Bool().Draw(t, "moves") && f.owner[s] != nil && f.owner[s].reachable(f.now) {
						f.owner[s] = nil
					}
				}
				for _, m := range f.members {
					if m.reachable(f.now) {
						m.setParts(f.partsOf(m), true, f.now) // given up before another has it
					}
				}
			case 4:
				some().load = 0
			default:
				some().load = 2 * rate
			}
			f.pass(time.Duration(rapid.IntRange(0, 3000).Draw(t, "pass")) * time.Millisecond)
		}
		f.check()
	})
}

// TestNotesOfALargeFleet: lending among many replicas takes a few notes a second
// of each, whoever has the load.
func TestNotesOfALargeFleet(t *testing.T) {
	oneGoroutine(t)
	for _, c := range []struct {
		rate                   float64
		replicas, loaded, most int
	}{{1000, 50, 1, 120}, {1000, 50, 5, 400}, {1000, 50, 50, 150}, {1000, 100, 10, 1500}, {10_000, 200, 20, 1500}} {
		t.Run(fmt.Sprintf("%v/s, %d of %d busy", c.rate, c.loaded, c.replicas), func(t *testing.T) {
			const seconds = 2
			f := newFleet(t, 7, c.rate, c.replicas, 4*c.replicas)
			f.pass(5 * time.Second)
			for _, m := range f.members[:c.loaded] {
				m.load = 2*c.rate/float64(c.loaded) + 1
			}
			f.pass(5 * time.Second)
			before, size := len(f.log), 0
			used := f.use(seconds * time.Second)
			for _, e := range f.log[before:] {
				text, err := json.Marshal(e.note)
				if err != nil {
					t.Fatal(err)
				}
				size += len(text)
			}
			notes := (len(f.log) - before) / seconds
			t.Logf("%d notes a second, of %d bytes, %.1f%% of the rate used", notes, size/(len(f.log)-before), 100*used)
			if notes > c.most || used < 0.95 {
				t.Errorf("want at most %d notes a second, and 95%% of the rate used", c.most)
			}
		})
	}
}
