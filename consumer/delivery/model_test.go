package delivery_test

import (
	"flag"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plan is all that happens to a few deliveries to one person, in one shard:
// what Twilio answers, what comes of each write, and who owns the shard when.
type plan struct {
	Texts   []int       // what each delivery says; equal numbers are equal texts
	Numbers []bool      // whether each is sent from a number of the messaging service
	Both    bool        // each event has a second action, whose text is another's
	Doubled bool        // the first event is in the source twice
	Answers [][]answer  // of Twilio, by delivery and attempt; then it accepts
	Lists   []listing   // of the message list, one after another; then it answers
	Appends []appending // to the ledger, one after another; then they are taken
	Writes  []bool      // to the retry and the dead-letter topic: whether they fail
	Tenures []tenure    // of the shard; then somebody owns it until all is settled

	Renamed   int  // from which owner on the action has another name
	Settings  int  // the last owner's
	Former    bool // likewise
	Corrected bool // the last owner's trigger
}

// tenure is the time of one owner of the shard.
type tenure struct {
	Stays     bool // the former owner's process goes on, if that left in good order
	Compacted bool // the ledger's topic is compacted before
	Renamed   bool // the action has another name
	Settings  int  // the owner's account: 0 or 1
	Former    bool // and it knows the other one's key still
	Corrected bool // the owner's trigger doesn't want the events any more
	Ends      ending
	After     time.Duration // from its begin to its end
	Unaware   time.Duration // how long it goes on after the shard has another owner
	FreezeAt  int           // the step at which the process freezes; 0: none
	Freeze    time.Duration
}

// ending is how a tenure ends.
type ending uint8

const (
	never  ending = iota
	leaves        // in good order
	cutOff        // the coordinator doesn't hear of it any more
	killed
)

// TestInEveryOrder plays whatever may happen to deliveries, in any order, and
// looks for what must never be: a message that is sent twice or lost, that
// leaves without a lease or an intent, or that is settled without anybody
// having acknowledged it.
func TestInEveryOrder(t *testing.T) {
	// One goroutine at a time, so that a plan goes the same way again.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer samePlans("1000")()
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		if faults := play(t, p); len(faults) > 0 {
			rt.Fatalf("%s", strings.Join(faults, "\n"))
		}
	})
}

// samePlans has rapid draw so many plans, the same ones in every run: a change is
// judged by the plans of the one before. With -rapid.checks it draws others.
func samePlans(n string) (restore func()) {
	checks, seed := flag.Lookup("rapid.checks"), flag.Lookup("rapid.seed")
	if checks.Value.String() != checks.DefValue {
		return func() {}
	}
	_, _ = checks.Value.Set(n), seed.Value.Set("1")
	return func() { _, _ = checks.Value.Set(checks.DefValue), seed.Value.Set(seed.DefValue) }
}

// TestTwoDestinationsInEveryOrder plays two destinations of one account, from
// one sender to one person, in part with the same texts: neither takes the
// other's message for its own.
func TestTwoDestinationsInEveryOrder(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer samePlans("500")()
	rapid.Check(t, func(rt *rapid.T) {
		p, q := drawPlan(rt), drawPlan(rt)
		if faults := playBoth(t, p, q); len(faults) > 0 {
			rt.Fatalf("%s", strings.Join(faults, "\n"))
		}
	})
}

func drawPlan(t *rapid.T) plan {
	upTo := func(d time.Duration) *rapid.Generator[time.Duration] {
		return rapid.Custom(func(t *rapid.T) time.Duration {
			return rapid.SampledFrom([]time.Duration{d / 1000, d / 100, d / 10, d / 4, d / 2, d - time.Millisecond}).Draw(t, "duration")
		})
	}
	answers := rapid.Custom(func(t *rapid.T) answer {
		return answer{
			Kind:    rapid.SampledFrom([]answerKind{accepts, refuses, throttles, unreachable, breaks, breaksAfter, swallows, silent, refusesKey}).Draw(t, "answer"),
			Connect: upTo(requestTimeout).Draw(t, "connect"), Travel: upTo(requestTimeout).Draw(t, "travel"),
			Reply: upTo(requestTimeout).Draw(t, "reply"), Lag: upTo(6*time.Second).Draw(t, "lag"),
		}
	})
	tenures := rapid.Custom(func(t *rapid.T) tenure {
		return tenure{
			Stays: rapid.Bool().Draw(t, "stays"), Compacted: rapid.Bool().Draw(t, "compacted"), Corrected: rapid.IntRange(0, 3).Draw(t, "corrected") == 3,
			Settings: rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "settings"), Former: rapid.Bool().Draw(t, "former"),
			Ends:  rapid.SampledFrom([]ending{leaves, cutOff, killed}).Draw(t, "ends"),
			After: upTo(40*time.Second).Draw(t, "after"), Unaware: upTo(80*time.Second).Draw(t, "unaware"),
			FreezeAt: rapid.IntRange(0, 30).Draw(t, "freezeAt"), Freeze: upTo(40*time.Second).Draw(t, "freeze"),
		}
	})
	p := plan{
		Texts:   rapid.SliceOfN(rapid.IntRange(0, 2), 1, 3).Draw(t, "texts"),
		Doubled: rapid.Bool().Draw(t, "doubled"), Both: rapid.IntRange(0, 3).Draw(t, "both") == 3,
		Lists: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) listing {
			return listing{Status: rapid.SampledFrom([]int{0, 0, 0, 500, 429}).Draw(t, "status"), Takes: upTo(requestTimeout).Draw(t, "takes")}
		}), 0, 6).Draw(t, "lists"),
		Appends: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) appending {
			return appending{
				Kind:  rapid.SampledFrom([]appendKind{taken, taken, taken, failed, unanswered, hanging, late}).Draw(t, "append"),
				After: upTo(30*time.Second).Draw(t, "after"),
			}
		}), 0, 12).Draw(t, "appends"),
		Writes: rapid.SliceOfN(rapid.Bool(), 0, 4).Draw(t, "writes"), Corrected: rapid.IntRange(0, 3).Draw(t, "lastCorrected") == 3,
		Renamed: rapid.IntRange(0, 5).Draw(t, "renamed"), Settings: rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "lastSettings"), Former: rapid.Bool().Draw(t, "lastFormer"),
		Tenures: rapid.SliceOfN(tenures, 0, 4).Draw(t, "tenures"),
	}
	for range p.Texts {
		p.Numbers = append(p.Numbers, rapid.IntRange(0, 3).Draw(t, "number") == 3)
		p.Answers = append(p.Answers, rapid.SliceOfN(answers, 0, 4).Draw(t, "answers"))
	}
	return p
}
