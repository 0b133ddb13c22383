package ratelimit

import (
	"fmt"
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
		at, ok := p.next(1, now)
		if !ok || at.After(end) {
			return given
		}
		if at.After(now) {
			now = at
			continue
		}
		p.take(1, now)
		p.slots.start(1, 1, now)
		given = append(given, now)
	}
}

// holding is a pacer that holds a part of the rate and has used none of it.
func holding(fleetRate float64, burst int, fraction float64, now time.Time) *pacer {
	p := newPacer(fleetRate, burst, now)
	p.hold(int(float64(p.fleet)*fraction), now)
	return p
}

// hold changes what it holds.
func (p *pacer) hold(slots int, now time.Time) {
	if d := slots - p.slots.held(); d > 0 {
		p.slots.gain(d, p.slots.span, now)
	} else {
		p.slots.lose(-d, now)
	}
	p.adjust(now)
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
		{rate: 100, burst: 100, fraction: 0.33, least: 32, most: 33},
		{rate: 50, burst: 0, fraction: 0.32, least: 15.6, most: 16},
		{rate: 5000, burst: 5000, fraction: 1, least: 4890, most: 5000},
		{rate: 1, burst: 100, fraction: 1, least: 0.95, most: 1},
		{rate: 1.9, burst: 100, fraction: 1, least: 1.84, most: 2},
		{rate: 2.5, burst: 100, fraction: 1, least: 2.43, most: 3},
		{rate: 0.2, burst: 1, fraction: 1, least: 0.19, most: 1},
		{rate: 100, burst: 100, fraction: 0, least: 0, most: 0},
		{rate: 0, burst: 100, fraction: 1, least: 0, most: 0},
		{rate: -3, burst: -3, fraction: 1, least: 0, most: 0},
	} {
		t.Run(fmt.Sprintf("%v of %v, burst %v", c.fraction, c.rate, c.burst), func(t *testing.T) {
			start := time.Now()
			p := holding(c.rate, c.burst, c.fraction, start)
			const long = 200 * time.Second
			given := drive(p, start, start.Add(p.slots.span+long))
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
	p := holding(100, 40, 0.5, start)
	atOnce := func(now time.Time) (n int) {
		for {
			if at, ok := p.next(1, now); !ok || at.After(now) {
				return n
			}
			p.take(1, now)
			p.slots.start(1, 1, now)
			n++
		}
	}
	// After idleness, the share of the burst.
	now := start.Add(5 * time.Second)
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
	p.hold(0, now.Add(time.Second))
	if at, ok := p.next(1, now.Add(time.Second)); ok {
		t.Errorf("next without a share is %v, want never", at)
	}
}

// A burst as great as the rate must not double the rate of its second, nor
// repeat itself every second under load.
func TestPacerBurstOfAFullSecond(t *testing.T) {
	start := time.Now()
	p := holding(100, 100, 1, start)
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

// TestSlots: whatever is gained, lost, taken, started and given back, what is
// held adds up, and each slot rests for a span between two uses.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := slots{span: Window}
		now, held, taken := time.Now(), 0, 0
		var started []time.Time
		most := 0 // held at any moment, as the greatest number of uses in a span
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				n := rapid.IntRange(0, 4).Draw(t, "gain")
				s.gain(n, Window, now)
				held += n
			case 1:
				n := rapid.IntRange(0, held).Draw(t, "lose")
				s.lose(n, now)
				held -= n
			case 2:
				if k := rapid.IntRange(1, 3).Draw(t, "together"); k > 0 {
					if at, ok := s.next(k, now); ok && !at.After(now) {
						s.take(k)
						taken += k
					}
				}
			case 3:
				if taken > 0 {
					k, uses := rapid.IntRange(1, taken).Draw(t, "start"), rapid.IntRange(0, 3).Draw(t, "more")
					taken -= k
					if s.lost() {
						s.giveBack(k)
						break
					}
					s.start(k, k+uses, now)
					for range k {
						started = append(started, now)
					}
				}
			case 4:
				if taken > 0 {
					taken--
					s.giveBack(1)
				}
			default:
				after, n := s.part(rapid.IntRange(0, max(held, 0)).Draw(t, "part"), now)
				if after > 4*s.span { // of four uses
					t.Fatalf("parted slots rest for %v", after)
				}
				held -= n
				s.gain(n, after, now)
				held += n
			}
			if s.held() != held {
				t.Fatalf("%d held, want %d", s.held(), held)
			}
			most = max(most, held)
			if s.ready < 0 || s.taken != taken || s.owed < 0 {
				t.Fatalf("%+v", s)
			}
		}
		for i := most; i < len(started) && most > 0; i++ {
			if d := started[i].Sub(started[i-most]); d < s.span {
				t.Fatalf("%d starts within %v by %d slots", most+1, d, most)
			}
		}
	})
}
