package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

const (
	destination = "onboarding"

	// What the configuration says, as far as the schedules depend on it.
	sessionTimeout = 3 * time.Second
	requestTimeout = 4 * time.Second
	stopTimeout    = 20 * time.Second

	// settleTimeout is how long a run may take, once all faults are over, to
	// be done with the source and the first retry tier, which waits 30 s.
	settleTimeout = 2 * time.Minute
)

// run is one scenario under one seed. What it does one after the other is written
// as it happens: a step that fails gives the run up, by must, and attempt is where
// that ends. Its goroutine alone does such steps.
type run struct {
	scenario
	ctx           context.Context // all that waits ends with it
	seed          uint64
	program       string
	earlier       string // the program to upgrade from; "" except in an upgrade
	dir           string // of the history
	withoutLedger bool

	topic   string
	config  string // the file
	cfg     *config.Config
	broker  *broker
	vendor  *vendor
	rng     *rand.Rand  // the schedule's, of the goroutine that breaks things
	idle    atomic.Bool // no load for now
	present bool        // the program is of the present state, not of an earlier commit

	mu   sync.Mutex
	all  []*replica // ever started
	live []*replica

	front     *proxy     // that Twilio calls; nil without receivers
	receivers []*replica // live ones
	made      int        // receivers ever started

	faults []evidence.Fault
	kills  int
	width  int // partitions of the source
	failed error
	grades []string // what was measured

	handovers []handover   // of takeovers
	away      [2]time.Time // of regionDown and refused: from and until
	before    [2]time.Time // of refused: all is well
	forged    forgeries
}

// outcome is what a run came to.
type outcome struct {
	*evidence.Verdict
	history *evidence.History
	kills   int
	took    time.Duration
	grades  []string
	broken  []string // what the run itself found wrong
}

// carryOut runs the scenario from start to end.
func (r *run) carryOut(ctx context.Context) (_ *outcome, err error) {
	start := time.Now()
	r.ctx = ctx
	r.rng = rand.New(rand.NewPCG(r.seed, 2))
	r.topic, r.width = "events", r.scenario.shards
	if err := os.RemoveAll(r.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "engage-chaos-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(data)
	if r.broker, err = r.scenario.start(ctx, data); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.broker.Close()) }()
	sim := r.scenario.sim
	sim.ClockOffset, sim.Faults, sim.Course.Seed = 5*time.Second, twiliosim.Faults{Seed: r.seed, Behaviour: r.scenario.vendor}, r.seed
	if r.vendor, err = startVendor(sim); err != nil {
		return nil, err
	}
	defer r.vendor.Close()
	if r.scenario.receivers > 0 {
		if err := r.startFront(); err != nil {
			return nil, err
		}
		defer r.front.Close()
	}
	defer func() {
		if err != nil { // what led to it
			err = errors.Join(err, (&evidence.History{Faults: r.faults}).Save(r.dir))
		}
	}()
	if err := r.configure(ctx); err != nil {
		return nil, err
	}
	defer func() {
		for _, w := range append(r.all, r.receivers...) {
			w.kill()
		}
	}()
	if err := attempt(r.begin); err != nil {
		return nil, err
	}
	loading, stopLoad := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	go func() { loaded <- r.scenario.load.produce(loading, r) }()
	r.note("load begins: %d events/s", r.scenario.load.rate)
	broke := attempt(func() { r.scenario.breaks(r) })
	stopLoad()
	if err := errors.Join(broke, <-loaded); err != nil {
		return nil, err
	}
	if err := attempt(r.heal); err != nil {
		return nil, err
	}
	out := r.settle()
	if err := r.judge(ctx, out); err != nil {
		return nil, err
	}
	out.took = time.Since(start)
	return out, nil
}

// begin starts the scenario's receivers and replicas, which are of the earlier
// version in an upgrade.
func (r *run) begin() {
	program := r.program
	if r.earlier != "" {
		program = r.earlier
	}
	r.addReceivers()
	for range r.scenario.replicas {
		r.startOf(program)
	}
	r.await(30*time.Second, "all shards assigned", r.assigned)
}

// settle waits until all is done, and ends what runs.
func (r *run) settle() *outcome {
	errs := []error{attempt(func() {
		r.await(settleTimeout, "source and first retry tier done", r.settled)
		if r.scenario.afterwards != nil {
			r.scenario.afterwards(r)
		}
		for _, w := range r.live {
			r.awaitStart(w) // which knows of no order to end before
		}
	})}
	for _, w := range r.live {
		errs = append(errs, w.stop(stopTimeout+10*time.Second))
	}
	for _, w := range r.receivers {
		errs = append(errs, w.stop(stopTimeout))
	}
	out := &outcome{}
	for _, err := range errs {
		if err != nil {
			out.broken = append(out.broken, err.Error())
		}
	}
	return out
}

// judge reads what the run left behind, saves it, and says what it came to.
func (r *run) judge(ctx context.Context, out *outcome) (err error) {
	collecting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out.history, err = r.collect(collecting); err != nil {
		return fmt.Errorf("read what the run left behind: %w", err)
	}
	if err := out.history.Save(r.dir); err != nil {
		return err
	}
	out.Verdict = evidence.Check(out.history.Without(secondAction).Pardoned(r.scenario.pardons))
	if r.scenario.measure != nil {
		grades, faults := r.scenario.measure(r, out.history)
		r.grades, out.broken = append(r.grades, grades...), append(out.broken, faults...)
	}
	if r.failed != nil {
		out.broken = append(out.broken, r.failed.Error())
	}
	out.kills, out.grades = r.kills, r.grades
	return nil
}

// assigned tells what keeps the shards from all being owned.
func (r *run) assigned(context.Context) error {
	owned := map[int]bool{}
	for _, w := range r.live {
		for _, s := range w.shards() {
			owned[s] = true
		}
	}
	if len(owned) < r.partitions() {
		return fmt.Errorf("%d of %d shards are owned", len(owned), r.partitions())
	}
	return nil
}

// settled tells what keeps the run from being done.
func (r *run) settled(ctx context.Context) error {
	r.supervise()
	for _, d := range r.cfg.Destinations {
		for _, topic := range []string{r.topic, r.cfg.RetryTopics(d.Name)[0]} {
			if err := r.doneWith(ctx, d.Name, topic); err != nil {
				return err
			}
		}
	}
	return nil
}

// doneWith tells what keeps a destination from being done with a topic.
func (r *run) doneWith(ctx context.Context, destination, topic string) error {
	commits, err := r.commits(ctx, destination, topic)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if c.Committed != c.End {
			return fmt.Errorf("%s: %s/%d: committed %d, the log ends at %d; %d messages accepted", destination, c.Topic, c.Partition, c.Committed, c.End, r.vendor.accepted())
		}
	}
	return nil
}

// partitions of the source at present.
func (r *run) partitions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.width
}
