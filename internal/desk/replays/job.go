package replays

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/words"
	"engage-worker/internal/letters"
)

// job is a plan and its carrying out.
type job struct {
	m        *Manager
	id       string
	options  Options
	asked    string
	begun    time.Time
	progress deadletter.Progress
	replayer *deadletter.Replayer // the goroutine's that is at the job

	mu     sync.Mutex
	state  State
	ended  time.Time
	cancel context.CancelFunc // of the goroutine
	plan   *deadletter.Plan   // nil until it is made
	sums   sums
	report deadletter.Report
	err    string
}

// sums are what is counted of a plan once.
type sums struct {
	reasons              []deadletter.Count
	segments, segmentsOf int
}

// work plans, and is called in a goroutine of its own.
func (j *job) work(ctx context.Context) {
	audit, err := j.m.cfg.OpenAudit(ctx, false)
	if err == nil {
		j.replayer.Audit = audit
		var plan *deadletter.Plan
		if plan, err = j.replayer.Plan(ctx, &j.progress); err == nil {
			j.planned(plan)
			return
		}
	}
	j.closeAudit()
	j.end(ctx, err)
}

func (j *job) planned(plan *deadletter.Plan) {
	s := sums{reasons: plan.Reasons()}
	for _, of := range plan.Actions() {
		if average, ok := j.m.cfg.Store.Segments(of.Destination, of.Action); ok {
			s.segments += int(math.Ceil(average * float64(of.N)))
			s.segmentsOf += of.N
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.plan, j.sums, j.state = plan, s, Planned
	j.report.Left = plan.Send()
}

// carryOut replays, likewise.
func (j *job) carryOut(ctx context.Context) {
	var err error
	if j.replayer.Audit == nil {
		j.replayer.Audit, err = j.m.cfg.OpenAudit(ctx, true)
	}
	if err == nil {
		j.replayer.Progress = j.reports
		var report deadletter.Report
		report, err = j.replayer.Run(ctx, j.plan)
		j.reports(report)
	}
	j.closeAudit()
	j.end(ctx, err)
}

func (j *job) reports(r deadletter.Report) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.report = r
	j.report.PassedOver = maps.Clone(r.PassedOver)
}

// closeAudit gives the record of replays up: it was written, or won't be.
func (j *job) closeAudit() {
	if j.replayer.Audit != nil {
		_ = j.replayer.Audit.Close() // nothing is under way
		j.replayer.Audit = nil
	}
}

// end notes how it ended.
func (j *job) end(ctx context.Context, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = time.Now()
	switch {
	case err == nil:
		j.state = Done
	case ctx.Err() != nil:
		j.state = Stopped
	default:
		j.state, j.err = Failed, j.m.cfg.Explain(err)
	}
}

// under reports whether a goroutine is at the job.
func (j *job) underWay() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state == Planning || j.state == Running
}

// series is the first plan of those that go on with one another.
func (j *job) series() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.plan == nil {
		return j.id
	}
	return j.plan.Series
}

// view is the job as it is now, without its Outcome.
func (j *job) view() View {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := View{
		ID: j.id, State: j.state, By: j.options.By, Begun: j.begun, Ended: j.ended, Asked: j.asked, Words: letters.AskedInWords(j.asked),
		Read: j.progress.Done(), ToRead: j.progress.Total(), Published: j.report.Published, Left: j.report.Left, Err: j.err,
		PassedOver: []PassedOver{}, Outcome: []Became{},
	}
	if j.plan == nil {
		return v
	}
	v.Chosen, v.Send, v.Later = j.plan.Chosen, j.plan.Send(), j.plan.Later
	v.Reasons, v.Segments, v.SegmentsOf = j.sums.reasons, j.sums.segments, j.sums.segmentsOf
	if j.plan.Continues() {
		v.Continues = j.plan.Series
	}
	if v.Send > 0 {
		v.Estimate = words.Lasting(time.Duration(math.Ceil(float64(v.Send)/j.options.Rate)) * time.Second)
	}
	passed := maps.Clone(j.plan.PassedOver)
	for why, n := range j.report.PassedOver {
		passed[why] += n
	}
	for _, why := range letters.Whys() {
		if n := passed[why]; n > 0 {
			because, _ := letters.PassedOver(why, j.plan.Continues(), j.options.MaxReplays)
			v.PassedOver = append(v.PassedOver, PassedOver{why, because, n})
		}
	}
	if (v.State == Stopped || v.State == Failed) && v.Left > 0 {
		v.WayOut = goOn
	}
	return v
}

// latestFirst orders views.
func latestFirst(views []View) {
	slices.SortStableFunc(views, func(a, b View) int { return cmp.Or(b.Begun.Compare(a.Begun), cmp.Compare(b.ID, a.ID)) })
}
