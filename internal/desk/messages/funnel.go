package messages

import (
	"time"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// Counts are messages by what became of them.
type Counts struct {
	Accepted  int `json:"accepted"` // all that Twilio accepted
	Sent      int `json:"sent"`     // of those: handed on, delivered or not
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`  // or undelivered, or canceled
	Pending   int `json:"pending"` // their end isn't known yet
	Unknown   int `json:"unknown"` // nobody told it
}

// Add adds others.
func (c *Counts) Add(o Counts) {
	c.Accepted, c.Sent, c.Delivered = c.Accepted+o.Accepted, c.Sent+o.Sent, c.Delivered+o.Delivered
	c.Failed, c.Pending, c.Unknown = c.Failed+o.Failed, c.Pending+o.Pending, c.Unknown+o.Unknown
}

// sum is what the states of messages mean.
func (c *counts) sum() Counts {
	n := func(of ...status.State) (all int) {
		for _, state := range of {
			all += int(c[state])
		}
		return all
	}
	s := Counts{
		Delivered: n(status.Delivered, status.Read), Failed: n(status.Undelivered, status.Failed, status.Canceled),
		Pending: n(status.Accepted, status.Sent), Unknown: n(status.Unknown),
	}
	s.Accepted = s.Delivered + s.Failed + s.Pending + s.Unknown
	s.Sent = s.Accepted - n(status.Accepted, status.Failed, status.Canceled)
	return s
}

// Funnel is what became of the messages of an action that were accepted in a span.
type Funnel struct {
	Destination, Action string
	Counts
	Dead []deadletter.Count // letters that failed in the span, by reason, most first; set by who knows them
}

// Died is how many letters failed in the span.
func (f *Funnel) Died() (n int) {
	for _, c := range f.Dead {
		n += c.N
	}
	return n
}

// Point counts the messages that were accepted in a step of time.
type Point struct {
	From      time.Time `json:"from"`
	Accepted  int       `json:"accepted"`
	Delivered int       `json:"delivered"` // of those, with what was read
	Failed    int       `json:"failed"`    // likewise, with undelivered and canceled
}

// buckets are an action's of a span before now, and their length in seconds.
func (a *action) buckets(span time.Duration) (of map[int64]*counts, length int64) {
	if span <= 24*time.Hour {
		return a.minutes, 60
	}
	return a.hours, 3600
}

// Longest is how far back messages are counted.
const Longest = 7 * 24 * time.Hour

// Funnels tell what became of what was accepted in the last span, at most Longest, of
// each action that there is.
func (m *Messages) Funnels(span time.Duration, now time.Time) (all []Funnel) {
	from := now.Add(-min(span, Longest)).Unix()
	for _, a := range m.actions {
		f := Funnel{Destination: a.destination, Action: a.action}
		buckets, length := a.buckets(span)
		for at, c := range buckets {
			if at+length > from {
				f.Add(c.sum())
			}
		}
		all = append(all, f)
	}
	return all
}

// Points count what was accepted in the last span by steps, the oldest first. A
// step is a whole number of minutes, or of hours where the span is above a day.
func (m *Messages) Points(span, step time.Duration, now time.Time) []Point {
	span = min(span, Longest)
	unit := time.Minute
	if span > 24*time.Hour {
		unit = time.Hour
	}
	seconds := int64(max(unit, step.Round(unit)) / time.Second)
	end := now.Unix()
	first := end - int64(span/time.Second)
	first -= first % seconds
	points := make([]Point, (end-first)/seconds+1)
	for i := range points {
		points[i].From = time.Unix(first+int64(i)*seconds, 0).UTC()
	}
	for _, a := range m.actions {
		buckets, _ := a.buckets(span)
		for at, c := range buckets {
			if at < first {
				continue
			}
			p := &points[min((at-first)/seconds, int64(len(points)-1))]
			sum := c.sum()
			p.Accepted, p.Delivered, p.Failed = p.Accepted+sum.Accepted, p.Delivered+sum.Delivered, p.Failed+sum.Failed
		}
	}
	return points
}

// Segments is how many segments a message of an action has had on average. ok is
// false where none is known.
func (m *Messages) Segments(destination, action string) (average float64, ok bool) {
	n, ok := m.index[actionName{destination, m.present(destination, action)}]
	if !ok || m.actions[n].of == 0 {
		return 0, false
	}
	a := m.actions[n]
	return float64(a.segments) / float64(a.of), true
}
