package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/kafka/partition"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// Group is one destination's member of its consumer group.
type Group struct {
	Config
	cluster     partition.Cluster
	dialer      *kafka.Dialer
	destination destination
	registry    gates
	deadLetters deadLetters
	retries     retries
	budget      *Budget
	metrics     *metrics.Metrics
	tracer      trace.Tracer
	grow        func(ctx context.Context) error
	share       func(owned []int, total int)
	log         zerolog.Logger
	balancer    *balancer
	failures    zerolog.Logger // one line a failure, thinned under storms
	flights     *flights

	severalRegions bool // that deliveries may go through

	// Owned by Run's goroutine, between generations.
	ledgers map[int]*ledger.Ledger // of the shards owned last

	mu      sync.Mutex
	state   State
	lapse   *time.Timer // gives up the share of the regions' rates
	lapseAt time.Time
}

// State is what a Group is doing, for readiness probes.
type State struct {
	Joined bool      // owns shards, or awaits some in a generation that it joined
	Owned  int       // shards
	Since  time.Time // when it joined, or ceased to be in a generation; zero before it first joined
}

const (
	// heartbeats a session timeout; often enough that a rebalance is noticed
	// well within it, and soon.
	heartbeats       = 20
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = time.Second
	joinBackoff      = time.Second
	failureBurst     = 20 // lines a second
	ledgerRetention  = 7 * 24 * time.Hour
	partitionsPolled = 5 * time.Second
)

// NewGroup makes a Group. It does nothing until Run.
func NewGroup(cfg Config, parts Parts) *Group {
	log := parts.Log.With().Str("destination", cfg.Destination).Logger()
	return &Group{
		Config:         cfg,
		cluster:        parts.Cluster,
		dialer:         parts.Dialer,
		destination:    parts.Destination,
		registry:       parts.Gates,
		deadLetters:    parts.DeadLetters,
		retries:        parts.Retries,
		budget:         parts.Budget,
		metrics:        parts.Metrics,
		tracer:         parts.Tracer,
		grow:           parts.Grow,
		share:          parts.Share,
		severalRegions: parts.SeveralRegions,
		log:            log,

		balancer: &balancer{},
		failures: log.Sample(&zerolog.BurstSampler{Burst: failureBurst, Period: time.Second}),
		flights:  newFlights(),
		ledgers:  map[int]*ledger.Ledger{},
	}
}

// State is what the group is doing now. It is safe for concurrent use.
func (g *Group) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

func (g *Group) setState(joined bool, owned int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if joined != g.state.Joined {
		g.state.Since = time.Now()
	}
	g.state.Joined, g.state.Owned = joined, owned
}

// Run is the group's member until ctx ends; then it drains for at most
// ShutdownTimeout, commits and leaves. What fails on the way is logged and
// tried again with backoff; the only error is a configuration that kafka-go
// refuses.
func (g *Group) Run(ctx context.Context) error {
	if err := g.settleStartOffsets(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:             g.GroupID,
		Brokers:        g.Brokers,
		Dialer:         g.dialer,
		Topics:         g.topics(),
		GroupBalancers: []kafka.GroupBalancer{g.balancer},
		SessionTimeout: g.SessionTimeout,
		// A member that commits but is slow to rejoin keeps its lease for a
		// session timeout after its last commit, so the group must wait for
		// it that long, and for the drain and a heartbeat before it.
		RebalanceTimeout:  3 * g.SessionTimeout,
		HeartbeatInterval: max(minHeartbeat, min(maxHeartbeat, g.SessionTimeout/heartbeats)),
		JoinGroupBackoff:  joinBackoff,
		StartOffset:       kafka.FirstOffset,
		ErrorLogger:       kafka.LoggerFunc(func(format string, args ...any) { g.log.Debug().Msgf(format, args...) }),
	})
	if err != nil {
		return fmt.Errorf("join the consumer group %s: %w", g.GroupID, err)
	}
	defer g.close(group)
	backoff := backoff{initial: 200 * time.Millisecond, max: 10 * time.Second}
	for {
		next, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kafka.ErrGroupClosed):
			return nil
		case err != nil:
			g.setState(false, 0)
			if errors.Is(err, kafka.RebalanceInProgress) {
				g.log.Info().Msg("the group rebalances again")
				continue
			}
			g.giveUpShare() // kafka-go has left the group
			g.log.Warn().Err(err).Str("group", g.GroupID).Msg("the consumer group can't be joined; trying again")
			if !sleep(ctx, backoff.next()) {
				return nil
			}
			continue
		}
		backoff.reset()
		done := make(chan struct{})
		next.Start(func(ended context.Context) {
			defer close(done)
			g.serve(ctx, ended, next)
			if ctx.Err() != nil {
				// Leave while this function runs: once it has returned,
				// kafka-go takes the generation for over and joins the next.
				go group.Close()
				<-ended.Done()
			}
		})
		<-done
		if ctx.Err() != nil {
			return nil
		}
	}
}

// topics are those whose partitions make up a shard. The ledger is among them
// so that no shard is assigned that can't be recorded.
func (g *Group) topics() []string {
	topics := []string{g.Topics.Source}
	for _, t := range g.Topics.Retry {
		topics = append(topics, t.Topic)
	}
	if !g.WithoutLedger {
		topics = append(topics, g.Topics.Ledger)
	}
	return topics
}

// close leaves the group. kafka-go says goodbye to the coordinator, which
// reassigns the shards at once.
func (g *Group) close(group *kafka.ConsumerGroup) {
	g.setState(false, 0)
	g.giveUpShare()
	if err := group.Close(); err != nil {
		g.log.Warn().Err(err).Msg("leaving the consumer group failed; its shards go to others after the session timeout")
	}
}

// settleStartOffsets makes the group begin where it should if it has no
// offsets at all: it commits the source's start for every partition at once,
// before the first member joins. Whatever has no offset later on was added
// later, and is read from its beginning.
func (g *Group) settleStartOffsets(ctx context.Context) error {
	backoff := backoff{initial: 200 * time.Millisecond, max: 5 * time.Second}
	for {
		err := g.trySettleStartOffsets(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g.log.Warn().Err(err).Msg("the group's offsets can't be settled yet")
		if !sleep(ctx, backoff.next()) {
			return ctx.Err()
		}
	}
}

func (g *Group) trySettleStartOffsets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	count, err := g.cluster.Count(ctx, g.Topics.Source)
	if err != nil {
		return err
	}
	n, ok := count[g.Topics.Source]
	if !ok {
		return fmt.Errorf("topic %s: %w", g.Topics.Source, kafka.UnknownTopicOrPartition)
	}
	partitions := make([]int, n)
	for i := range partitions {
		partitions[i] = i
	}
	res, err := g.cluster.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: g.GroupID, Topics: map[string][]int{g.Topics.Source: partitions}})
	if err == nil && !errors.Is(res.Error, kafka.GroupIdNotFound) { // which has none
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("read the offsets of the group %s: %w", g.GroupID, err)
	}
	for _, p := range res.Topics[g.Topics.Source] {
		if p.Error != nil {
			return fmt.Errorf("read the offsets of the group %s: %w", g.GroupID, p.Error)
		}
		if p.CommittedOffset >= 0 {
			return nil
		}
	}
	commits := make([]kafka.OffsetCommit, n)
	for i := range commits {
		first, end, err := g.cluster.Bounds(ctx, g.Topics.Source, i)
		if err != nil {
			return err
		}
		commits[i] = kafka.OffsetCommit{Partition: i, Offset: end}
		if g.StartEarliest {
			commits[i].Offset = first
		}
	}
	// Generation -1 and no member: the coordinator takes it only while the
	// group is empty. Otherwise another replica is here and has done it.
	out, err := g.cluster.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: g.GroupID, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{g.Topics.Source: commits}})
	if err != nil {
		return fmt.Errorf("commit where the group %s begins: %w", g.GroupID, err)
	}
	for _, p := range out.Topics[g.Topics.Source] {
		switch {
		case p.Error == nil:
		case errors.Is(p.Error, kafka.UnknownMemberId), errors.Is(p.Error, kafka.IllegalGeneration), errors.Is(p.Error, kafka.RebalanceInProgress):
			return nil
		default:
			return fmt.Errorf("commit where the group %s begins: %w", g.GroupID, p.Error)
		}
	}
	where := "at the end"
	if g.StartEarliest {
		where = "at the beginning"
	}
	g.log.Info().Str("group", g.GroupID).Str("topic", g.Topics.Source).Int("partitions", n).Msg("a group without offsets begins " + where + " of the topic")
	return nil
}

// holdShare tells this replica's part of the regions' rates, and holds it for
// so long: as long as nobody else can own the shards.
func (g *Group) holdShare(owned []int, total int, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.share(owned, total)
	g.lapseAt = time.Now().Add(d)
	if g.lapse == nil {
		g.lapse = time.AfterFunc(d, g.lapsed)
	} else {
		g.lapse.Reset(d)
	}
}

// leaveShare is for the time between two generations. Who is given the shards
// meanwhile can't use their part of the rate for a window; if we are, we hold
// it on.
func (g *Group) leaveShare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if soon := time.Now().Add(ratelimit.Window); soon.Before(g.lapseAt) {
		g.lapseAt = soon
		g.lapse.Reset(ratelimit.Window)
	}
}

// giveUpShare ends holdShare.
func (g *Group) giveUpShare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lapse != nil {
		g.lapse.Stop()
	}
	g.lapseAt = time.Time{}
	g.share(nil, 0)
}

func (g *Group) lapsed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !time.Now().Before(g.lapseAt) { // nor was it told again just now
		g.share(nil, 0)
	}
}

// keepLedgers carries over the ledgers of shards that stay, and forgets the others'.
func (g *Group) keepLedgers(owned []int) {
	for id := range g.ledgers {
		if !slices.Contains(owned, id) {
			delete(g.ledgers, id)
		}
	}
}
