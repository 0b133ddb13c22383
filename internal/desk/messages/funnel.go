package messages

import (
	"time"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// Funnel is what became of the messages of an action.
type Funnel struct {
	Destination, Action string

	Accepted int // all that Twilio accepted in the span
	// Of those, by the last status.
	Pending     int // accepted, and not handed on yet
	Sent        int // handed on, and the end isn't known yet
	Delivered   int // without those that were read
	Read        int
	Undelivered int
	Failed      int
	Canceled    int
	Unknown     int // the end was never told

	Dead []deadletter.Count // letters that failed in the span, by reason, most first; set by who knows them
}

// add adds messages that were accepted in the span.
func (f *Funnel) add(c *counts) {
	for state, to := range map[status.State]*int{
		status.Accepted: &f.Pending, status.Sent: &f.Sent, status.Delivered: &f.Delivered, status.Read: &f.Read,
		status.Undelivered: &f.Undelivered, status.Failed: &f.Failed, status.Canceled: &f.Canceled, status.Unknown: &f.Unknown,
	} {
		*to += int(c[state])
		f.Accepted += int(c[state])
	}
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
				f.add(c)
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
			for state, n := range c {
				p.Accepted += int(n)
				switch status.State(state) {
				case status.Delivered, status.Read:
					p.Delivered += int(n)
				case status.Undelivered, status.Failed, status.Canceled:
					p.Failed += int(n)
				}
			}
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
