package replays

import (
	"context"
	"errors"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/store"
)

// Options are what is to be replayed, and how.
type Options struct {
	Filter     deadletter.Filter
	Rate       float64 // events per second; 0: 20
	MaxReplays int     // 0: 3
	Limit      int     // 0: none

	Ambiguous, EvenIfSent, Undelivered, Again bool

	By string // who replays, for the record
}

// State is how far a job is.
type State string

const (
	Planning State = "planning"
	Planned  State = "planned" // and waits for Start
	Running  State = "running"
	Waiting  State = "waiting" // all is published; what comes of it is awaited
	Done     State = "done"
	Stopped  State = "stopped"
	Failed   State = "failed"
	// Elsewhere: another desk or `dlq replay` is at it.
	Elsewhere State = "elsewhere"
	// Interrupted: it was begun and is neither finished nor going on.
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
	By     string
	Begun  time.Time // when it was planned; for those of the record, when it began
	Ended  time.Time // zero: it hasn't
	Asked  string    // what for, as letters.Choice.Query writes it; "": it isn't known
	Words  string    // likewise, for people
	WayOut string    // how to go on, in words; "" where nothing is left to do

	// Of the plan; zero where the record of replays is all that is known.
	Read, ToRead int64 // offsets, while it is Planning
	Chosen       int
	Send         int
	Later        int    // beyond the limit
	Continues    string // the interrupted replay that it goes on with
	PassedOver   []PassedOver
	Reasons      []deadletter.Count // of Send
	Estimate     time.Duration
	Segments     int // about; 0: not known
	SegmentsOf   int // of Send: those whose segments are known

	Published int
	Left      int
	Outcome   map[deadletter.State]int // of Published, as it is known now
	Err       string                   // in words; "" if nothing went wrong
}

// Config is what a Manager works with.
type Config struct {
	// Planner is the desk's, without Filter and what else Options say, and
	// without an Audit. Each job works on a copy.
	Planner deadletter.Planner
	// OpenAudit opens the record of replays; with make it is made where there is none.
	OpenAudit func(ctx context.Context, make bool) (*deadletter.AuditLog, error)
	Store     *store.Store
	// Explain puts an error of Kafka's into words; nil: its own.
	Explain func(error) string
}

// Manager plans, carries out, and remembers what it did. It is safe for
// concurrent use.
type Manager struct {
	cfg Config
}

// New makes a Manager. Close it in the end.
func New(cfg Config) *Manager { return &Manager{cfg: cfg} }

var (
	// ErrUnknown says that there is no such job.
	ErrUnknown = errors.New("there is no such replay")
	// ErrState says that a job isn't in a state to be started or stopped.
	ErrState = errors.New("the replay isn't in a state for that")
	// ErrBusy says that as many jobs are under way as may be.
	ErrBusy = errors.New("too many replays are under way here: wait for one to end, or stop one")
)

// Plan begins to plan, and returns at once: the job's View tells when it is
// Planned, and what would be done. Nothing is changed.
func (m *Manager) Plan(ctx context.Context, o Options) (View, error) { return View{}, ErrBusy }

// Start carries a plan out, in the background.
func (m *Manager) Start(id string) error { return ErrUnknown }

// Stop ends a job after what is on its way.
func (m *Manager) Stop(id string) error { return ErrUnknown }

// Job is one job; ok is false where there is none.
func (m *Manager) Job(id string) (View, bool) { return View{}, false }

// Jobs are all that are known, the latest first.
func (m *Manager) Jobs() []View { return nil }

// Dismiss closes the letters that a filter chooses, or with reopen opens dismissed
// ones again, by whom and why. It returns how many; those in a state that isn't for
// it are passed over.
func (m *Manager) Dismiss(ctx context.Context, f deadletter.Filter, by, why string, reopen bool) (int, error) {
	return 0, nil
}

// Close stops all jobs and waits for them.
func (m *Manager) Close() {}
