package consumer

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/semaphore"

	"engage-worker/consumer/ledger"
	"engage-worker/ratelimit"
)

// generation is what the group's member does between two rebalances. Its
// fields are set before the shards' goroutines start and fixed from then on,
// but for those that say how they are guarded.
type generation struct {
	*Group
	commits    commits
	number     int32
	assignedAt time.Time
	shards     []*shard
	actions    []string
	total      int // shards of the whole group, or unknown

	sourceMissed int // how often in a row the source topic wasn't there; commitUntil's

	// intake ends first: nothing new is begun. work ends at the drain's
	// limit: what is under way is given up.
	intake, work context.Context
	ended        context.Context // the group wants the shards back

	lease *lease

	reading    *semaphore.Weighted // of ledgers, a few at a time
	unrestored atomic.Int64        // shards whose ledger isn't read yet
	restored   chan struct{}       // closed when there are none

	mu   sync.Mutex
	used map[string]*ratelimit.Gate // those that deliveries went through
}

// unknown is a number of shards that couldn't be found out yet.
const unknown = -1

// restoreAtOnce bounds how many ledgers are read at the same time.
const restoreAtOnce = 4

// metadataTimeout bounds a look at the topics' partitions.
const metadataTimeout = 10 * time.Second

// serve owns the generation's shards until it has ended or ctx asks to stop:
// restore, read and deliver, commit; then drain and commit once more. ended
// is the generation's own context.
func (g *Group) serve(ctx, ended context.Context, next *kafka.Generation) {
	intake, stopIntake := context.WithCancel(ended)
	defer stopIntake()
	defer context.AfterFunc(ctx, stopIntake)()
	work, stopWork := context.WithCancel(context.Background())
	defer stopWork()

	gen := &generation{
		Group: g, commits: next, number: next.ID, assignedAt: time.Now(), actions: g.destination.Actions(),
		intake: intake, work: work, ended: ended, lease: &lease{}, used: map[string]*ratelimit.Gate{},
		reading: semaphore.NewWeighted(restoreAtOnce), restored: make(chan struct{}),
	}
	owned := gen.assign(next.Assignments)
	log := g.log.With().Int32("generation", next.ID).Logger()
	log.Info().Ints("shards", owned).Msg("shards assigned")
	g.metrics.Rebalances.WithLabelValues(g.Destination).Inc()
	g.metrics.Shards.WithLabelValues(g.Destination).Set(float64(len(owned)))
	g.balancer.setOwned(owned)
	g.setState(true, len(owned))
	defer g.setState(false, 0)
	defer gen.forgetGauges()
	if !g.WithoutLedger {
		gen.unrestored.Store(int64(len(owned)))
		g.metrics.Restoring.WithLabelValues(g.Destination).Set(float64(len(owned)))
	}
	defer g.leaveShare()
	gen.total = unknown
	if split, led := g.balancer.leads(); led {
		gen.total = split // whatever there was to see then
	} else if total, _, err := g.shardsOfAll(intake); err == nil && total > 0 {
		gen.total = total
	}
	g.holdShare(owned, gen.total, ratelimit.Window) // until there is a lease

	if err := gen.begin(); err != nil {
		if intake.Err() == nil {
			log.Warn().Err(err).Msg("the generation can't begin; joining again")
			sleep(intake, joinBackoff)
		}
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
			for _, st := range s.streams {
				readers.Go(func() { st.run(intake) })
			}
		})
	}
	events := make(chan struct{}) // closed when no event is in work any more
	go func() {
		readers.Wait()
		for _, s := range gen.shards {
			s.events.Wait()
		}
		close(events)
	}()

	gen.commitUntil(intake.Done(), stopIntake)
	stopIntake()

	gen.drain(events, stopWork)
	<-events
	gen.commit()
	gen.lease.end()
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
		shutdown := time.NewTimer(gen.ShutdownTimeout)
		defer shutdown.Stop()
		select {
		case <-events:
			return
		case <-shutdown.C:
		case <-gen.ended.Done():
			rebalance := time.NewTimer(gen.SessionTimeout / 2)
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
			gen.log.Warn().Int32("generation", gen.number).Msg("requests are still under way at the drain's limit; they are given up, and their next owner finds out what came of them")
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
	for id := range offsets[gen.Topics.Source] {
		owned = append(owned, id)
	}
	slices.Sort(owned)
	gen.keepLedgers(owned)
	for _, id := range owned {
		s := &shard{
			generation: gen, id: id, seed: maphash.MakeSeed(),
			chains: map[uint64]*event{}, active: map[ledger.Key]chan struct{}{},
			log: gen.log.With().Int("shard", id).Logger(),
		}
		s.progress.Store(time.Now().UnixNano())
		s.streams = append(s.streams, s.newStream(gen.Topics.Source, "source", 0, offsets[gen.Topics.Source]))
		for _, tier := range gen.Topics.Retry {
			s.streams = append(s.streams, s.newStream(tier.Topic, tier.Name, tier.Delay, offsets[tier.Topic]))
		}
		if !gen.WithoutLedger {
			if gen.ledgers[id] == nil {
				gen.ledgers[id] = ledger.New(ledger.Config{
					Cluster: gen.cluster, Topic: gen.Topics.Ledger, Partition: id, Retention: ledgerRetention,
					Observe: func(d time.Duration) {
						gen.metrics.LedgerWrite.WithLabelValues(gen.Destination).Observe(d.Seconds())
					},
					Log: gen.log,
				})
			}
			s.ledger = gen.ledgers[id]
		}
		gen.shards = append(gen.shards, s)
	}
	return owned
}

func (s *shard) newStream(topic, name string, delay time.Duration, offsets map[int]int64) *stream {
	pos, ok := offsets[s.id]
	if !ok {
		pos = kafka.FirstOffset
	}
	m, labels := s.metrics, []string{s.Destination, name}
	st := &stream{
		shard: s, topic: topic, name: name, delay: delay, pos: pos, room: make(chan struct{}, 1),
		log: s.log.With().Str("topic", topic).Logger(),
		fetch: fetchMetrics{
			read:       m.RecordsRead.WithLabelValues(labels...),
			noMatch:    m.Events.WithLabelValues(s.Destination, "", "skipped", "no_match"),
			tombstones: m.Events.WithLabelValues(s.Destination, "", "skipped", "tombstone"),
		},
	}
	st.end.Store(-1)
	return st
}

// begin settles where each stream starts, and takes the lease with a first
// commit.
func (gen *generation) begin() error {
	for _, s := range gen.shards {
		for _, st := range s.streams {
			if st.pos < 0 { // no offset: a partition added later, or a tier never read
				first, _, err := gen.cluster.Bounds(gen.intake, st.topic, s.id)
				if err != nil {
					return err
				}
				st.pos = first
			}
			st.mark = newWatermark(st.pos)
		}
	}
	if err := gen.commit(); err != nil {
		return fmt.Errorf("first commit: %w", err)
	}
	return nil
}

// restore reads what is new in a shard's ledger, trying again what may pass;
// false when intake ended first.
func (gen *generation) restore(s *shard) bool {
	if s.ledger == nil {
		return true
	}
	m, start, records := gen.metrics, time.Now(), 0
	backoff := backoff{initial: 100 * time.Millisecond, max: 2 * time.Second}
	for {
		if gen.reading.Acquire(gen.intake, 1) != nil {
			return false
		}
		n, err := s.ledger.Restore(gen.intake)
		gen.reading.Release(1)
		records += n
		if err == nil {
			break
		}
		if gen.intake.Err() != nil {
			return false
		}
		s.log.Warn().Err(err).Msg("the ledger can't be read; nothing is sent for this shard until it can")
		if !sleep(gen.intake, backoff.next()) {
			return false
		}
	}
	took := time.Since(start)
	m.LedgerRestore.WithLabelValues(gen.Destination).Observe(took.Seconds())
	m.LedgerRestored.WithLabelValues(gen.Destination).Add(float64(records))
	s.log.Debug().Int("records", records).Int("entries", s.ledger.Len()).Dur("took", took).Msg("ledger read")
	m.Restoring.WithLabelValues(gen.Destination).Dec()
	if gen.unrestored.Add(-1) == 0 {
		close(gen.restored)
	}
	return true
}

// commitUntil commits every interval until done. A commit that says that the
// generation is over calls stop.
func (gen *generation) commitUntil(done <-chan struct{}, stop func()) {
	ticker := time.NewTicker(gen.CommitInterval)
	defer ticker.Stop()
	watch := watchdog{gen: gen}
	lastPoll := time.Now()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := gen.commit(); err != nil && isOver(err) {
				stop()
			}
			watch.look(time.Now())
			if time.Since(lastPoll) >= partitionsPolled {
				lastPoll = time.Now()
				if gen.partitionsChanged() {
					stop()
				}
			}
		}
	}
}

// commit commits each stream's watermark and so renews the lease, and what is
// held under it, unless the group wants the shards back: it waits for what
// the lease allowed until then.
func (gen *generation) commit() error {
	if len(gen.shards) == 0 {
		return nil
	}
	offsets := map[string]map[int]int64{}
	for _, s := range gen.shards {
		for _, st := range s.streams {
			if offsets[st.topic] == nil {
				offsets[st.topic] = map[int]int64{}
			}
			offsets[st.topic][s.id] = st.committable()
		}
	}
	start := time.Now()
	err := gen.commits.CommitOffsets(offsets)
	result := "ok"
	if err == nil {
		if gen.ended.Err() == nil {
			gen.lease.extend(start, gen.SessionTimeout)
			gen.holdShare(gen.owned(), gen.total, gen.lease.remaining(time.Now()))
		}
		for _, s := range gen.shards {
			for _, st := range s.streams {
				st.traceCommit(offsets[st.topic][s.id])
			}
		}
	} else {
		result = "failed"
		gen.log.Warn().Err(err).Int32("generation", gen.number).Msg("a commit failed; sending goes on only while the lease lasts")
	}
	gen.metrics.Commits.WithLabelValues(gen.Destination, result).Inc()
	return err
}

// isOver tells commit errors that mean that this member has lost its shards.
func isOver(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}

// shardsOfAll is the number of shards of the whole group, and that of the
// source's partitions, which may have grown ahead of the other topics.
func (g *Group) shardsOfAll(ctx context.Context) (shards, source int, err error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	topics := g.topics()
	count, err := g.cluster.Count(ctx, topics...)
	if err != nil {
		return 0, 0, err
	}
	source = count[g.Topics.Source]
	shards = source
	for _, t := range topics {
		shards = min(shards, count[t])
	}
	return shards, source, nil
}

// partitionsChanged tells that there are more or fewer shards than when the
// generation began, or than its leader saw when it assigned them, so that the
// group has to assign them anew. Where only the source has grown, it first has
// the other topics grow along. Where the source is gone, the shards are given
// up, so that a new topic of its name isn't read from the old one's offsets.
func (gen *generation) partitionsChanged() bool {
	total, source, err := gen.shardsOfAll(gen.intake)
	if err != nil {
		return false
	}
	if source == 0 && len(gen.shards) > 0 {
		gen.sourceMissed++
		if gen.sourceMissed < missedBeforeGone {
			return false
		}
		gen.log.Error().Str("topic", gen.Topics.Source).Msg("the source topic is gone; its shards are given up until there is one: run engage-worker topics create, and restore what it held")
		return true
	}
	gen.sourceMissed = 0
	if total == 0 {
		return false // topics in the making
	}
	if total < source && gen.grow != nil {
		ctx, cancel := context.WithTimeout(gen.intake, metadataTimeout)
		err := gen.grow(ctx)
		cancel()
		if err != nil {
			gen.failures.Error().Err(err).Int("partitions", source).Int("shards", total).
				Msg("the source topic has more partitions than the retry and ledger topics, so the new ones aren't read; run engage-worker topics create")
		} else if total, _, err = gen.shardsOfAll(gen.intake); err != nil {
			return false
		}
	}
	if gen.total == unknown {
		gen.total = total
		return false
	}
	if total != gen.total {
		gen.log.Info().Int("shards", total).Int("before", gen.total).Msg("the number of partitions changed; assigning anew")
		return true
	}
	return false
}

// missedBeforeGone is how often in a row the source must be missing: a broker
// that has just started may not know it yet.
const missedBeforeGone = 2

// owned are the shards' numbers.
func (gen *generation) owned() []int {
	owned := make([]int, len(gen.shards))
	for i, s := range gen.shards {
		owned[i] = s.id
	}
	return owned
}

// use remembers a gate that deliveries of this destination go through.
func (gen *generation) use(region string, gate *ratelimit.Gate) {
	gen.mu.Lock()
	gen.used[region] = gate
	gen.mu.Unlock()
}

// othersGoOn tells whether a region other than gate's, which deliveries went
// through, is not closed off.
func (gen *generation) othersGoOn(gate *ratelimit.Gate) bool {
	gen.mu.Lock()
	defer gen.mu.Unlock()
	for _, g := range gen.used {
		if g != gate && g.Snapshot().Breaker != ratelimit.Open {
			return true
		}
	}
	return false
}

// onlyUsed tells that no delivery went through another gate yet.
func (gen *generation) onlyUsed(gate *ratelimit.Gate) bool {
	gen.mu.Lock()
	defer gen.mu.Unlock()
	for _, g := range gen.used {
		if g != gate {
			return false
		}
	}
	return true
}

// claimed tells whether a delivery of one of our shards was sent under sid.
func (gen *generation) claimed(sid string) bool {
	for _, s := range gen.shards {
		if s.ledger != nil && s.ledger.Claimed(sid) {
			return true
		}
	}
	return false
}

// forgetGauges takes away what a former owner must not show.
func (gen *generation) forgetGauges() {
	for _, s := range gen.shards {
		for _, st := range s.streams {
			labels := st.labels()
			gen.metrics.Lag.DeleteLabelValues(labels...)
			gen.metrics.UncommittedSpan.DeleteLabelValues(labels...)
			gen.metrics.Watermark.DeleteLabelValues(labels...)
		}
	}
	gen.metrics.Shards.WithLabelValues(gen.Destination).Set(0)
	gen.metrics.StuckShards.WithLabelValues(gen.Destination).Set(0)
	gen.metrics.Restoring.WithLabelValues(gen.Destination).Set(0)
}
