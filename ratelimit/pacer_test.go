package ratelimit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// mostInASecond is the greatest number of the given ordered times within any
// second, both of its ends included.
func mostInASecond(given []time.Time) int {
	most, from := 0, 0
	for i, at := range given {
		for at.Sub(given[from]) > time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// drive takes every permit that p gives from now until end, waking as a gate
// does.
func drive(p *pacer, now, end time.Time) (given []time.Time) {
	for {
		at, ok := p.next(now)
		if !ok || at.After(end) {
			return given
		}
		if at.After(now) {
			now = at
			continue
		}
		p.take(now)
		p.start(now)
		given = append(given, now)
	}
}

func TestPacerUsesTheRate(t *testing.T) {
	for _, c := range []struct {
		rate     float64
		burst    int
		fraction float64
		least    float64 // of the share, in permits per second
		most     int     // in any second
	}{
		{rate: 100, burst: 100, fraction: 1, least: 97, most: 100},
		{rate: 100, burst: 1, fraction: 1, least: 97, most: 100},
		{rate: 100, burst: 100, fraction: 1. / 3, least: 32, most: 33},
		{rate: 100, burst: 100, fraction: 0.29, least: 28, most: 29},
		{rate: 50, burst: 0, fraction: 2. / 6, least: 15.6, most: 16},
		{rate: 5000, burst: 5000, fraction: 1, least: 4890, most: 5000},
		{rate: 1, burst: 100, fraction: 1, least: 0.95, most: 1},
		{rate: 1.9, burst: 100, fraction: 1, least: 0.95, most: 1},
		{rate: 1, burst: 1, fraction: 0.25, least: 0.24, most: 1},
		{rate: 100, burst: 100, fraction: 0, least: 0, most: 0},
		{rate: 0, burst: 100, fraction: 1, least: 0, most: 0},
		{rate: -3, burst: -3, fraction: 1, least: 0, most: 0},
	} {
		t.Run(fmt.Sprintf("%v of %v, burst %v", c.fraction, c.rate, c.burst), func(t *testing.T) {
			start := time.Now()
			p := newPacer(c.rate, c.burst, start)
			p.setShare(c.fraction, start)
			const long = 200 * time.Second
			given := drive(p, start, start.Add(Window+long))
			if got := float64(len(given)) / long.Seconds(); got < c.least {
				t.Errorf("%v permits/s, want at least %v", got, c.least)
			}
			if got := mostInASecond(given); got > c.most {
				t.Errorf("%d permits in a second, want at most %d", got, c.most)
			}
		})
	}
}

func TestPacerBurst(t *testing.T) {
	start := time.Now()
	p := newPacer(100, 40, start)
	p.setShare(0.5, start)
	atOnce := func(now time.Time) (n int) {
		for {
			if at, ok := p.next(now); !ok || at.After(now) {
				return n
			}
			p.take(now)
			p.start(now)
			n++
		}
	}
	// A new share starts without a burst.
	now := start.Add(Window)
	if got := atOnce(now); got != 0 {
		t.Errorf("%d at once on a new share, want 0", got)
	}
	// After idleness, the share of the burst.
	now = now.Add(5 * time.Second)
	if got := atOnce(now); got != 20 {
		t.Errorf("%d at once after idleness, want 20", got)
	}
	// Then evenly.
	given := drive(p, now, now.Add(500*time.Millisecond))
	if len(given) != 25 {
		t.Errorf("%d in the half second after it, want 25", len(given))
	}
	for i := range len(given) - 1 {
		if gap := given[i+1].Sub(given[i]).Round(time.Microsecond); gap != 20*time.Millisecond {
			t.Errorf("gap %d is %v, want 20ms", i, gap)
		}
	}
	// No share, no permit, and no time when there will be one.
	p.setShare(0, now.Add(time.Second))
	if at, ok := p.next(now.Add(time.Second)); ok {
		t.Errorf("next without a share is %v, want never", at)
	}
}

// A burst as great as the rate must not double the rate of its second, nor
// repeat itself every second under load.
func TestPacerBurstOfAFullSecond(t *testing.T) {
	start := time.Now()
	p := newPacer(100, 100, start)
	p.setShare(1, start)
	p.settle(start.Add(Window)) // as a gate's timer does
	idle := start.Add(time.Minute)
	given := drive(p, idle, idle.Add(10*time.Second))
	if got := mostInASecond(given); got != 100 {
		t.Errorf("%d in a second, want 100", got)
	}
	if !given[99].Equal(idle) || given[100].Equal(idle) {
		t.Errorf("the burst is not 100")
	}
	for i := 100; i+2 < len(given); i++ {
		if gap := given[i+2].Sub(given[i]); gap < 10*time.Millisecond {
			t.Fatalf("permits %d to %d came within %v under load", i, i+2, gap)
		}
	}
	if len(given) < 970 {
		t.Errorf("%d in ten seconds, want at least 970", len(given))
	}
}

// Parts hold and use a small rate that fractions would lose to rounding.
func TestPartsOfASmallRate(t *testing.T) {
	start := time.Now()
	var given []time.Time
	const long = 100 * time.Second
	for i := float64(0); i < 3; i++ {
		p := newPacer(20, 20, start)
		p.setParts([]Part{{i / 6, (i + 1) / 6}, {(i + 3) / 6, (i + 4) / 6}}, start)
		given = append(given, drive(p, start, start.Add(Window+long))...)
	}
	slices.SortFunc(given, time.Time.Compare)
	if got := mostInASecond(given); got > 20 {
		t.Errorf("%d permits in a second, want at most 20", got)
	}
	if got := float64(len(given)) / long.Seconds(); got < 19 {
		t.Errorf("%v permits/s, want at least 19", got)
	}
}

// Whatever happens to the replicas' shares, as long as they never add up to
// more than one, the fleet holds the rate in every second.
func TestFleetHoldsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const replicas, shards = 3, 6
		perSecond := rapid.IntRange(shards, 60).Draw(t, "rate")
		burst := rapid.IntRange(0, 100).Draw(t, "burst")
		start := time.Now()
		var fleet [replicas]*pacer
		for i := range fleet {
			fleet[i] = newPacer(float64(perSecond), burst, start)
		}
		var owner [shards]int
		share := func(replica int) (f float64) {
			for _, o := range owner {
				if o == replica {
					f += 1. / shards
				}
			}
			return f
		}
		fleet[0].setShare(share(0), start)

		var given []time.Time
		var open [replicas]int // permits whose request hasn't started
		now := start
		for range rapid.IntRange(50, 400).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Millisecond)).Draw(t, "step")))
			if rapid.IntRange(0, 9).Draw(t, "move") == 0 {
				shard, to := rapid.IntRange(0, shards-1).Draw(t, "shard"), rapid.IntRange(0, replicas-1).Draw(t, "to")
				from := owner[shard]
				for ; open[from] > 0; open[from]-- { // drained first
					fleet[from].giveBack()
				}
				owner[shard] = -1
				fleet[from].setShare(share(from), now) // given up first
				owner[shard] = to
				fleet[to].setShare(share(to), now)
			}
			if rapid.IntRange(0, 3).Draw(t, "quiet") == 0 {
				continue
			}
			for i, p := range fleet {
				for {
					at, ok := p.next(now)
					if !ok || at.After(now) {
						break
					}
					p.take(now)
					open[i]++
				}
				// Some requests leave at once, some only later, some never.
				for open[i] > 0 && rapid.IntRange(0, 3).Draw(t, "late") > 0 {
					open[i]--
					if rapid.IntRange(0, 9).Draw(t, "abandoned") == 0 {
						p.giveBack()
						continue
					}
					p.start(now)
					given = append(given, now)
				}
			}
		}
		if got := mostInASecond(given); got > perSecond {
			t.Fatalf("%d permits in a second, want at most %d", got, perSecond)
		}
	})
}

func TestWindowFollowsWhatIsGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		var want []time.Duration
		var now time.Duration
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 100).Draw(t, "ns"))
			if rapid.IntRange(0, 3).Draw(t, "forget") == 0 {
				limit := now - 150
				w.forget(limit)
				for len(want) > 0 && want[0] <= limit {
					want = want[1:]
				}
			}
			w.add(now)
			want = append(want, now)
			if w.n != len(want) {
				t.Fatalf("%d kept, want %d", w.n, len(want))
			}
			for k := range want {
				if got := w.last(k + 1); got != want[len(want)-1-k] {
					t.Fatalf("last(%d) is %v, want %v", k+1, got, want[len(want)-1-k])
				}
			}
		}
	})
}
