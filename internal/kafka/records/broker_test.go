package records

import (
	"testing"
	"time"
)

// What a broker's pauses say of its quota: 500 kB in ten seconds and a pause of
// two are a second's 50 kB, if as much as the last answer was held back.
func TestAQuotaIsReadEvenly(t *testing.T) {
	b, now := &broker{cluster: &Cluster{}}, time.Now()
	heed := func(bytes int, throttle, paused time.Duration, size int) {
		t.Helper()
		b.heed(&question{maxBytes: answerBytes, bytes: bytes, throttle: throttle}, now)
		if got := b.paused.Sub(now); got.Round(time.Millisecond) != paused || b.pace(now) != size {
			t.Errorf("a pause of %v and then %d bytes, want %v and %d", got, b.pace(now), paused, size)
		}
		now = b.paused
	}
	b.paused = now
	heed(300_000, 0, 0, answerBytes)
	heed(150_000, 0, 0, answerBytes)
	heed(0, 2*time.Second, 2*time.Second, 50_000)
	heed(50_000, 0, time.Second, 51_500)          // a little faster each time
	heed(25_000, 0, 485*time.Millisecond, 53_045) // 25,000 of 51,500
	heed(0, 100*time.Millisecond, 100*time.Millisecond, 49_331)
	b.rate = 1000
	heed(1000, 0, time.Second, leastAnswer) // which a second's bytes aren't
	now = now.Add(pacing)
	if got := b.pace(now); got != answerBytes {
		t.Errorf("long after the last pause there are %d bytes", got)
	}
}
