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

	"engage-worker/consumer/delivery"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

// Group is one destination's member of its consumer group.
type Group struct {
	cfg       Config
	parts     Parts
	log       zerolog.Logger
	failures  zerolog.Logger // one line a failure, thinned under storms
	balancer  *balancer
	flights   *delivery.Flights
	envelopes *intake.Envelopes
	skips     *delivery.Skips
	share     *share

	// Owned by Run's goroutine, between generations.
	ledgers   map[int]*ledger.Ledger // of the shards owned last
	followers map[int]*status.Follower

	mu    sync.Mutex
	state State
}

// State is what a Group is doing, for readiness probes.
type State struct {
	Joined bool // owns shards, or awaits some in a generation that it joined
	Owned  int  // shards
	// Usurper is another group that writes into the ledger of one of the
	// shards, for which nothing is sent therefore; or "".
	Usurper string
	// StandsBy tells that others own the shards, with other actions or
	// settings.
	StandsBy bool
	Since    time.Time // when it joined, or ceased to be in a generation; zero before it first joined
}

const (
	// heartbeats a session timeout; often enough that a rebalance is noticed
	// well within it, and soon.
	heartbeats       = 20
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = time.Second
	joinBackoff      = time.Second
	failureBurst     = 20 // lines a second
	partitionsPolled = 5 * time.Second
)

// NewGroup makes a Group. It does nothing until Run.
func NewGroup(cfg Config, parts Parts) *Group {
	if parts.Doors == nil {
		parts.Doors = ratelimit.NewDoors(parts.Metrics, parts.Log)
	}
	status.Begin(cfg.Destination, parts.Metrics)
	log := parts.Log.With().Str("destination", cfg.Destination).Logger()
	return &Group{
		cfg:      cfg,
		parts:    parts,
		log:      log,
		failures: log.Sample(&zerolog.BurstSampler{Burst: failureBurst, Period: time.Second}),
		balancer: &balancer{source: cfg.Topics.Source, fingerprint: cfg.Fingerprint, others: func(sources []string) {
			log.Error().Str("group", cfg.GroupID).Strs("topics", sources).Msg("members of one consumer group read different source topics: each topic is read by those members that want it; give other configurations another kafka.groupPrefix, unless the topic is just being changed")
		}},
		flights: delivery.NewFlights(),
		skips:   delivery.NewSkips(log),
		share:   &share{tell: parts.Share},

		envelopes: intake.NewEnvelopes(cfg.Destination, parts.Metrics, log),
		ledgers:   map[int]*ledger.Ledger{},
		followers: map[int]*status.Follower{},
	}
}

// Config is what the group was made with.
func (g *Group) Config() Config { return g.cfg }

// Skips are the group's last skips. It is safe for concurrent use.
func (g *Group) Skips() *delivery.Skips { return g.skips }

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

// setUsurper notes who shares a ledger, and says so once.
func (g *Group) setUsurper(group string) {
	g.mu.Lock()
	before := g.state.Usurper
	g.state.Usurper = group
	g.mu.Unlock()
	switch {
	case group == before:
	case group != "":
		g.log.Error().Str("topic", g.cfg.Topics.Ledger).Str("group", group).Msg(UsurperAdvice)
	default:
		g.log.Info().Str("topic", g.cfg.Topics.Ledger).Str("group", before).Msg("the ledger is this group's alone again; sending goes on")
	}
}

// UsurperAdvice says what to do about another group in the ledger.
const UsurperAdvice = "another consumer group has written into this destination's ledger: two groups would send the same events, so nothing is sent for its shards. " +
	"If kafka.groupPrefix was changed, stop what runs with the former and name that group in ledger.adopt; if the other group is another environment, give it a topic or a destination's name of its own"

// Run is the group's member until ctx ends; then it drains for at most
// ShutdownTimeout, commits and leaves. What fails on the way is logged and
// tried again with backoff; the only error is a configuration that kafka-go
// refuses.
func (g *Group) Run(ctx context.Context) error {
	if !g.awaitAdopted(ctx) {
		return nil
	}
	if err := g.settleStartOffsets(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:             g.cfg.GroupID,
		Brokers:        g.cfg.Brokers,
		Dialer:         g.parts.Dialer,
		Topics:         g.topics(),
		GroupBalancers: []kafka.GroupBalancer{g.balancer},
		SessionTimeout: g.cfg.SessionTimeout,
		// A member that commits but is slow to rejoin keeps its lease for a
		// session timeout after its last commit, so the group must wait for
		// it that long, and for the drain and a heartbeat before it.
		RebalanceTimeout:  3 * g.cfg.SessionTimeout,
		HeartbeatInterval: max(minHeartbeat, min(maxHeartbeat, g.cfg.SessionTimeout/heartbeats)),
		JoinGroupBackoff:  joinBackoff,
		StartOffset:       kafka.FirstOffset,
		ErrorLogger:       kafka.LoggerFunc(func(format string, args ...any) { g.log.Debug().Msgf(format, args...) }),
	})
	if err != nil {
		return fmt.Errorf("join the consumer group %s: %w", g.cfg.GroupID, err)
	}
	defer g.close(group)
	pauses := pause.Growing(200*time.Millisecond, 10*time.Second)
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
			g.share.giveUp() // kafka-go has left the group
			g.log.Warn().Err(err).Str("group", g.cfg.GroupID).Msg("the consumer group can't be joined; trying again")
			if !pause.For(ctx, pauses.NextBackOff()) {
				return nil
			}
			continue
		}
		pauses.Reset()
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
	topics := []string{g.cfg.Topics.Source}
	for _, t := range g.cfg.Topics.Retry {
		topics = append(topics, t.Topic)
	}
	if !g.cfg.WithoutLedger {
		topics = append(topics, g.cfg.Topics.Ledger)
	}
	return topics
}

// close leaves the group. kafka-go says goodbye to the coordinator, which
// reassigns the shards at once.
func (g *Group) close(group *kafka.ConsumerGroup) {
	g.setState(false, 0)
	g.setUsurper("")
	g.mu.Lock()
	g.state.StandsBy = false
	g.mu.Unlock()
	g.share.giveUp()
	if err := group.Close(); err != nil {
		g.log.Warn().Err(err).Msg("leaving the consumer group failed; its shards go to others after the session timeout")
	}
}

// keep carries over what is known of shards that stay, and forgets the others.
func (g *Group) keep(owned []int) {
	for id := range g.ledgers {
		if !slices.Contains(owned, id) {
			delete(g.ledgers, id)
		}
	}
	for id, f := range g.followers {
		if !slices.Contains(owned, id) {
			f.Close()
			delete(g.followers, id)
		}
	}
}
