package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

const (
	// followsAtOnce bounds how many status topics' partitions are read at the
	// same time when shards are assigned.
	followsAtOnce = 2

	// positionsEvery is how often it is committed where the next owner begins
	// to read statuses.
	positionsEvery = 5 * time.Second
)

// follower is a shard's, the same as long as the shard stays.
func (g *Group) follower(shard int) *status.Follower {
	if g.followers[shard] == nil {
		topic := g.cfg.Topics.Status
		g.followers[shard] = status.New(status.Config{
			Destination: g.cfg.Destination, Group: g.cfg.GroupID, Source: g.cfg.Topics.Source,
			SweepAfter: g.cfg.StatusSweepAfter, GiveUpAfter: g.cfg.StatusGiveUpAfter,
		}, status.Parts{
			Log:         ledger.Partition{Cluster: g.parts.Cluster, Topic: topic, ID: shard},
			Events:      status.Source{Cluster: g.parts.Cluster, Topic: g.cfg.Topics.Source},
			Replays:     g.parts.Replays,
			DeadLetters: g.parts.DeadLetters, Room: g.parts.Pending, Metrics: g.parts.Metrics,
			Logger: g.log.With().Str("topic", topic).Int("partition", shard).Logger(),
		})
	}
	return g.followers[shard]
}

// positions is where what goes with statuses begins to be read: by topic and
// shard, the offsets that the group has committed. The topics aren't among
// those that the group subscribes to: nothing is kept from being sent for their sake.
type positions map[string][]int64

func (p positions) of(topic string, shard int) int64 {
	if shard < len(p[topic]) {
		return p[topic][shard]
	}
	return -1
}

// readPositions asks until there is an answer, or ctx ends. A topic that isn't
// there has none.
func (g *Group) readPositions(ctx context.Context) positions {
	found := positions{}
	pauses := pause.Growing(200*time.Millisecond, 5*time.Second)
	for _, topic := range g.statusTopics() {
		for {
			asking, cancel := context.WithTimeout(ctx, settleTimeout)
			offsets, err := g.committedBy(asking, g.cfg.GroupID, topic)
			cancel()
			if err == nil || errors.Is(err, kafka.UnknownTopicOrPartition) {
				found[topic] = offsets
				break
			}
			if ctx.Err() != nil {
				return found
			}
			g.log.Warn().Err(err).Str("topic", topic).Msg("it can't be read yet from where statuses are pending; trying again")
			pause.For(ctx, pauses.NextBackOff())
		}
	}
	return found
}

func (g *Group) statusTopics() []string {
	if g.cfg.Topics.Callbacks == "" {
		return []string{g.cfg.Topics.Status}
	}
	return []string{g.cfg.Topics.Status, g.cfg.Topics.Callbacks}
}

// callbacks reads what Twilio reports of a shard's messages; nil where it isn't
// told to.
func (g *Group) callbacks(s *shard) *callbacks.Reader {
	topic := g.cfg.Topics.Callbacks
	if topic == "" {
		return nil
	}
	return &callbacks.Reader{
		Destination: g.cfg.Destination, Cluster: g.parts.Cluster, Topic: topic, Shard: s.id, Apply: s.follower.Apply,
		Metrics: g.parts.Metrics, Log: s.log.With().Str("topic", topic).Logger(),
	}
}

// follow follows the shard's messages until ctx ends.
func (gen *generation) follow(ctx context.Context, s *shard) {
	if s.follower == nil {
		return
	}
	begin := gen.positions()
	if ctx.Err() != nil {
		return
	}
	s.follower.Begin(begin.of(gen.group.cfg.Topics.Status, s.id))
	var reading sync.WaitGroup
	defer reading.Wait()
	if s.callbacks != nil {
		reading.Go(func() { s.callbacks.Run(gen.intake, begin.of(gen.group.cfg.Topics.Callbacks, s.id)) })
	}
	s.follower.Run(ctx, gen.following)
}

// commitPositions commits where the next owner begins to read what goes with
// statuses, as far as it moved. Nothing depends on it but how long that takes: a failure is no more
// than logged, and renews no lease.
func (gen *generation) commitPositions() {
	due := offsets{}
	put := func(topic string, shard int, at int64, known bool) {
		if known && !gen.accepted.has(topic, shard, at) {
			due.put(topic, shard, at)
		}
	}
	for _, s := range gen.shards {
		if s.follower == nil {
			continue
		}
		at, known := s.follower.Position()
		put(gen.group.cfg.Topics.Status, s.id, at, known)
		if s.callbacks != nil {
			at, known = s.callbacks.Position()
			put(gen.group.cfg.Topics.Callbacks, s.id, at, known)
		}
	}
	if len(due) == 0 {
		return
	}
	if err := gen.accept(due); err != nil {
		gen.group.log.Debug().Err(err).Msg("the positions in the status topic can't be committed")
	}
}

// StatusRate is the name of the gate that status.rate is held by, which no
// region can have: its parts go to the destinations' shards like a region's.
const StatusRate = "status.rate"

// sweep asks Twilio what became of the generation's messages, until ctx ends.
func (gen *generation) sweep(ctx context.Context) {
	g := gen.group
	s := status.Sweep{
		Destination: g.cfg.Destination, SweepAfter: g.cfg.StatusSweepAfter, GiveUpAfter: g.cfg.StatusGiveUpAfter,
		Asked: g.parts.Destination, Turns: turns{g.cfg.Destination, g.parts.Gates, g.parts.Doors}, Metrics: g.parts.Metrics, Log: g.log,
	}
	for _, shard := range gen.shards {
		if shard.follower != nil {
			s.Followers = append(s.Followers, shard.follower)
		}
	}
	if len(s.Followers) > 0 {
		s.Run(ctx)
	}
}

// turns lets a request through where nothing waits for the region: what is to
// be sent goes first. Where something always waits, one goes in between now and
// then: a page tells of more messages than are sent meanwhile.
type turns struct {
	destination string
	gates       gates
	doors       *ratelimit.Doors
}

const (
	// turnWait is how long a request may stand in the region's queue: something
	// that is to be sent may stand behind it.
	turnWait = 20 * time.Millisecond

	// busyPause is how long a request keeps away from a region that is busy.
	busyPause = 100 * time.Millisecond

	// longestDenial is after how long a request takes its turn in the queue like any
	// other, and queueWait how long it stands there at most.
	longestDenial = 10 * time.Second
	queueWait     = 30 * time.Second
)

// Take waits for a turn. It fails where the account is refused, or when ctx ends.
func (t turns) Take(ctx context.Context, region string) (status.Turn, error) {
	gate, rate := t.gates.Get(region), t.gates.Get(StatusRate)
	for begun := time.Now(); ; {
		if err := t.doors.Check(ratelimit.Sender{Destination: t.destination}); err != nil {
			return nil, err
		}
		if time.Since(begun) > longestDenial && gate.Snapshot().Breaker == ratelimit.Closed {
			if turn, ok := t.inTurn(ctx, gate, rate); ok {
				return turn, nil
			}
		}
		counted, err := rate.Acquire(ctx, ratelimit.Request{Flow: t.destination})
		if err != nil {
			return nil, err
		}
		if s := gate.Snapshot(); s.Breaker == ratelimit.Closed && s.Waiting == 0 {
			waiting, cancel := context.WithTimeout(ctx, turnWait)
			permit, err := gate.Acquire(waiting, ratelimit.Request{Flow: t.destination})
			cancel()
			if err == nil {
				return turn{permit, counted}, nil
			}
		}
		counted.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		if !pause.For(ctx, busyPause) {
			return nil, ctx.Err()
		}
	}
}

// inTurn waits in the region's queue, and only then for status.rate, of which other
// regions' requests have a use meanwhile.
func (t turns) inTurn(ctx context.Context, gate, rate *ratelimit.Gate) (status.Turn, bool) {
	ctx, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	permit, err := gate.Acquire(ctx, ratelimit.Request{Flow: t.destination})
	if err != nil {
		return nil, false
	}
	counted, err := rate.Acquire(ctx, ratelimit.Request{Flow: t.destination})
	if err != nil {
		permit.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
		return nil, false
	}
	return turn{permit, counted}, true
}

// turn is a permit of the region, and one of status.rate.
type turn struct{ region, rate *ratelimit.Permit }

func (t turn) Start() bool { return t.rate.Start() && t.region.Start() }

// Done returns both. What Twilio said concerns the region alone.
func (t turn) Done(v ratelimit.Verdict) {
	t.region.Done(v)
	t.rate.Done(ratelimit.Verdict{Kind: ratelimit.Abandoned})
}
