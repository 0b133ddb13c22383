package status

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"engage-worker/actions/twilio"
	"engage-worker/internal/metrics"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

// Sweep asks Twilio what became of the messages that nobody told of.
//
//	survey ─ due ─ read their records ─ by region ─┬─ many: pages of the list ─┬─ Apply, or asked
//	                                               └─ the rest: one by one ────┘
type Sweep struct {
	Destination string
	SweepAfter  time.Duration
	GiveUpAfter time.Duration
	Followers   []*Follower
	Asked       asked
	Turns       turns
	Metrics     *metrics.Metrics
	Log         zerolog.Logger
}

// asked is what *actions.Destination does.
type asked interface {
	Present(region string) string
	Report(ctx context.Context, region, sid string) (twilio.Report, error)
	Reports(ctx context.Context, region string, from, until time.Time, page string, each func(twilio.Report)) (next string, err error)
}

// turns lets a request to a region's Twilio through when nothing that is to be sent
// waits for the region, and the rate of such requests allows it.
type turns interface {
	Take(ctx context.Context, region string) (Turn, error)
}

// Turn is the right to one request. Start says that it leaves now, and reports
// whether it may; Done gives it back with what came of it.
type Turn interface {
	Start() bool
	Done(ratelimit.Verdict)
}

const (
	// dueAtOnce bounds the messages that are asked for in one round.
	dueAtOnce = 2000

	// pageWorth is how many messages a page must tell of to be cheaper than
	// asking for each.
	pageWorth = 10

	// askedAtOnce bounds the requests that are under way.
	askedAtOnce = 4

	// longestWait is between two surveys at most.
	longestWait = 10 * time.Second

	// clockMargin is what Twilio's clock and ours may differ.
	clockMargin = time.Minute

	// unansweredMore is how long beyond GiveUpAfter a message is kept that
	// Twilio couldn't be asked of.
	unansweredMore = 24 * time.Hour
)

// Run surveys and asks until ctx ends.
func (s *Sweep) Run(ctx context.Context) {
	defer s.Metrics.MessagesPending.WithLabelValues(s.Destination).Set(0)
	defer s.Metrics.OldestPending.WithLabelValues(s.Destination).Set(0)
	every := max(50*time.Millisecond, min(time.Second, s.SweepAfter/4))
	failures := pause.Growing(time.Second, time.Minute)
	for wait := every; pause.For(ctx, wait); {
		due, took := s.survey(ctx, time.Now())
		// Looking takes a hundredth of the time at most.
		wait = max(every, min(100*took, longestWait))
		if len(due) == 0 {
			continue
		}
		if err := s.ask(ctx, due); err != nil {
			wait = max(wait, failures.NextBackOff())
			if ctx.Err() == nil {
				s.Log.Debug().Err(err).Dur("pause", wait).Msg("what became of messages can't be asked at the moment")
			}
			continue
		}
		failures.Reset()
		if len(due) == dueAtOnce {
			wait = time.Millisecond // there are more
		}
	}
}

// survey looks through the followers' indexes, sets the gauges, and returns
// the messages that are due, and how long looking took.
func (s *Sweep) survey(ctx context.Context, now time.Time) (all []Due, took time.Duration) {
	pending, oldest := 0, time.Time{}
	for _, f := range s.Followers {
		began := time.Now()
		found := f.survey(now, dueAtOnce/len(s.Followers)+1)
		took += time.Since(began)
		pending += found.Pending
		if !found.Oldest.IsZero() && (oldest.IsZero() || found.Oldest.Before(oldest)) {
			oldest = found.Oldest
		}
		due, err := f.due(ctx, found)
		if err == nil {
			err = f.refill(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn().Err(err).Msg("the status topic can't be read; trying again")
		}
		all = append(all, due...)
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, now.Sub(oldest).Seconds())
	}
	s.Metrics.MessagesPending.WithLabelValues(s.Destination).Set(float64(pending))
	s.Metrics.OldestPending.WithLabelValues(s.Destination).Set(age)
	return all, took
}

// answer is what Twilio said of a message; a nil report means that it has no
// such message.
type answer struct {
	due    *Due
	report *twilio.Report
}

// ask asks for the messages and passes on what is said of them. The error is
// the first that asking met; what was answered before it counts.
func (s *Sweep) ask(ctx context.Context, due []Due) error {
	regions := map[string][]*Due{}
	for i := range due {
		region := s.Asked.Present(due[i].Record.Region)
		regions[region] = append(regions[region], &due[i])
	}
	var errs []error
	for region, of := range regions {
		answers, err := s.askRegion(ctx, region, of)
		errs = append(errs, err, s.tell(ctx, answers, of))
	}
	return errors.Join(errs...)
}

// askRegion asks for a region's: the list, as long as its pages are worth it, and
// then for each that it didn't show.
func (s *Sweep) askRegion(ctx context.Context, region string, of []*Due) ([]answer, error) {
	slices.SortFunc(of, func(a, b *Due) int { return a.Record.AcceptedAt.Compare(b.Record.AcceptedAt) })
	answers, err := s.askPages(ctx, region, of)
	if err != nil {
		return answers, err
	}
	told := map[string]bool{}
	for _, a := range answers {
		told[a.due.Record.SID] = true
	}
	var mu sync.Mutex
	singles, ctx := errgroup.WithContext(ctx)
	singles.SetLimit(askedAtOnce)
	for _, d := range of {
		if told[d.Record.SID] {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		singles.Go(func() error {
			report, err := s.askOne(ctx, region, d.Record.SID)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, answer{d, report})
			return nil
		})
	}
	err = singles.Wait()
	return answers, err
}

// askPages asks for the pages of the list between the first and the last of
// the messages, which are sorted by time, newest first.
func (s *Sweep) askPages(ctx context.Context, region string, of []*Due) (answers []answer, err error) {
	if len(of) < pageWorth {
		return nil, nil
	}
	bySID := make(map[string]*Due, len(of))
	for _, d := range of {
		bySID[d.Record.SID] = d
	}
	from := of[0].Record.AcceptedAt.Add(-clockMargin)
	until := of[len(of)-1].Record.AcceptedAt.Add(s.SweepAfter + clockMargin)
	for page := ""; len(bySID) >= pageWorth; {
		found := 0
		err = s.request(ctx, region, "page", func(ctx context.Context) error {
			var err error
			page, err = s.Asked.Reports(ctx, region, from, until, page, func(r twilio.Report) {
				if d, ok := bySID[r.SID]; ok {
					found++
					delete(bySID, r.SID)
					answers = append(answers, answer{d, &r})
				}
			})
			return err
		})
		if err != nil || page == "" || found < pageWorth {
			return answers, err
		}
	}
	return answers, nil
}

// askOne asks for one message; nil without an error where Twilio has none.
func (s *Sweep) askOne(ctx context.Context, region, sid string) (report *twilio.Report, err error) {
	err = s.request(ctx, region, "sid", func(ctx context.Context) error {
		r, err := s.Asked.Report(ctx, region, sid)
		if err == nil {
			report = &r
		}
		if failed, ok := errors.AsType[*twilio.LookupError](err); ok && failed.Status == 404 && !failed.Retryable {
			err = nil
		}
		return err
	})
	return report, err
}

// requestTimeout bounds one request.
const requestTimeout = 30 * time.Second

// request makes one request when its turn has come.
func (s *Sweep) request(ctx context.Context, region, how string, ask func(ctx context.Context) error) error {
	for {
		turn, err := s.Turns.Take(ctx, region)
		if err != nil {
			return err
		}
		if !turn.Start() {
			turn.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
			continue
		}
		asking, cancel := context.WithTimeout(ctx, requestTimeout)
		err = ask(asking)
		cancel()
		turn.Done(verdict(ctx, err))
		result := "ok"
		if err != nil {
			result = "failed"
		}
		s.Metrics.StatusRequests.WithLabelValues(s.Destination, how, result).Inc()
		return err
	}
}

// verdict is what an answer tells the region's gate.
func verdict(ctx context.Context, err error) ratelimit.Verdict {
	failed, ok := errors.AsType[*twilio.LookupError](err)
	switch {
	case err == nil:
		return ratelimit.Verdict{Kind: ratelimit.Delivered}
	case !ok || ctx.Err() != nil:
		return ratelimit.Verdict{Kind: ratelimit.Abandoned}
	case failed.Status == 429:
		return ratelimit.Verdict{Kind: ratelimit.Throttled, RetryAfter: failed.RetryAfter}
	case failed.Retryable:
		return ratelimit.Verdict{Kind: ratelimit.VendorFault}
	default:
		return ratelimit.Verdict{Kind: ratelimit.Refused}
	}
}

// tell passes on what was said of messages, and gives up those of which nothing
// was said for too long.
func (s *Sweep) tell(ctx context.Context, answers []answer, of []*Due) error {
	now := time.Now()
	news := map[*Follower][]News{}
	still := map[*Follower][]Due{}
	told := map[*Due]bool{}
	for _, a := range answers {
		told[a.due] = true
		n, ok := s.newsOf(a, now)
		if ok && n.Status > a.due.Record.Status {
			news[a.due.follower] = append(news[a.due.follower], n)
		} else {
			still[a.due.follower] = append(still[a.due.follower], *a.due)
		}
	}
	for _, d := range of {
		if !told[d] && now.Sub(d.Record.AcceptedAt) > s.GiveUpAfter+unansweredMore {
			news[d.follower] = append(news[d.follower], unknown(d, now))
		}
	}
	var errs []error
	for f, due := range still {
		slices.SortFunc(due, func(a, b Due) int { return cmp.Compare(a.entry.where, b.entry.where) })
		f.asked(due, now)
	}
	for f, all := range news {
		errs = append(errs, f.Apply(ctx, all))
	}
	return errors.Join(errs...)
}

// newsOf is what an answer means for its message; ok is false where it means
// nothing. One that is scheduled for later isn't given up.
func (s *Sweep) newsOf(a answer, now time.Time) (n News, ok bool) {
	tooOld := now.Sub(a.due.Record.AcceptedAt) > s.GiveUpAfter
	if a.report == nil {
		return unknown(a.due, now), tooOld
	}
	state, known := StateOf(a.report.Status)
	if known && state.Final() || !tooOld || a.report.Status == "scheduled" {
		n = News{
			Key: a.due.Key, SID: a.due.Record.SID, Status: state, Code: a.report.Code, By: BySweep, SeenAt: now,
			Segments: a.report.Segments, SentAt: a.report.Sent,
		}
		if state.Final() {
			n.FinalAt = a.report.Updated
		}
		return n, known
	}
	return unknown(a.due, now), true
}

func unknown(d *Due, now time.Time) News {
	return News{Key: d.Key, SID: d.Record.SID, Status: Unknown, By: BySweep, SeenAt: now}
}
