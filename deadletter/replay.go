package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/acked"
	"golang.org/x/time/rate"
)

// Replayer carries out a plan of its Planner's. It needs the Audit.
//
// Each dead letter goes through three steps: Intended in the audit topic, the
// event in the source topic, Published in the audit topic, each acknowledged
// by all in-sync replicas before the next. So whatever is cut off in between,
// the next plan knows: what was published is passed over, what was intended is
// looked for in the source and published only if it isn't there.
//
// Two plans at a time: the first Intended in the log of the audit's partition
// wins a dead letter, the other sees that before it publishes. What still
// comes twice (a process stopped for long between two steps) meets the
// consumer's ledger, which sends a messageId once.
type Replayer struct {
	Planner
	Rate float64 // events per second, above 0

	// Progress is called after each step forward. It may be nil.
	Progress func(Report)
}

// Report is what became of a plan.
type Report struct {
	Published  int
	PassedOver map[Why]int // beside the plan's
	Left       int         // interrupted before them
}

const (
	// chunkTime is for how long a chunk of intents may be on its way, and
	// maxChunk how many they may be: what an interruption leaves to settle.
	chunkTime = time.Second
	maxChunk  = 500

	// settleAfter is how long after a plan saw somebody's open intent that
	// one must have published it, or be gone.
	settleAfter = chunkTime + acked.WriteTimeout + 4*time.Second

	// closingTime is what is left to write down what was done when the
	// context has ended.
	closingTime = 5 * time.Second
)

// Run replays. When ctx ends it stops after what is on its way, writes down
// how far it came and returns the context's error. A plan of the same
// Selection that is made within a day goes on from there, after another error
// or a crash, too: what was replayed before isn't replayed again, though it
// may have died again meanwhile.
func (r *Replayer) Run(ctx context.Context, plan *Plan) (Report, error) {
	report := Report{PassedOver: map[Why]int{}, Left: len(plan.items)}
	w := acked.NewWriter(r.Cluster.Client.Addr, r.Cluster.Client.Transport, r.Source)
	run := &replaying{
		Replayer: r, plan: plan, report: &report, source: w,
		limiter: rate.NewLimiter(rate.Limit(r.Rate), batchOf(r.Rate)),
		claims:  map[replayKey]string{},
	}
	err := run.series(ctx)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return report, err
}

// batchOf is how many events go out at a time: a tenth of a second's.
func batchOf(rate float64) int { return min(maxChunk, max(1, int(rate/10))) }

// chunkOf is how many are intended at a time.
func chunkOf(rate float64) int {
	return min(maxChunk, max(1, int(rate*chunkTime.Seconds())))
}

// replaying is one Run.
type replaying struct {
	*Replayer
	plan    *Plan
	report  *Report
	source  *acked.Writer
	limiter *rate.Limiter
	claims  map[replayKey]string // the plan that intended it first, since this plan was made
}

// series writes down that the plan's series begins, and that it is finished
// once all is replayed.
func (r *replaying) series(ctx context.Context) error {
	a := Audit{Plan: r.plan.ID, Series: r.plan.Series, Selection: r.Selection, State: Begun, By: r.By, At: now()}
	if !r.plan.Continues() {
		if err := r.Audit.write(ctx, 0, []Audit{a}); err != nil {
			return err
		}
	}
	if err := r.all(ctx); err != nil {
		return err
	}
	a.State, a.At = Finished, now()
	return r.Audit.write(ctx, 0, []Audit{a})
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (r *replaying) all(ctx context.Context) error {
	fresh := r.plan.items[:len(r.plan.items)-r.plan.Open]
	if err := r.items(ctx, fresh); err != nil {
		return err
	}
	open := r.plan.items[len(fresh):]
	if len(open) == 0 {
		return nil
	}
	if err := pause(ctx, time.Until(r.plan.made.Add(settleAfter))); err != nil {
		return err
	}
	if err := r.Audit.Read(ctx, r.note); err != nil {
		return err
	}
	if err := findPublished(ctx, r.Cluster, r.Source, slices.Values(open)); err != nil {
		return err
	}
	return r.items(ctx, slices.DeleteFunc(slices.Clone(open), func(i *item) bool {
		if i.published {
			r.pass(AlreadyReplayed, 1)
		}
		return i.published
	}))
}

// items replays items in chunks of one source and dead-letter partition.
func (r *replaying) items(ctx context.Context, items []*item) error {
	for len(items) > 0 {
		n := 1
		for n < len(items) && n < chunkOf(r.Rate) && items[n].source == items[0].source && items[n].at.Partition == items[0].at.Partition {
			n++
		}
		if err := r.chunk(ctx, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// chunk takes one chunk through the three steps.
func (r *replaying) chunk(ctx context.Context, items []*item) error {
	// Before the intents, not after them: they must not wait for the rate.
	if err := r.wait(ctx, len(items)); err != nil {
		return err
	}
	events, err := r.fetch(ctx, items)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(slices.Clone(items), func(i *item) bool {
		if events[i.at.Offset] == nil {
			r.pass(Gone, 1)
			return true
		}
		return false
	})
	if len(items) == 0 {
		return nil
	}
	source := items[0].source
	_, end, err := r.Cluster.Bounds(ctx, r.Source, source)
	if err != nil {
		return err
	}
	if err := r.Audit.write(ctx, source, r.audits(items, Intended, end)); err != nil {
		return err
	}
	mine, lost, err := r.won(ctx, source, items)
	if err != nil {
		return err
	}
	r.pass(TakenByAnother, len(lost))
	done, unknown, err := r.publish(ctx, mine, events)
	// What was done must be written down, also when ctx has ended meanwhile.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	last := r.audits(mine[:done], Published, end)
	last = append(last, r.audits(lost, Abandoned, end)...)
	last = append(last, r.audits(mine[done+unknown:], Abandoned, end)...)
	if len(last) > 0 {
		err = errors.Join(err, r.Audit.write(closing, source, last))
	}
	return err
}

// wait waits until the first batch of n may leave.
func (r *replaying) wait(ctx context.Context, n int) error {
	if err := r.limiter.WaitN(ctx, min(n, batchOf(r.Rate))); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return nil
}

// publish writes the events, as many at a time as batchOf says; the first
// may leave at once. It returns how many are acknowledged, and of how many
// after those nobody knows.
func (r *replaying) publish(ctx context.Context, items []*item, events map[int64]*Record) (done, unknown int, err error) {
	for done < len(items) {
		batch := items[done:min(done+batchOf(r.Rate), len(items))]
		if done > 0 {
			if err := r.wait(ctx, len(batch)); err != nil {
				return done, 0, err
			}
		}
		messages := make([]kafka.Message, len(batch))
		for i, it := range batch {
			messages[i] = replayMessage(events[it.at.Offset], it.replay)
		}
		// Not cut off half-way: the writer's own limit ends it in time.
		if err := r.source.WriteAll(context.WithoutCancel(ctx), messages, batch[0].source); err != nil {
			return done, len(batch), fmt.Errorf("publish a replay: %w", err)
		}
		done += len(batch)
		r.report.Published += len(batch)
		r.forward(len(batch))
	}
	return done, 0, nil
}

// won reads the audit's partition up to the intents just written, and tells
// the items whose first intent since the plan is this plan's from those that
// somebody else has taken.
func (r *replaying) won(ctx context.Context, source int, items []*item) (mine, lost []*item, err error) {
	if err := r.Audit.readPartition(ctx, r.Audit.partitionOf(source), r.note); err != nil {
		return nil, nil, err
	}
	for _, i := range items {
		if r.claims[i.key()] == r.plan.ID {
			mine = append(mine, i)
		} else {
			lost = append(lost, i)
		}
		delete(r.claims, i.key())
	}
	return mine, lost, nil
}

// note keeps who was first.
func (r *replaying) note(a Audit) {
	if a.ofSeries() {
		return
	}
	switch plan, taken := r.claims[a.key()]; {
	case a.State == Abandoned && plan == a.Plan:
		delete(r.claims, a.key())
	case a.State != Abandoned && !taken:
		r.claims[a.key()] = a.Plan
	}
}

func (r *replaying) audits(items []*item, state ReplayState, sourceEnd int64) []Audit {
	as := make([]Audit, len(items))
	at := now()
	for k, i := range items {
		place := i.at
		place.Topic = r.Reader.Topic
		as[k] = Audit{
			ID: i.id, Replay: i.replay, Plan: r.plan.ID, Series: r.plan.Series, State: state, By: r.By, At: at,
			Destination: i.destination, Action: i.action, Reason: i.reason, DeadLetter: place.String(), SourceEnd: sourceEnd,
		}
	}
	return as
}

func (r *replaying) pass(why Why, n int) {
	if n > 0 {
		r.report.PassedOver[why] += n
		r.forward(n)
	}
}

func (r *replaying) forward(n int) {
	r.report.Left -= n
	if r.Progress != nil {
		r.Progress(*r.report)
	}
}

// fetch reads the dead letters of items, which are of one partition and in
// order. Unlike Reader it tells null from empty, as the originals' bytes
// demand. Those that retention deleted are absent.
func (r *replaying) fetch(ctx context.Context, items []*item) (map[int64]*Record, error) {
	wanted := map[int64]bool{}
	for _, i := range items {
		wanted[i.at.Offset] = true
	}
	p, last := items[0].at.Partition, items[len(items)-1].at.Offset
	found := map[int64]*Record{}
	for next := items[0].at.Offset; next <= last; {
		to, err := fetchExact(ctx, r.Reader, p, next, func(m kafka.Message) error {
			if !wanted[m.Offset] {
				return nil
			}
			rec, err := Decode(m)
			if errors.Is(err, ErrForeign) {
				return fmt.Errorf("read %s/%d: %w", r.Reader.Topic, p, err)
			}
			found[m.Offset] = rec
			return nil
		})
		if err != nil {
			return nil, err
		}
		// On to the next that is wanted and not there yet.
		next = last + 1
		for _, i := range items {
			if i.at.Offset >= to {
				next = i.at.Offset
				break
			}
		}
	}
	return found, nil
}

// fetchExact reads some records from an offset on and returns the offset
// after them.
func fetchExact(ctx context.Context, reader *Reader, p int, from int64, each func(kafka.Message) error) (next int64, err error) {
	fail := func(err error) (int64, error) {
		return from, fmt.Errorf("read %s/%d at offset %d: %w", reader.Topic, p, from, err)
	}
	for attempt := 1; ; attempt++ {
		res, err := reader.Cluster.Client.Fetch(ctx, &kafka.FetchRequest{
			Topic: reader.Topic, Partition: p, Offset: from, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: time.Second,
		})
		if err == nil {
			err = res.Error
		}
		switch {
		case err == nil:
			return eachRecord(res, p, from, each)
		case errors.Is(err, kafka.OffsetOutOfRange):
			return from + 1, nil // gone
		case ctx.Err() != nil:
			return fail(ctx.Err())
		case attempt == attempts || !passing(err):
			return fail(err)
		}
		if err := pause(ctx, time.Duration(attempt)*200*time.Millisecond); err != nil {
			return fail(err)
		}
	}
}

func eachRecord(res *kafka.FetchResponse, p int, from int64, each func(kafka.Message) error) (next int64, err error) {
	next = from + 1 // past from even if it isn't there
	for {
		rec, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		key, kerr := kafka.ReadAll(rec.Key)
		value, verr := kafka.ReadAll(rec.Value)
		if err := errors.Join(kerr, verr); err != nil {
			return next, err
		}
		if rec.Offset < from {
			continue
		}
		headers := make([]kafka.Header, len(rec.Headers))
		copy(headers, rec.Headers)
		if err := each(kafka.Message{Topic: res.Topic, Partition: p, Offset: rec.Offset, Time: rec.Time, Key: key, Value: value, Headers: headers}); err != nil {
			return next, err
		}
		next = rec.Offset + 1
	}
}
