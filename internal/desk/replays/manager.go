package replays

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/letters"
)

// Options are what is to be replayed, and how.
type Options struct {
	Filter       deadletter.Filter
	Since, Until string  // as they were given, where Filter has what that means now; "": as Filter has them
	Rate         float64 // events per second; 0: 20
	MaxReplays   int     // 0: 3
	Limit        int     // 0: none

	Ambiguous, EvenIfSent, Undelivered, Again bool

	By string // who replays, for the record
}

const (
	usualRate, slowest, fastest = 20, 0.01, 100_000
	usualReplays                = 3
)

// checked is with what wasn't said.
func (o Options) checked() (Options, error) {
	if o.Rate == 0 {
		o.Rate = usualRate
	}
	if o.MaxReplays == 0 {
		o.MaxReplays = usualReplays
	}
	switch {
	case !(o.Rate >= slowest && o.Rate <= fastest): // NaN is neither
		return o, fmt.Errorf("the rate must be from %g to %d events a second", slowest, fastest)
	case o.MaxReplays < 1:
		return o, errors.New("how often one may be replayed must be 1 or more")
	case o.Limit < 0:
		return o, errors.New("the limit must be 0 or more")
	case strings.TrimSpace(o.By) == "":
		return o, errors.New("who replays must be said")
	}
	return o, nil
}

// Config is what a Manager works with.
type Config struct {
	// Planner is what Options say nothing of, without an Audit: letters.Desk's.
	Planner deadletter.Planner
	// OpenAudit opens the record of replays: nil where there is none, or with create
	// that is made.
	OpenAudit func(ctx context.Context, create bool) (*deadletter.AuditLog, error)
	Store     *store.Store
	// Explain puts an error of Kafka's into words.
	Explain func(error) string
}

// Manager plans, carries out, and remembers what it did. It is safe for
// concurrent use.
type Manager struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // the jobs' goroutines

	mu     sync.Mutex
	closed bool
	jobs   []*job // the latest last
}

// New makes a Manager. Close it in the end.
func New(cfg Config) *Manager {
	m := &Manager{cfg: cfg}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Close stops all jobs, which write down how far they came, and waits for them.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.work.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		j.closeAudit()
	}
}

var (
	// ErrUnknown says that there is no such job.
	ErrUnknown = errors.New("there is no such replay here")
	// ErrState says that a job isn't in a state to be started or stopped.
	ErrState = errors.New("the replay isn't in a state for that")
	// ErrBusy says that as many jobs are under way as may be.
	ErrBusy = errors.New("too many replays are under way here: wait for one to end, or stop one")
	// ErrLoading says that the store hasn't read the topics yet.
	ErrLoading = errors.New("the dead letters aren't read yet")
)

const (
	mostUnderWay = 4
	// mostJobs bounds how many are remembered; a plan takes 300 bytes a letter.
	mostJobs = 20
)

// Plan begins to plan, and returns at once: the job's View tells when it is
// Planned, and what would be done. Nothing is changed. The error is of the
// options, ErrBusy, or ctx's where nobody waits for the View any more.
func (m *Manager) Plan(ctx context.Context, o Options) (View, error) {
	o, err := o.checked()
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return View{}, err
	}
	choice := letters.Choice{Filter: o.Filter, Since: o.Since, Until: o.Until, EvenIfSent: o.EvenIfSent, Undelivered: o.Undelivered, Again: o.Again}
	planner := m.cfg.Planner
	planner.ID, planner.Filter, planner.MaxReplays, planner.Limit, planner.By = deadletter.NewPlanID(), o.Filter, o.MaxReplays, o.Limit, o.By
	planner.Ambiguous, planner.EvenIfSent, planner.Undelivered, planner.Again = o.Ambiguous, o.EvenIfSent, o.Undelivered, o.Again
	planner.Selection, planner.Asked = choice.Selection(), choice.Asked()
	j := &job{
		m: m, id: planner.ID, options: o, asked: planner.Asked, begun: time.Now(), state: Planning,
		replayer: &deadletter.Replayer{Planner: planner, Rate: o.Rate},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.room(); err != nil {
		return View{}, err
	}
	m.jobs = append(m.jobs, j)
	m.begin(j, j.work)
	return j.view(), nil
}

// room makes room for another job. The caller holds the lock.
func (m *Manager) room() error {
	if n := m.underWay(); m.closed || n >= mostUnderWay {
		return ErrBusy
	}
	for len(m.jobs) >= mostJobs {
		i := slices.IndexFunc(m.jobs, func(j *job) bool { return !j.underWay() })
		m.jobs[i].closeAudit()
		m.jobs = slices.Delete(m.jobs, i, i+1)
	}
	return nil
}

func (m *Manager) underWay() (n int) {
	for _, j := range m.jobs {
		if j.underWay() {
			n++
		}
	}
	return n
}

// begin has a goroutine at a job. The caller holds the lock.
func (m *Manager) begin(j *job, work func(context.Context)) {
	ctx, cancel := context.WithCancel(m.ctx)
	j.mu.Lock()
	j.cancel = cancel
	j.mu.Unlock()
	m.work.Go(func() {
		defer cancel()
		work(ctx)
	})
}

// Start carries a plan out, in the background. The error is ErrUnknown, ErrState
// or ErrBusy.
func (m *Manager) Start(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.find(id)
	if j == nil {
		return ErrUnknown
	}
	if m.closed || m.underWay() >= mostUnderWay {
		return ErrBusy
	}
	j.mu.Lock()
	// Of an interrupted replay of which nothing is left the end is written down.
	startable := j.state == Planned && (j.plan.Send() > 0 || j.plan.Continues())
	if startable {
		j.state = Running
	}
	j.mu.Unlock()
	if !startable {
		return ErrState
	}
	m.begin(j, j.carryOut)
	return nil
}

// Stop ends a job after what is on its way, and a plan that isn't started. The
// error is ErrUnknown or ErrState.
func (m *Manager) Stop(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.find(id)
	if j == nil {
		return ErrUnknown
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch j.state {
	case Planning, Running:
		j.cancel()
	case Planned:
		j.state, j.ended = Stopped, time.Now()
		j.closeAudit()
	default:
		return ErrState
	}
	return nil
}

// find is a job of this desk's, nil where there is none. The caller holds the lock.
func (m *Manager) find(id string) *job {
	for _, j := range m.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// Job is one job, of this desk's or of the record of replays; ok is false where
// there is none.
func (m *Manager) Job(id string) (View, bool) {
	all := m.Jobs()
	for _, is := range []func(View) bool{
		func(v View) bool { return v.ID == id },
		func(v View) bool { return v.Continues == id }, // its first plan
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], true
		}
	}
	return View{}, false
}

// Jobs are all that are known, the latest first. Of a replay that another one goes
// on with there is one View for each that this desk has carried out.
func (m *Manager) Jobs() []View {
	m.mu.Lock()
	jobs := slices.Clone(m.jobs)
	m.mu.Unlock()
	outcomes := map[string]map[deadletter.State]int{}
	var recordedSeries []audits.Series
	if m.cfg.Store != nil {
		recordedSeries = m.cfg.Store.Series()
	}
	for _, s := range recordedSeries {
		outcomes[s.ID] = s.Outcome
	}
	here := map[string]string{} // the last job of a series
	for _, j := range jobs {
		here[j.series()] = j.id
	}
	now := time.Now()
	views := []View{}
	for _, j := range jobs {
		v, series := j.view(), j.series()
		if v.Published > 0 || v.Continues != "" {
			v = v.awaited(outcomes[series], now)
		}
		if last := here[series]; last != j.id && v.WayOut != "" {
			v.WayOut = "Replay " + last + " goes on with this one."
		}
		views = append(views, v)
	}
	for _, s := range recordedSeries {
		if _, ok := here[s.ID]; !ok {
			views = append(views, recorded(s, now))
		}
	}
	latestFirst(views)
	return views
}
