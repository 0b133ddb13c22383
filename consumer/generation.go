package consumer

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/lease"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

// generation is what the group's member does between two rebalances. Its
// fields are set before the shards' goroutines start and fixed from then on,
// but for those that say how they are guarded.
type generation struct {
	group      *Group
	commits    commits
	number     int32
	assignedAt time.Time
	shards     []*shard
	peers      *delivery.Peers
	lease      *lease.Lease
	total      int // shards of the whole group, or unknown
	look       *look

	// Of the goroutine that commits.
	accepted     offsets   // that the coordinator took in this generation, since recommitted
	recommitted  time.Time // when all were committed
	sourceMissed int       // how often in a row the source topic wasn't there

	// intake ends first: nothing new is begun. work ends at the drain's
	// limit: what is under way is given up.
	intake, work context.Context
	ended        context.Context // the group wants the shards back

	reading    *semaphore.Weighted // of ledgers, a few at a time
	unrestored atomic.Int64        // shards whose ledger isn't read yet
	restored   chan struct{}       // closed when there are none

	following *semaphore.Weighted // of status topics, a few at a time
	positions func() positions    // asked for once

	hands *hands
}

// unknown is a number of shards that couldn't be found out yet.
const unknown = -1

// cantBegin says why, and waits before the group is joined again.
func (g *Group) cantBegin(ctx context.Context, err error) {
	if ctx.Err() == nil {
		g.log.Warn().Err(err).Msg("the generation can't begin; joining again")
		pause.For(ctx, joinBackoff)
	}
}

// splitAmongAll is how many shards the generation's members have together, or
// unknown.
func (g *Group) splitAmongAll(ctx context.Context) int {
	if split, led := g.balancer.leads(); led {
		return split // whatever there was to see then
	}
	if total, _, err := g.shardsOfAll(ctx); err == nil && total > 0 {
		return total
	}
	return unknown
}

// serve owns the generation's shards until it has ended or ctx asks to stop:
// restore, read and deliver, commit; then drain and commit once more. ended
// is the generation's own context.
func (g *Group) serve(ctx, ended context.Context, next *kafka.Generation) {
	begin, stopIntake := context.WithCancel(ended)
	defer stopIntake()
	defer context.AfterFunc(ctx, stopIntake)()
	work, stopWork := context.WithCancel(context.Background())
	defer stopWork()

	gen := &generation{
		group: g, commits: next, number: next.ID, assignedAt: time.Now(),
		intake: begin, work: work, ended: ended, lease: &lease.Lease{}, look: newLook(),
		reading: semaphore.NewWeighted(restoreAtOnce), restored: make(chan struct{}), following: semaphore.NewWeighted(followsAtOnce),
		hands: newHands(begin.Done(), func(t task) { t.shard.follow(t.first) }),
	}
	gen.positions = sync.OnceValue(func() positions { return g.readPositions(begin) })
	gen.peers = delivery.NewPeers(g.flights, gen.restored, g.tails(next.Assignments[g.cfg.Topics.Ledger]))
	if err := g.settleNewSource(begin, next, next.Assignments[g.cfg.Topics.Source]); err != nil {
		g.cantBegin(begin, err)
		return
	}
	owned := gen.assign(next.Assignments)
	log := g.log.With().Int32("generation", next.ID).Logger()
	log.Info().Ints("shards", owned).Msg("shards assigned")
	g.parts.Metrics.Rebalances.WithLabelValues(g.cfg.Destination).Inc()
	g.parts.Metrics.Shards.WithLabelValues(g.cfg.Destination).Set(float64(len(owned)))
	g.balancer.setOwned(owned, next.ID)
	g.setState(true, len(owned))
	defer g.setState(false, 0)
	defer gen.forgetGauges()
	if !g.cfg.WithoutLedger {
		gen.unrestored.Store(int64(len(owned)))
		g.parts.Metrics.Restoring.WithLabelValues(g.cfg.Destination).Set(float64(len(owned)))
	}
	defer g.share.leave()
	gen.total = g.splitAmongAll(begin)
	g.share.hold(owned, gen.total, ratelimit.Window) // until there is a lease

	if err := gen.begin(); err != nil {
		g.cantBegin(begin, err)
		return
	}

	// The ledgers' writers live as long as anything of the shards does.
	ledgers, stopLedgers := context.WithCancel(context.Background())
	var writers, readers sync.WaitGroup
	for _, s := range gen.shards {
		readers.Go(func() {
			if !gen.restore(s) {
				return
			}
			if s.ledger != nil {
				writers.Go(func() { s.ledger.Run(ledgers) })
			}
			if s.follower != nil {
				writers.Go(func() { gen.follow(ledgers, s) })
			}
			for _, st := range s.streams {
				readers.Go(func() { st.Run(begin) })
			}
		})
	}
	readers.Go(func() { gen.sweep(begin) })
	readers.Go(func() { gen.followEnds(begin, endsAsked) })
	readers.Go(func() { gen.lookAround(begin) })
	events := make(chan struct{}) // closed when no event is in work any more
	go func() {
		readers.Wait()
		gen.hands.wait()
		close(events)
	}()

	gen.commitUntil(begin.Done(), stopIntake)
	stopIntake()

	gen.drain(events, stopWork)
	<-events
	_ = gen.commit() // says itself what became of it; what isn't committed is read again
	gen.commitPositions()
	gen.lease.End()
	stopLedgers()
	writers.Wait()
	log.Info().Msg("shards given up")
}

// drain waits for what is under way. A rebalance waits for us, so that then it
// is short. A shutdown may take longer: the generation goes on meanwhile, and
// the lease with it; but a rebalance may begin during it.
func (gen *generation) drain(events <-chan struct{}, stopWork func()) {
	limited := make(chan struct{})
	go func() {
		defer close(limited)
		shutdown := time.NewTimer(gen.group.cfg.ShutdownTimeout)
		defer shutdown.Stop()
		select {
		case <-events:
			return
		case <-shutdown.C:
		case <-gen.ended.Done():
			rebalance := time.NewTimer(gen.group.cfg.SessionTimeout / 2)
			defer rebalance.Stop()
			select {
			case <-events:
				return
			case <-shutdown.C:
			case <-rebalance.C:
			}
		}
		select {
		case <-events: // at the same moment
		default:
			gen.group.log.Warn().Int32("generation", gen.number).Msg("requests are still under way at the drain's limit; they are given up, and their next owner finds out what came of them")
			stopWork()
		}
	}()
	gen.commitUntil(events, func() {})
	<-limited
}

// assign builds the shards from the assignment and returns their numbers.
func (gen *generation) assign(assignments map[string][]kafka.PartitionAssignment) []int {
	offsets := map[string]map[int]int64{}
	for topic, partitions := range assignments {
		offsets[topic] = map[int]int64{}
		for _, p := range partitions {
			offsets[topic][p.ID] = p.Offset
		}
	}
	var owned []int
	for id := range offsets[gen.group.cfg.Topics.Source] {
		owned = append(owned, id)
	}
	slices.Sort(owned)
	gen.group.keep(owned)
	for _, id := range owned {
		gen.shards = append(gen.shards, gen.newShard(id, offsets))
	}
	return owned
}

// newShard makes a shard, which does nothing yet. offsets are where its
// streams go on, by topic and partition.
func (gen *generation) newShard(id int, offsets map[string]map[int]int64) *shard {
	g := gen.group
	s := &shard{id: id, gen: gen, budget: g.parts.Budget, seed: maphash.MakeSeed(), chains: map[uint64]*link{}, log: g.log.With().Int("shard", id).Logger()}
	s.progress.Store(time.Now().UnixNano())
	parts := delivery.Parts{
		Destination: g.parts.Destination, Gates: g.parts.Gates, Doors: g.parts.Doors, Lease: gen.lease, DeadLetters: g.parts.DeadLetters, Retries: g.parts.Retries,
		Pressure: s, Peers: gen.peers, Clock: g.parts.Clock, Metrics: g.parts.Metrics, Tracer: g.parts.Tracer, Log: s.log, Failures: g.failures, Skips: g.skips,
		Strangers: gen.look.strangers, Intake: gen.intake, Work: gen.work,
	}
	if !g.cfg.WithoutLedger {
		s.ledger = g.ledger(id)
		parts.Ledger = s.ledger
	}
	if g.cfg.Topics.Status != "" {
		s.follower = g.follower(id)
		parts.Status = s.follower
		s.callbacks = g.callbacks(s)
		if g.parts.Callback != nil {
			parts.Callback = func(recordKey []byte) string {
				return g.parts.Callback(callbacks.Address{Destination: g.cfg.Destination, Shard: id, Key: recordKey})
			}
		}
	}
	s.courier = delivery.New(delivery.Config{
		Destination: g.cfg.Destination, Group: g.cfg.GroupID, Shard: id, Generation: gen.number, AssignedAt: gen.assignedAt, Retry: g.cfg.Topics.Retry,
		SessionTimeout: g.cfg.SessionTimeout, MaxEventAge: g.cfg.MaxEventAge, Attempts: g.cfg.Attempts,
		BackoffInitial: g.cfg.BackoffInitial, BackoffMax: g.cfg.BackoffMax, RequestTimeout: g.cfg.RequestTimeout,
		ResendUnknown: g.cfg.ResendUnknown, Changed: g.cfg.Changed, SeveralRegions: g.parts.SeveralRegions, SeveralSenders: g.parts.SeveralSenders,
	}, parts)
	stream := func(tier intake.Tier) {
		s.streams = append(s.streams, s.newStream(tier, offsets[tier.Topic]))
	}
	stream(intake.Tier{Topic: g.cfg.Topics.Source, Name: "source"})
	for _, tier := range g.cfg.Topics.Retry {
		stream(tier)
	}
	return s
}

// newStream makes a stream of the shard; the source is a tier without delay.
func (s *shard) newStream(tier intake.Tier, offsets map[int]int64) *intake.Stream {
	g := s.gen.group
	pos, ok := offsets[s.id]
	if !ok {
		pos = kafka.FirstOffset
	}
	return intake.New(intake.Config{
		Destination: g.cfg.Destination, Group: g.cfg.GroupID, Topic: tier.Topic, Shard: s.id, Name: tier.Name, Delay: tier.Delay,
		Offset: pos, MaxUncommitted: g.cfg.MaxUncommitted,
		FormerNames: g.cfg.FormerNames,
	}, intake.Parts{
		Cluster: g.parts.Cluster, Matcher: g.parts.Destination, Actions: g.parts.Destination.Actions(), Former: g.parts.Destination.FormerNames(), Budget: g.parts.Budget, Replays: g.parts.Replays,
		Metrics: g.parts.Metrics, Envelopes: g.envelopes, Tracer: g.parts.Tracer, Log: s.log, Submit: s.submit,
	})
}

// startAtOnce bounds how many streams ask at the same time where they start.
const startAtOnce = 4

// begin settles where each stream starts, and takes the lease with a first
// commit.
func (gen *generation) begin() error {
	var starts errgroup.Group
	starts.SetLimit(startAtOnce)
	for _, s := range gen.shards {
		for _, st := range s.streams {
			starts.Go(func() error { return st.Begin(gen.intake) })
		}
	}
	if err := starts.Wait(); err != nil {
		return err
	}
	if err := gen.commit(); err != nil {
		return fmt.Errorf("first commit: %w", err)
	}
	return nil
}

// owned are the shards' numbers.
func (gen *generation) owned() []int {
	owned := make([]int, len(gen.shards))
	for i, s := range gen.shards {
		owned[i] = s.id
	}
	return owned
}

// forgetGauges takes away what a former owner must not show.
func (gen *generation) forgetGauges() {
	for _, s := range gen.shards {
		for _, st := range s.streams {
			st.Forget()
		}
	}
	m, destination := gen.group.parts.Metrics, gen.group.cfg.Destination
	m.Shards.WithLabelValues(destination).Set(0)
	m.StuckShards.WithLabelValues(destination).Set(0)
	m.Restoring.WithLabelValues(destination).Set(0)
}
