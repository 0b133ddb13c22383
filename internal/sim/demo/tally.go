package demo

import (
	"net/url"
	"sync"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/twiliosim"
)

// tally compares what should become of the events with what did. It is safe
// for concurrent use.
type tally struct {
	mu       sync.Mutex
	keep     int            // how many events are known one by one; the oldest are forgotten beyond
	expected map[became]int // deliveries
	ids      map[string]*fate
	order    []string          // of ids, the oldest first
	letters  map[string]string // messages' ids by those of their dead letters
	forgot   bool
	events   int // told of, the repeated ones too
	accepted int // messages
	failing  int // of them: those that will fail
	unasked  int // messages of the demo's events that nobody should have got
	others   int // messages of events that the demo didn't make
	twice    int // messages beyond an event's first
}

// fate is an event's, in the destination of its region.
type fate struct {
	want     became
	accepted int
	dead     bool
	replays  int
}

func newTally(keep int) *tally {
	return &tally{keep: keep, expected: map[became]int{}, ids: map[string]*fate{}, letters: map[string]string{}}
}

// expect is told of each event before it is published; again is true for an
// event that was published already and sent.
func (t *tally) expect(ev sample.Event, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events++
	for _, d := range destinations {
		want := became{d.name, "skipped", outcome.ReasonNoMatch.String()}
		switch reason := ev.SMS; {
		case ev.Kind == sample.Malformed:
			want.outcome, want.reason = "dead_letter", reason.String()
		case ev.Region != d.region || reason == outcome.ReasonNoMatch:
		case again:
			want.reason = outcome.ReasonDuplicate.String()
		case reason == outcome.ReasonNone:
			want.outcome, want.reason = "sent", ""
		case skipping(reason):
			want.reason = reason.String()
		default:
			want.outcome, want.reason = "dead_letter", reason.String()
		}
		t.expected[want]++
		if d.region == ev.Region && !again && ev.Kind != sample.Malformed {
			t.remember(ev.MessageID, want)
		}
	}
}

// skipping tells a skip's reason from a failure's.
func skipping(r outcome.Reason) bool {
	switch r {
	case outcome.ReasonNotSubscribed, outcome.ReasonInvalidSubscriptionStatus, outcome.ReasonNoRecipient,
		outcome.ReasonSendDisabled, outcome.ReasonDuplicate, outcome.ReasonDuplicateDiffers, outcome.ReasonTombstone, outcome.ReasonNoMatch:
		return true
	}
	return false
}

func (t *tally) remember(id string, want became) {
	t.ids[id] = &fate{want: want}
	t.order = append(t.order, id)
	if len(t.order) > t.keep {
		delete(t.ids, t.order[0])
		t.order = t.order[1:]
		t.forgot = true
	}
}

// sent is told of each message that the simulated Twilio accepted. The event's
// id comes back in the callback's address, where the demo's mapping puts it.
func (t *tally) sent(m twiliosim.Message) {
	id := ""
	if callback, err := url.Parse(m.Value("StatusCallback")); err == nil {
		id = callback.Query().Get(messageIDArg)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted++
	if m.Code != 0 {
		t.failing++
	}
	f := t.ids[id]
	switch {
	case f == nil && !t.forgot:
		t.others++
	case f == nil:
	case f.want.outcome != "sent":
		t.unasked++
	default:
		if f.accepted++; f.accepted > 1 {
			t.twice++
		}
	}
}

// buried is told of each dead letter.
func (t *tally) buried(r *deadletter.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.ids[r.MessageID]
	if f == nil || f.want.destination != r.Destination {
		return
	}
	t.letters[r.ID()] = r.MessageID
	// What the director's refusal makes of a message that would have been sent.
	if refused := (became{r.Destination, "dead_letter", outcome.ReasonSenderRejected.String()}); r.Reason == refused.reason && !f.dead {
		t.expected[f.want]--
		t.expected[refused]++
	}
	f.dead = true
}

// replayed is told of each replay of a dead letter that buried was told of.
func (t *tally) replayed(letter string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.ids[t.letters[letter]]; f != nil {
		f.replays++
	}
}

// due is how many deliveries of a destination should be settled, once
// everything is.
func (t *tally) due(destination string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for b, count := range t.expected {
		if b.destination == destination {
			n += count
		}
	}
	return n
}

// made is how many events were announced so far, before they are published.
func (t *tally) made() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events
}

// messages is how many were accepted so far.
func (t *tally) messages() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted
}

// verdict is what the comparison comes to.
type verdict struct {
	expected map[became]int
	lost     int // neither sent nor in the dead-letter topic, though one of them was due
	twice    int
	unasked  int
	untold   int // messages whose end isn't known as it is, or failures without a dead letter
}

// judge says so once all is settled. malformed is how many dead letters of
// malformed events there are; they have no id. undelivered is how many there are
// of messages that failed later.
func (t *tally) judge(malformed, undelivered int, f funnel) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := verdict{expected: t.expected, twice: t.twice, unasked: t.unasked}
	v.untold = differ(f.delivered, t.accepted-t.failing) + differ(f.failed, t.failing) + differ(undelivered, t.failing)
	for _, f := range t.ids {
		v.twice -= min(max(0, f.accepted-1), f.replays) // somebody wanted these
		if f.want.outcome != "skipped" && f.accepted == 0 && !f.dead {
			v.lost++
		}
	}
	for b, n := range t.expected {
		if b.reason == outcome.ReasonMalformedEvent.String() {
			malformed -= n
		}
	}
	v.lost += max(0, -malformed)
	return v
}

func differ(a, b int) int { return max(a-b, b-a) }
