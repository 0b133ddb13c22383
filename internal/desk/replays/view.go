package replays

import (
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/store"
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
	Why   deadletter.Why
	Words string
	N     int
}

// View is a job as it is now.
type View struct {
	ID     string
	State  State
	Here   bool // it is this desk's, and not known from the record of replays alone
	By     string
	Begun  time.Time // when it was planned; of the record, when it began
	Ended  time.Time // zero: it hasn't, or nobody knows when
	Asked  string    // what for, as letters.Choice.Asked writes it; "": it isn't known
	Words  string    // likewise, for people
	WayOut string    // how to go on, in words; "" where nothing is left to do

	// Of the plan; zero where the record of replays is all that is known.
	Options      Options
	Read, ToRead int64  // offsets, while it is Planning
	Chosen       int    // each delivery once
	Send         int    // that are replayed
	Later        int    // beyond the limit
	Begin        int    // of Send: begun by a replay that was cut off; they come last, after a wait to be sure
	Continues    string // the interrupted replay that it goes on with; "": none
	PassedOver   []PassedOver
	Reasons      []deadletter.Count // of Send
	Estimate     time.Duration      // of all of it
	Segments     int                // of Send, about; 0: not known
	SegmentsOf   int                // of Send: those whose segments are estimated

	Published int
	Left      int                      // interrupted before them, or still to come
	Outcome   map[deadletter.State]int // of what was published, as the store knows it now; what the store has forgotten is left out
	Err       string                   // in words; "" if nothing went wrong
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
	v.Outcome = outcome
	if v.State == Done && outcome[deadletter.StateReplayed] > 0 && now.Sub(v.Ended) < waitingFor {
		v.State = Waiting
	}
	return v
}

// elsewhereFor is how long ago a replay may have written something down and still
// be going on.
const elsewhereFor = 3 * time.Minute

// recorded is what the record of replays tells of a series.
func recorded(s store.Series, now time.Time) View {
	v := View{
		ID: s.ID, By: s.By, Begun: s.Begun, Ended: s.Finished, Asked: s.Asked, Published: s.Published, Left: s.Intended, State: Done,
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
