package ratelimit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// uses is how much of a sender's rate a message takes.
func uses(n int) func() int { return func() int { return n } }

// sending takes permits for a request one after the other, and says when.
func sending(ctx context.Context, g *Gate, r Request, parallel int) (started func() []time.Time) {
	var mu sync.Mutex
	var times []time.Time
	for range parallel {
		go func() {
			for {
				p, err := g.Acquire(ctx, r)
				if err != nil {
					return
				}
				if p.Start() {
					mu.Lock()
					times = append(times, time.Now())
					mu.Unlock()
				}
				time.Sleep(20 * time.Millisecond)
				p.Done(Verdict{Kind: Delivered})
			}
		}()
	}
	return func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(times)
	}
}

// A sender that is slow slows no other, and its segments count.
func TestSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) {
			c.Rate, c.Burst, c.MaxInFlight = 200, 200, 128
			c.Senders = map[string]SenderRate{"slow": {"+15005550006", 1}, "fast": {"MG1", 100}, "long": {"MG2", 10}}
		}))
		ctx, cancel := context.WithCancel(t.Context())
		slow := sending(ctx, g, Request{Flow: "a", Sender: "slow", Uses: uses(1)}, 500)
		fast := sending(ctx, g, Request{Flow: "a", Sender: "fast", Uses: uses(1)}, 50)
		long := sending(ctx, g, Request{Flow: "b", Sender: "long", Uses: uses(3)}, 50)
		none := sending(ctx, g, Request{Flow: "b", Sender: "MG3"}, 50)
		time.Sleep(time.Minute)
		cancel()
		time.Sleep(time.Second)
		for name, of := range map[string]struct {
			times               []time.Time
			most, least, atMost int
		}{
			"slow": {slow(), 1, 58, 61}, "fast": {fast(), 100, 5700, 6100}, "long": {long(), 3, 170, 183}, "none": {none(), 200, 5000, 6000},
		} {
			if got := mostInASecond(of.times); got > of.most {
				t.Errorf("%s: %d in a second, want at most %d", name, got, of.most)
			}
			if got := len(of.times); got < of.least || got > of.atMost {
				t.Errorf("%s: %d in a minute, want %d to %d", name, got, of.least, of.atMost)
			}
		}
	})
}

// A message with more segments than its sender sends in a second goes whole,
// and its sender rests for all of them.
func TestLongMessagesOfASlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.Senders = map[string]SenderRate{"slow": {"+15005550006", 2}} }))
		var times []time.Duration
		start := time.Now()
		for range 4 {
			p, err := g.Acquire(t.Context(), Request{Sender: "slow", Uses: uses(5)})
			if err != nil {
				t.Fatal(err)
			}
			p.Start()
			times = append(times, time.Since(start).Round(time.Millisecond))
			p.Done(Verdict{Kind: Delivered})
		}
		// Five uses of two slots: one has three of them and rests longest.
		if want := []time.Duration{0, 3 * Window, 6 * Window, 9 * Window}; !slices.Equal(times, want) {
			t.Errorf("sent at %v, want %v", times, want)
		}
	})
}

// A campaign keeps another flow's single message waiting for its turn only,
// and a sender's likewise.
func TestFlowsTakeTurns(t *testing.T) {
	for name, c := range map[string]Config{
		"region": {Rate: 20}, "sender": {Rate: 1000, Senders: map[string]SenderRate{"s": {"s", 20}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, with(wide, func(w *Config) { w.Rate, w.Senders, w.MaxInFlight = c.Rate, c.Senders, 100 }))
				ctx, cancel := context.WithCancel(t.Context())
				campaign := sending(ctx, g, Request{Flow: "campaign", Sender: "s", Uses: uses(1)}, 5000)
				time.Sleep(5 * time.Second)
				longest := time.Duration(0)
				for range 30 {
					asked := time.Now()
					p, err := g.Acquire(ctx, Request{Flow: "single", Sender: "s", Uses: uses(1)})
					if err != nil {
						t.Fatal(err)
					}
					longest = max(longest, time.Since(asked))
					p.Done(Verdict{Kind: Delivered})
					time.Sleep(time.Second)
				}
				if longest > 1500*time.Millisecond {
					t.Errorf("a single message waited for %v", longest)
				}
				other := sending(ctx, g, Request{Flow: "other", Sender: "s", Uses: uses(1)}, 50)
				before := len(campaign())
				time.Sleep(10 * time.Second)
				if got, its := len(other()), len(campaign())-before; got < its-5 || got > its+5 {
					t.Errorf("two that wait had %d and %d", got, its)
				}
				cancel()
				time.Sleep(time.Second)
			})
		})
	}
}

// Transactional messages go first, and marketing has one in ten.
func TestPurposes(t *testing.T) {
	for name, c := range map[string]Config{
		"region": {Rate: 100}, "sender": {Rate: 1000, Senders: map[string]SenderRate{"s": {"s", 100}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, with(wide, func(w *Config) { w.Rate, w.Senders, w.MaxInFlight = c.Rate, c.Senders, 100 }))
				ctx, cancel := context.WithCancel(t.Context())
				marketing := sending(ctx, g, Request{Flow: "a", Sender: "s", Uses: uses(1)}, 500)
				time.Sleep(3 * time.Second)
				before := len(marketing())
				transactional := sending(ctx, g, Request{Flow: "b", Purpose: Transactional, Sender: "s", Uses: uses(1)}, 500)
				time.Sleep(20 * time.Second)
				if m, n := len(marketing())-before, len(transactional()); m < 190 || m > 210 || n < 1700 {
					t.Errorf("%d of marketing and %d transactional in 20 s at 100/s, want 200 and 1800", m, n)
				}
				cancel()
				time.Sleep(time.Second)
			})
		})
	}
}

// Who would wait for too long for its sender is told at once.
func TestBusySender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, with(wide, func(c *Config) { c.Senders = map[string]SenderRate{"slow": {"+15005550006", 2}} }))
		ctx, cancel := context.WithCancel(t.Context())
		sending(ctx, g, Request{Sender: "slow", Uses: uses(1)}, 62)
		synctest.Wait()
		ask := Request{Sender: "slow", Uses: uses(1), Patience: 30 * time.Second}
		_, err := g.Acquire(ctx, ask)
		if busy := (*BusyError)(nil); !errors.As(err, &busy) || busy.Sender != "+15005550006" || busy.Wait < 30*time.Second {
			t.Errorf("acquire gave %v, want a BusyError", err)
		}
		ask.Purpose = Transactional // which goes before those that wait
		p, err := g.Acquire(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		p.Done(Verdict{Kind: Delivered})
		cancel()
		time.Sleep(time.Second)
	})
}
