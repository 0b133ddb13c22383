package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/consumer/intake"
)

// TestAge: no age is below 0, whatever the record's date, and what is dated far
// ahead grows old, over retries too.
func TestAge(t *testing.T) {
	for _, c := range []struct {
		name   string
		ahead  time.Duration
		failed time.Duration // ago, for the first time
		want   time.Duration // ten minutes after the delivery began
	}{
		{"old", -time.Hour, 0, 70 * time.Minute},
		{"just written", 0, 0, 10 * time.Minute},
		{"a little ahead", 50 * time.Minute, 0, 0},
		{"a day ahead", 24 * time.Hour, 0, 0},
		{"more than a day ahead", 24*time.Hour + 1, 0, 10 * time.Minute},
		{"a century ahead", 876_000 * time.Hour, 0, 10 * time.Minute},
		{"a century ahead, and failed before", 876_000 * time.Hour, time.Hour, 70 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				d := &delivery{parts: &Parts{}, begun: now, ev: &intake.Event{Origin: intake.Origin{Time: now.Add(c.ahead)}}}
				if c.failed > 0 {
					d.ev.Origin.FirstFailedAt = now.Add(-c.failed)
				}
				time.Sleep(10 * time.Minute)
				if got := d.age(); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}
