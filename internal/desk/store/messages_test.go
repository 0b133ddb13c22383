package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/desk/messages"
)

// Each message counts once, by its last status, and where nothing is there any more,
// not at all.
func TestEachMessageCountsOnce(t *testing.T) {
	r := newRig(t)
	s := r.loaded(r.config())
	now := time.Now()
	for n, states := range [][]status.State{
		{status.Accepted, status.Sent, status.Delivered},
		{status.Accepted, status.Delivered, status.Read},
		{status.Accepted, status.Undelivered},
		{status.Accepted, status.Failed},
		{status.Accepted},
		{status.Accepted, status.Sent},
		{status.Accepted, status.Unknown},
		{status.Accepted, status.Canceled},
		{status.Accepted}, // and taken back below
	} {
		for _, state := range states {
			r.said(letter(n), state, now, int64(n))
		}
	}
	l := letter(8)
	r.Put(statusName, kafka.Message{Key: ledger.AppendKey(nil, l.Action, l.IdempotencyKey()), WriterData: l.Partition})
	r.said(letter(100), status.Delivered, now.Add(-3*time.Hour), 1)
	r.said(letter(101), status.Delivered, now.Add(-4*24*time.Hour), 1)
	r.said(letter(102), status.Delivered, now.Add(-8*24*time.Hour), 1) // too old to be counted
	r.letters(letter(1), letter(2), letter(3, func(l *deadletter.Record) { l.Reason = "expired" }),
		letter(4, func(l *deadletter.Record) { l.LastFailedAt = now.Add(-2 * time.Hour) }))
	r.await(s, "all is read", func() bool { p := s.Progress(); return p.Messages == 10 && p.Letters == 4 })
	hour := messages.Funnel{
		Destination: "onboarding", Action: "welcome-sms", Counts: messages.Counts{Accepted: 8, Sent: 5, Delivered: 2, Failed: 3, Pending: 2, Unknown: 1},
		Dead: []deadletter.Count{{Value: "rate_limited", N: 2}, {Value: "expired", N: 1}},
	}
	day, week := hour, hour
	day.Accepted, day.Sent, day.Delivered, day.Dead = 9, 6, 3, []deadletter.Count{{Value: "rate_limited", N: 3}, {Value: "expired", N: 1}}
	week.Accepted, week.Sent, week.Delivered, week.Dead = 10, 7, 4, day.Dead
	for span, want := range map[time.Duration]messages.Funnel{time.Hour: hour, 24 * time.Hour: day, 7 * 24 * time.Hour: week} {
		if got := fmt.Sprint(s.Funnel(span)); got != fmt.Sprint([]messages.Funnel{want}) {
			t.Errorf("%v\ngot  %s\nwant %+v", span, got, want)
		}
	}
	for _, c := range []struct {
		span, step time.Duration
		sum        messages.Point
	}{{time.Hour, 5 * time.Minute, messages.Point{Accepted: 8, Delivered: 2, Failed: 3}}, {7 * 24 * time.Hour, time.Hour, messages.Point{Accepted: 10, Delivered: 4, Failed: 3}}} {
		points := s.Messages(c.span, c.step)
		var sum messages.Point
		for i, p := range points {
			sum.Accepted, sum.Delivered, sum.Failed = sum.Accepted+p.Accepted, sum.Delivered+p.Delivered, sum.Failed+p.Failed
			if i > 0 && p.From.Sub(points[i-1].From) != c.step {
				t.Errorf("a gap before %v", p.From)
			}
		}
		if n := int(c.span/c.step) + 1; sum != c.sum || len(points) != n && len(points) != n+1 {
			t.Errorf("%v by %v: %+v in %d points, want %+v", c.span, c.step, sum, len(points), c.sum)
		}
	}
	if average, ok := s.Segments("onboarding", "welcome-sms"); average != 2 || !ok {
		t.Errorf("%v segments, %t", average, ok)
	}
	if _, ok := s.Segments("onboarding", "unheard-of"); ok {
		t.Error("segments of an unheard-of action")
	}
}

// The oldest hours go when there are too many.
func TestMessagesAreBounded(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Limits.Messages = 30
	for n := range 100 {
		r.said(letter(n), status.Delivered, time.Now().Add(-time.Duration(n)*time.Hour/10), 1)
	}
	s := r.loaded(cfg)
	p := s.Progress()
	if p.Messages > 30 || p.Messages < 15 {
		t.Errorf("%+v", p)
	}
	counted := 0
	for _, f := range s.Funnel(24 * time.Hour) {
		counted += f.Accepted
	}
	if counted != p.Messages {
		t.Errorf("%d are counted of %d", counted, p.Messages)
	}
	r.said(letter(1000), status.Delivered, time.Now().Add(-9*time.Hour), 1)
	r.said(letter(1001), status.Delivered, time.Now(), 1)
	r.await(s, "a new one", func() bool {
		lately := s.Funnel(4 * time.Minute)
		return len(lately) == 1 && lately[0].Accepted == 2 && s.Progress().Messages <= 30
	})
}
