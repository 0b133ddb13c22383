package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/lease"
	"engage-worker/consumer/ledger"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

var (
	errAway = errors.New("the broker is away")
	meters  = metrics.New(prometheus.NewRegistry())
)

// owner is a process of the worker that owns the shard for a while: real
// deliveries, a real ledger over the world's log, a real gate and a real lease.
type owner struct {
	world      *world
	generation int32
	tenure     tenure
	gate       *ratelimit.Gate
	lease      *lease.Lease
	log        *ownersLog
	ledger     *ledger.Ledger
	flights    *delivery.Flights
	courier    *delivery.Courier
	restored   chan struct{}

	intake, work, writing             context.Context
	stopIntake, stopWork, stopWriting func()
	serving, deliveries, writer       sync.WaitGroup
	left                              chan struct{} // closed when it has left in good order

	// Guarded by world.mu.
	steps   int
	thaw    time.Time
	cutOff  bool // the coordinator doesn't hear of it any more
	dead    bool
	leaving bool // the lease isn't extended any more
	begun   map[*record]bool
	settled []*record
}

// newOwner gives the shard to a process; to the former owner's, if the plan
// says so and it left in good order.
func newOwner(w *world, generation int32, t tenure, former *owner) *owner {
	o := &owner{
		world: w, generation: generation, tenure: t, lease: &lease.Lease{},
		restored: make(chan struct{}), left: make(chan struct{}), begun: map[*record]bool{},
	}
	o.intake, o.stopIntake = context.WithCancel(context.Background())
	o.work, o.stopWork = context.WithCancel(context.Background())
	o.writing, o.stopWriting = context.WithCancel(context.Background())
	if t.Stays && former != nil && former.hasLeft() {
		o.ledger, o.flights, o.gate = former.ledger, former.flights, former.gate
		o.log = former.log
		o.log.owner = o
	} else {
		o.log = &ownersLog{owner: o}
		o.ledger = ledger.New(ledger.Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop()}, o.log)
		o.flights = delivery.NewFlights()
		o.gate = ratelimit.New("region", ratelimit.Config{
			Rate: 1000, Burst: 1000, MaxInFlight: 100,
			Breaker: ratelimit.BreakerConfig{FailureRatio: 0.5, MinRequests: 2, OpenFor: 3 * time.Second, HalfOpenRequests: 1},
		}, meters, zerolog.Nop())
		o.gate.SetParts([]ratelimit.Part{{From: 0, To: 1, Until: time.Now().Add(1000 * time.Hour)}}, true)
	}
	cfg := delivery.Config{
		Destination: "d", Group: "g", Generation: generation, AssignedAt: time.Now(), Retry: tiers,
		SessionTimeout: session, Attempts: 2, BackoffInitial: 100 * time.Millisecond, BackoffMax: 2 * time.Second, RequestTimeout: requestTimeout,
	}
	if w.tune != nil {
		w.tune(&cfg)
	}
	parts := delivery.Parts{
		Destination: o, Gates: o, Ledger: o.ledger, Lease: o.lease, DeadLetters: o, Retries: o, Pressure: o, Tracer: w.tracer,
		Peers: delivery.NewPeers(o.flights, o.restored, ledger.NewTails(neighboursLog{o}, w.name, []int{0}, []string{neighbour})), Metrics: meters, Log: zerolog.Nop(), Failures: zerolog.Nop(),
		Intake: o.intake, Work: o.work,
	}
	if w.doors != nil {
		parts.Doors = w.doors
	}
	o.courier = delivery.New(cfg, parts)
	return o
}

func (o *owner) hasLeft() bool {
	select {
	case <-o.left:
		return true
	default:
		return false
	}
}

// begin takes the lease, reads the ledger and makes the deliveries of all
// records that aren't committed.
func (o *owner) begin() {
	w := o.world
	w.mu.Lock()
	w.holder, w.until = o, time.Now().Add(session)
	w.note(o, "has the shard")
	o.log.begin = w.next
	w.mu.Unlock()
	o.commit()
	o.serving.Go(func() {
		for {
			if _, err := o.ledger.Restore(o.intake); err == nil {
				break
			}
			if o.intake.Err() != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		close(o.restored)
		o.writer.Go(func() { o.ledger.Run(o.writing) })
		for o.intake.Err() == nil {
			o.take()
			select {
			case <-o.intake.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
	o.serving.Go(func() {
		for {
			select {
			case <-o.writing.Done():
				return
			case <-time.After(commitInterval):
				o.commit()
			}
		}
	})
}

// take begins the deliveries of the records that are due.
func (o *owner) take() {
	w := o.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if r.committed || o.begun[r] || time.Now().Before(r.due) {
			continue
		}
		o.begun[r] = true
		ev := &intake.Event{Message: r.message, Origin: r.origin, Actions: r.actions, Malformed: r.malformed}
		o.deliveries.Go(func() {
			if !o.courier.Settle(context.Background(), ev, func() bool { return false }) {
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.note(o, "%s is settled", idOf(r))
			if o.tenure.Corrected && r.origin.Action != "" {
				w.stopped[numbered(r.origin.Action, idOf(r))] = true
			}
			w.acknowledged(r)
			o.settled = append(o.settled, r)
		})
	}
}

// reads reports whether a source record of the event is at work.
func (o *owner) reads(id string) bool {
	id, _ = eventOf(id)
	for r := range o.begun {
		if r.origin.Action == "" && idOf(r) == id && !slices.Contains(o.settled, r) && !r.committed {
			return true
		}
	}
	return false
}

// commit is a sign of life, and commits what is settled, if the coordinator
// still takes it.
func (o *owner) commit() {
	w := o.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.dead || o.cutOff || time.Now().Before(o.thaw) || !w.owns(o) {
		return
	}
	w.until = time.Now().Add(session)
	if !o.leaving {
		o.lease.Extend(time.Now(), session)
	}
	for _, r := range o.settled {
		r.committed = true
	}
	o.settled = nil
}

// leave gives the shard up in good order, as at a rebalance.
func (o *owner) leave() {
	w := o.world
	w.mu.Lock()
	o.leaving = true
	w.mu.Unlock()
	if !o.drain() {
		return
	}
	o.commit()
	o.lease.End()
	o.stopWriting()
	o.serving.Wait() // it may still be reading the ledger, which the next owner may take over
	o.writer.Wait()
	w.mu.Lock()
	if !o.log.owes { // a topic isn't compacted for an hour, in which what must be written again is
		w.closed = o.log.begin
	}
	w.mu.Unlock()
	close(o.left)
}

// drain ends the intake, and work after a while; false when the play was over
// before that.
func (o *owner) drain() bool {
	o.stopIntake()
	limit := time.AfterFunc(session/2, o.stopWork)
	defer limit.Stop()
	done := make(chan struct{})
	go func() { o.deliveries.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-o.world.over:
		return false
	}
}

// lost is when the shard has gone to another, of which the owner learns late.
func (o *owner) lost() {
	time.AfterFunc(o.tenure.Unaware, func() {
		o.stopIntake()
		time.AfterFunc(session/2, o.stopWork)
	})
}

// stop ends all that is left of the process when the play is over.
func (o *owner) stop() {
	o.stopIntake()
	o.stopWork()
	o.deliveries.Wait()
	o.stopWriting()
	o.serving.Wait()
	o.writer.Wait()
}

// step is where the process meets the world. It may be frozen there: no timer
// of its own counts, and time has jumped when it goes on. It is false when the
// process was killed, for which time never goes on.
func (o *owner) step() bool {
	w := o.world
	w.mu.Lock()
	o.steps++
	if o.steps == o.tenure.FreezeAt {
		o.thaw = time.Now().Add(o.tenure.Freeze)
		w.note(o, "freezes for %v", o.tenure.Freeze)
	}
	thaw, dead := o.thaw, o.dead
	w.mu.Unlock()
	if frozen := time.Until(thaw); frozen > 0 && !dead {
		select {
		case <-time.After(frozen):
		case <-w.over:
		}
		w.mu.Lock()
		dead = o.dead
		w.mu.Unlock()
	}
	if dead {
		<-w.over
		return false
	}
	return true
}

// Actions, Decode, Wants, Prepare: the delivery's decision is always to send,
// until the plan's trigger is corrected.
func (o *owner) Actions() []string { return []string{o.name(), second} }

// recordKey is a delivery's in the ledger.
func (o *owner) recordKey(id string) string {
	name, event := o.name(), id
	if number(id) >= behind {
		name = second
		event, _ = eventOf(id)
	}
	return string(ledger.AppendKey(nil, name, event))
}

// name is what the owner's configuration calls the action.
func (o *owner) name() string {
	if o.tenure.Renamed {
		return renamed
	}
	return action
}

func (o *owner) FormerNames() [][]string {
	if o.tenure.Renamed {
		return [][]string{{action}, nil}
	}
	return [][]string{{renamed}, nil} // after going back
}

func (o *owner) Decode(value []byte) (*actions.Event, error) {
	return new(actions.Destination).Decode(value)
}

func (o *owner) Wants([]byte, int) bool { return !o.tenure.Corrected }

func (o *owner) Former(m *twilio.Message) []*twilio.Message {
	if !o.tenure.Former {
		return nil
	}
	former := *m
	former.Account, former.Access = account(1-o.tenure.Settings), 1
	return []*twilio.Message{&former}
}

func account(settings int) string { return fmt.Sprint("AC", settings) }

func (o *owner) Prepare(_ context.Context, ev *actions.Event, index int) actions.Delivery {
	o.step()
	name := o.Actions()[index]
	m := o.world.vendor.message(numbered(name, ev.MessageID()))
	m.Account = account(o.tenure.Settings)
	d := actions.Delivery{Action: name, Decision: actions.DecisionSend, Region: "region", MessageID: ev.MessageID(), Recipient: m.To, Message: m}
	if o.world.decide != nil {
		o.world.decide(&d)
	}
	return d
}

// Get is the region's gate.
func (o *owner) Get(string) *ratelimit.Gate { return o.gate }

// UnderPressure: there is always room.
func (o *owner) UnderPressure() bool { return false }
