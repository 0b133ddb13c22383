package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/time/rate"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
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
		claims:  map[replayKey]taken{},
	}
	err := run.series(ctx)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return report, err
}

// batchOf is how many events go out at a time: a tenth of a second's.
func batchOf(perSecond float64) int { return min(maxChunk, max(1, int(perSecond/10))) }

// chunkOf is how many are intended at a time.
func chunkOf(perSecond float64) int {
	return min(maxChunk, max(1, int(perSecond*chunkTime.Seconds())))
}

// replaying is one Run.
type replaying struct {
	*Replayer
	plan    *Plan
	report  *Report
	source  *acked.Writer
	limiter *rate.Limiter
	claims  map[replayKey]taken // who intended it first, since this plan was made
}

// taken is who intended a replay, and where the record says so.
type taken struct {
	plan string
	at   int64
}

// series writes down that the plan's series begins, and that it is finished
// once all is replayed.
func (r *replaying) series(ctx context.Context) error {
	a := Audit{Plan: r.plan.ID, Series: r.plan.Series, Selection: r.Selection, Asked: r.Asked, State: Begun, By: r.By, At: now()}
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
	if !pause.For(ctx, time.Until(r.plan.made.Add(settleAfter))) {
		return ctx.Err()
	}
	if err := r.Audit.Read(ctx, r.note); err != nil {
		return err
	}
	if err := findPublished(ctx, r.Cluster, r.Source, slices.Values(open)); err != nil {
		return err
	}
	return r.items(ctx, slices.DeleteFunc(slices.Clone(open), func(i *item) bool {
		if i.done() {
			r.pass(AlreadyReplayed, 1)
		}
		return i.done()
	}))
}

// items replays items in chunks of one source and dead-letter partition.
func (r *replaying) items(ctx context.Context, items []*item) error {
	for len(items) > 0 {
		n := 1
		for n < len(items) && n < chunkOf(r.Rate) && items[n].source == items[0].source && items[n].partition == items[0].partition {
			n++
		}
		n, err := r.chunk(ctx, items[:n])
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// chunk takes one chunk through the three steps: of the items the first n.
func (r *replaying) chunk(ctx context.Context, items []*item) (n int, err error) {
	// Before the intents, not after them: they must not wait for the rate.
	if err := r.wait(ctx, len(items)); err != nil {
		return 0, err
	}
	events, n, err := r.fetch(ctx, items)
	if err != nil {
		return 0, err
	}
	items = slices.DeleteFunc(slices.Clone(items[:n]), func(i *item) bool {
		if events[i.offset] == nil {
			r.pass(Gone, 1)
			return true
		}
		return false
	})
	if len(items) == 0 {
		return n, nil
	}
	source := items[0].source
	_, end, err := r.Cluster.Bounds(ctx, r.Source, source)
	if err != nil {
		return 0, err
	}
	for _, i := range items {
		i.event = fingerprint(events[i.offset].Value)
	}
	if err := r.Audit.write(ctx, source, r.audits(items, Intended, end)); err != nil {
		return 0, err
	}
	mine, lost, err := r.won(ctx, source, items)
	if err != nil {
		return 0, err
	}
	r.pass(TakenByAnother, len(lost))
	done, unknown, err := r.publish(ctx, mine, events)
	// What was done must be written down, also when ctx has ended meanwhile.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	last := r.audits(mine[:done], Published, end)
	for _, a := range last {
		r.plan.states.Audit(a)
	}
	last = append(last, r.audits(lost, Abandoned, end)...)
	last = append(last, r.audits(mine[done+unknown:], Abandoned, end)...)
	if len(last) > 0 {
		err = errors.Join(err, r.Audit.write(closing, source, last))
	}
	for _, i := range items {
		i.event = "" // not kept for a whole plan
	}
	return n, err
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
			messages[i] = replayMessage(events[it.offset], it.replay, r.plan.ID, r.Audit.partitionOf(it.source), it.recordedAt)
		}
		// Not cut off half-way: the writer's own limit ends it in time.
		if err := r.source.WriteAll(context.WithoutCancel(ctx), messages, batch[0].source); err != nil {
			return done, len(batch), fmt.Errorf("publish a replay: %w", err)
		}
		done += len(batch)
		for _, it := range batch {
			it.inSource(it.replay)
		}
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
		if first := r.claims[i.key()]; first.plan == r.plan.ID {
			i.recordedAt = first.at
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
	if a.OfSeries() {
		return
	}
	switch first, known := r.claims[a.key()]; {
	case a.State == Abandoned && first.plan == a.Plan:
		delete(r.claims, a.key())
	case (a.State == Intended || a.State == Published) && !known:
		r.claims[a.key()] = taken{a.Plan, a.offset}
	}
}

func (r *replaying) audits(items []*item, state ReplayState, sourceEnd int64) []Audit {
	as := make([]Audit, len(items))
	at := now()
	for k, i := range items {
		as[k] = Audit{
			ID: i.id, Origin: i.origin, Replay: i.replay, Plan: r.plan.ID, Series: r.plan.Series, State: state, By: r.By, At: at,
			Destination: i.destination, Action: i.action, Reason: i.reason, DeadLetter: Origin(r.Reader.Topic, i.partition, i.offset), SourceEnd: sourceEnd,
			Event: i.event, Permission: i.Permission,
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

// eventsRoom is about how many bytes of events a chunk may hold.
const eventsRoom = 16 << 20

// errEnough ends a reading.
var errEnough = errors.New("enough")

// fetch reads the dead letters of the first n items, as many as have room.
// The items are of one partition and in order. Those that retention deleted
// are absent.
func (r *replaying) fetch(ctx context.Context, items []*item) (events map[int64]*Record, n int, err error) {
	events, room := map[int64]*Record{}, eventsRoom
	d := decoder{topic: r.Reader.Topic, partition: items[0].partition}
	var rec Record
	take := func(block []records.Record) error {
		for i := range block {
			for n < len(items) && items[n].offset < block[i].Offset {
				n++ // gone
			}
			if n == len(items) || items[n].offset > block[i].Offset {
				continue
			}
			if err := d.decode(&block[i], &rec); errors.Is(err, ErrForeign) {
				return fmt.Errorf("read %s: %w", rec.Position, err)
			}
			events[block[i].Offset] = rec.Clone()
			n++
			if room -= len(rec.Key) + len(rec.Value); room <= 0 {
				return errEnough
			}
		}
		return nil
	}
	for n < len(items) {
		// Those that are near one another are read at once.
		const near = 1000
		last := n
		for last+1 < len(items) && items[last+1].offset-items[last].offset < near {
			last++
		}
		span := Span{d.partition, items[n].offset, items[last].offset + 1}
		switch err := r.Reader.scan(ctx, span, new(Progress), take); {
		case errors.Is(err, errEnough):
			return events, n, nil
		case err != nil:
			return nil, 0, err
		}
		n = last + 1
	}
	return events, n, nil
}
