package ratelimit

import (
	"testing"
	"time"
)

func TestThrottleCutsOncePerRound(t *testing.T) {
	now := time.Now()
	th := newThrottle(128)
	sent := now.Add(-time.Second)
	if !th.slowDown(now, sent, 2*time.Second, 100) {
		t.Error("the first throttled answer doesn't cut")
	}
	for i := range 20 { // the rest of that round
		if th.slowDown(now.Add(time.Duration(i)*time.Millisecond), sent, time.Second, 99-i) {
			t.Error("a second cut in one round")
		}
	}
	if got := th.inFlight(); got != 50 {
		t.Errorf("limit %d after a cut at 100 in flight, want 50", got)
	}
	if want := now.Add(2 * time.Second); !th.until.Equal(want) {
		t.Errorf("paused for %v, want 2s", th.until.Sub(now))
	}
	// Late successes of the same round say nothing.
	th.succeeded(sent)
	if th.limit != 50 || th.inARow != 1 {
		t.Errorf("limit %v, %d in a row after a late success; want 50, 1", th.limit, th.inARow)
	}
	// About one more for each round of successes.
	sent = now.Add(3 * time.Second)
	for range 50 {
		th.succeeded(sent)
	}
	if got := th.inFlight(); got != 50 {
		t.Errorf("limit %d after a round of successes, want 50 and nearly 51", got)
	}
	th.succeeded(sent)
	if got := th.inFlight(); got != 51 {
		t.Errorf("limit %d after a round and one more, want 51", got)
	}
	for range 128 * 128 {
		th.succeeded(sent)
	}
	if got := th.inFlight(); got != 128 {
		t.Errorf("limit %d after many successes, want 128", got)
	}
}

func TestThrottleNeverBelowOne(t *testing.T) {
	now := time.Now()
	th := newThrottle(0)
	for i := range 10 {
		sent := now.Add(time.Duration(i) * time.Hour)
		th.slowDown(sent.Add(time.Second), sent, 0, 1)
		if got := th.inFlight(); got != 1 {
			t.Fatalf("limit %d, want 1", got)
		}
	}
}

func TestThrottlePause(t *testing.T) {
	now := time.Now()
	sent := now.Add(-time.Millisecond)
	next := func() { sent = now; now = now.Add(time.Hour) }
	th := newThrottle(10)
	// The vendor's own wish, bounded.
	th.slowDown(now, sent, time.Hour, 10)
	if got := th.until.Sub(now); got != time.Minute {
		t.Errorf("paused for %v, want a minute", got)
	}
	th.succeeded(now.Add(time.Second))
	next()
	// A guess that grows, bounded too.
	for i, want := range []time.Duration{500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9, 30e9, 30e9, 30e9, 30e9} {
		sent = sent.Add(time.Minute)
		th.slowDown(now, sent, 0, 10)
		if got := th.until.Sub(now); got < want || got > want+want/2 {
			t.Errorf("guess %d paused for %v, want %v to %v", i, got, want, want+want/2)
		}
		next()
	}
	// A success ends the growth.
	th.succeeded(sent.Add(time.Minute))
	th.slowDown(now, sent.Add(2*time.Minute), 0, 10)
	if got := th.until.Sub(now); got > 750*time.Millisecond {
		t.Errorf("paused for %v after a success, want at most 750ms", got)
	}
	// A shorter wish doesn't shorten a pause.
	until := th.until
	th.slowDown(now, sent, time.Millisecond, 10)
	if !th.until.Equal(until) {
		t.Errorf("paused until %v, want %v", th.until, until)
	}
}
