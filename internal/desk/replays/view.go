package replays

import (
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/letters"
)

// State is how far a job is.
type State string

const (
	Planning State = "planning"
	Planned  State = "planned" // and waits for Start
	Running  State = "running"
	Waiting  State = "waiting" // all is published, and what comes of it isn't known of each yet
	Done     State = "done"
	Stopped  State = "stopped"
	Failed   State = "failed"
	// Elsewhere: another desk or `dlq replay` is at it.
	Elsewhere State = "elsewhere"
	// Interrupted: it was begun, isn't finished, and nobody is at it.
	Interrupted State = "interrupted"
)

// PassedOver counts letters that are left out.
type PassedOver struct {
	Why   deadletter.Why `json:"why"`
	Words string         `json:"words"`
	N     int            `json:"n"`
}

// Became counts letters by what became of them.
type Became struct {
	State deadletter.State `json:"state"`
	N     int              `json:"n"`
}

// View is a job as it is now, as its page and /api show it.
type View struct {
	ID     string    `json:"id"`
	State  State     `json:"state"`
	By     string    `json:"by"`
	Begun  time.Time `json:"begun,omitzero"`   // when it was planned; of the record, when it began
	Ended  time.Time `json:"ended,omitzero"`   // zero: it hasn't, or nobody knows when
	Asked  string    `json:"-"`                // what for, as letters.Choice.Asked writes it; "": it isn't known
	Words  string    `json:"selection"`        // likewise, for people
	WayOut string    `json:"wayOut,omitempty"` // how to go on, in words; "" where nothing is left to do

	// Of the plan; zero where the record of replays is all that is known.
	Read       int64              `json:"read,omitempty"` // offsets, while it is Planning
	ToRead     int64              `json:"toRead,omitempty"`
	Chosen     int                `json:"chosen,omitempty"`    // each delivery once
	Send       int                `json:"send"`                // that are replayed
	Later      int                `json:"later,omitempty"`     // beyond the limit
	Continues  string             `json:"continues,omitempty"` // the interrupted replay that it goes on with
	PassedOver []PassedOver       `json:"passedOver"`
	Reasons    []deadletter.Count `json:"reasons,omitempty"`  // of Send
	Estimate   string             `json:"estimate,omitempty"` // how long all of it takes, in words
	Segments   int                `json:"segments,omitempty"` // of Send, about; 0: not known
	SegmentsOf int                `json:"segmentsOf,omitempty"`

	Published int      `json:"published"`
	Left      int      `json:"left"`            // interrupted before them, or still to come
	Outcome   []Became `json:"outcome"`         // of what was published, as the store knows it now; what the store has forgotten is left out
	Err       string   `json:"error,omitempty"` // in words; "" if nothing went wrong
}

// Moving reports whether the replay goes on by itself.
func (v View) Moving() bool {
	return v.State == Planning || v.State == Running || v.State == Waiting
}

// Stoppable reports whether Stop does anything.
func (v View) Stoppable() bool {
	return v.State == Planning || v.State == Running || v.State == Planned
}

// Percent is how far it is.
func (v View) Percent() int {
	switch {
	case v.State == Planning && v.ToRead > 0:
		return int(100 * v.Read / v.ToRead)
	case v.Send > 0:
		return 100 * (v.Send - v.Left) / v.Send
	}
	return 0
}

// Words for whoever wants to go on.
const (
	goOn = "Plan the same again: what was replayed is passed over, and within a day the plan goes on with this one, so that it isn't replayed once more though it may have failed again."

	goOnUnnamed = "Choose the same letters again, and plan: what was replayed is passed over. By what they were chosen isn't written down whole."
)

// waitingFor is for how long after its end a replay is Waiting at most.
const waitingFor = 10 * time.Minute

// awaited is the view with what came of it.
func (v View) awaited(outcome map[deadletter.State]int, now time.Time) View {
	for _, state := range deadletter.AllStates() {
		if n := outcome[state]; n > 0 {
			v.Outcome = append(v.Outcome, Became{state, n})
		}
	}
	if v.State == Done && outcome[deadletter.StateReplayed] > 0 && now.Sub(v.Ended) < waitingFor {
		v.State = Waiting
	}
	return v
}

// elsewhereFor is how long ago a replay may have written something down and still
// be going on.
const elsewhereFor = 3 * time.Minute

// recorded is what the record of replays tells of a series.
func recorded(s audits.Series, now time.Time) View {
	v := View{
		ID: s.ID, By: s.By, Begun: s.Begun, Ended: s.Finished, Asked: s.Asked, Published: s.Published, Left: s.Intended, State: Done,
		PassedOver: []PassedOver{}, Outcome: []Became{},
	}
	if v.Begun.IsZero() {
		v.Begun = s.Last
	}
	if s.Asked != "" {
		v.Words = letters.AskedInWords(s.Asked)
	}
	switch {
	case !s.Finished.IsZero() && !s.Last.After(s.Finished):
	case now.Sub(s.Last) < elsewhereFor:
		v.State, v.Ended = Elsewhere, time.Time{}
	case s.Finished.IsZero():
		v.State, v.WayOut = Interrupted, goOnUnnamed
		if letters.AskedWhole(s.Asked) {
			v.WayOut = goOn
		}
	}
	return v.awaited(s.Outcome, now)
}
