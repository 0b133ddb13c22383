package delivery

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"engage-worker/actions"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
	"engage-worker/ratelimit"
)

// Courier makes the deliveries of one shard in one generation. It is safe for
// concurrent use.
type Courier struct {
	cfg     Config
	parts   Parts
	actions []string
	former  [][]string // what each was called before
	timers  sync.Pool  // of *time.Timer, stopped

	mu     sync.Mutex
	active map[ledger.Key]chan struct{} // deliveries in work; closed at their end, nil while nobody waits for it
}

// New makes a Courier, and makes its ledger known to its peers. It is not
// safe for concurrent use with other couriers of these peers.
func New(cfg Config, parts Parts) *Courier {
	if parts.Ledger != nil {
		parts.Peers.ledgers = append(parts.Peers.ledgers, parts.Ledger)
	}
	if parts.Doors == nil {
		parts.Doors = ratelimit.NewDoors(parts.Metrics, parts.Log)
	}
	return &Courier{cfg: cfg, parts: parts, actions: parts.Destination.Actions(), former: parts.Destination.FormerNames(), timers: sync.Pool{New: stoppedTimer}, active: map[ledger.Key]chan struct{}{}}
}

func stoppedTimer() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// sideBySide is how many deliveries of one event are made at the same time.
// Others of its key wait for all of them.
const sideBySide = 16

// Settle makes the event's deliveries, a number of them side by side, and
// reports whether all are settled: sent, skipped, or acknowledged by the retry
// or the dead-letter topic. Otherwise the shard is being given up, and the
// event stays open for its next owner. followed reports whether an event of
// the same key waits behind this one.
func (c *Courier) Settle(ctx context.Context, ev *intake.Event, followed func() bool) bool {
	if ev.Malformed != nil {
		return c.buryMalformed(ev, ev.Malformed)
	}
	decoded, err := c.parts.Destination.Decode(ev.Message.Value)
	if err != nil {
		return c.buryMalformed(ev, err)
	}
	if ev.Actions == 0 && ev.Origin.Action != "" { // a retry or a replay whose action the configuration hasn't
		return c.settleOrphan(ev, decoded)
	}
	if ev.Actions == 0 {
		return c.settleUnwanted(ev, decoded)
	}
	if open := ev.Actions; bits.OnesCount64(open) == 1 {
		return c.delivery(ctx, ev, decoded, bits.TrailingZeros64(open), followed).run()
	}
	var (
		all  errgroup.Group
		left atomic.Bool // one of them isn't settled, so that the event is left open
	)
	all.SetLimit(sideBySide)
	for open := ev.Actions; open != 0 && !left.Load(); open &= open - 1 {
		d := c.delivery(ctx, ev, decoded, bits.TrailingZeros64(open), followed)
		all.Go(func() error {
			if !d.run() {
				left.Store(true)
			}
			return nil
		})
	}
	_ = all.Wait() // none fails
	return !left.Load()
}

func (c *Courier) delivery(ctx context.Context, ev *intake.Event, decoded *actions.Event, action int, followed func() bool) *delivery {
	return &delivery{
		courier: c, cfg: &c.cfg, parts: &c.parts,
		ctx: ctx, ev: ev, event: decoded, followed: followed, index: action, action: c.actions[action],
		begun: time.Now(), attempts: ev.Origin.Attempts, firstFailedAt: ev.Origin.FirstFailedAt,
	}
}

// exclusive waits until no other delivery of this shard has the key in the
// ledger, and takes it until release. The second of two equal events, or an event and its
// own retry, thus finds the outcome of the first. It is false when intake
// ended first.
func (c *Courier) exclusive(key ledger.Key) bool {
	for {
		c.mu.Lock()
		busy, taken := c.active[key]
		if !taken {
			c.active[key] = nil
		} else if busy == nil {
			busy = make(chan struct{})
			c.active[key] = busy
		}
		c.mu.Unlock()
		if !taken {
			return true
		}
		select {
		case <-busy:
		case <-c.parts.Intake.Done():
			return false
		}
	}
}

// release lets the next delivery have the key.
func (c *Courier) release(key ledger.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy := c.active[key]; busy != nil {
		close(busy)
	}
	delete(c.active, key)
}

// persist calls write until it succeeds, however long that takes: until then
// the event is held, not done. It is false when the shard is given up first.
func (c *Courier) persist(what string, ev *intake.Event, write func(ctx context.Context) error) bool {
	pauses := pause.Growing(100*time.Millisecond, 5*time.Second)
	for {
		err := write(c.parts.Work)
		if err == nil {
			return true
		}
		if c.parts.Work.Err() != nil {
			return false
		}
		c.parts.Failures.Error().Err(err).Str("what", what).Str("topic", ev.Origin.Topic).Int("partition", ev.Origin.Partition).Int64("offset", ev.Origin.Offset).
			Msg("an event can't be written to its dead-letter or retry topic; it is held until it can")
		release := c.holding(what)
		ok := pause.For(c.parts.Intake, pauses.NextBackOff())
		release()
		if !ok {
			return false
		}
	}
}

// holding counts a held delivery until release.
func (c *Courier) holding(cause string) (release func()) {
	held := c.parts.Metrics.Held.WithLabelValues(c.cfg.Destination, cause)
	held.Inc()
	return held.Dec
}
