package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/twiliosim"
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

// run is one scenario under one seed.
type run struct {
	scenario
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

	faults []Fault
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
	*Verdict
	history *History
	kills   int
	took    time.Duration
	grades  []string
	broken  []string // what the run itself found wrong
}

// carryOut runs the scenario from start to end.
func (r *run) carryOut(ctx context.Context) (_ *outcome, err error) {
	start := time.Now()
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
	sim.ClockOffset, sim.Faults = 5*time.Second, r.scenario.vendor
	sim.Faults.Seed, sim.Course.Seed = r.seed, r.seed
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
			err = errors.Join(err, (&History{Faults: r.faults}).save(r.dir))
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
	if err := errors.Join(r.addReceivers(), r.addAll()); err != nil {
		return nil, err
	}
	if err := r.await(ctx, 30*time.Second, "all shards assigned", r.assigned); err != nil {
		return nil, err
	}

	loading, stopLoad := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	go func() { loaded <- r.scenario.load.produce(loading, r) }()
	r.note("load begins: %d events/s", r.scenario.load.rate)
	broke := r.scenario.breaks(ctx, r)
	stopLoad()
	if err := errors.Join(broke, <-loaded); err != nil {
		return nil, err
	}
	r.note("load ends")
	out, err := r.settle(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.judge(ctx, out); err != nil {
		return nil, err
	}
	out.took = time.Since(start)
	return out, nil
}

// settle ends all faults, waits until all is done, and ends what runs.
func (r *run) settle(ctx context.Context) (*outcome, error) {
	if err := r.heal(ctx); err != nil {
		return nil, err
	}
	err := r.await(ctx, settleTimeout, "source and first retry tier done", r.settled)
	if err == nil && r.scenario.afterwards != nil {
		err = r.scenario.afterwards(ctx, r)
	}
	errs := []error{err}
	for _, w := range r.live {
		errs = append(errs, w.stop(stopTimeout+10*time.Second))
	}
	out := &outcome{}
	for _, err := range append(errs, r.stopReceivers()) {
		if err != nil {
			out.broken = append(out.broken, err.Error())
		}
	}
	return out, nil
}

// judge reads what the run left behind, saves it, and says what it came to.
func (r *run) judge(ctx context.Context, out *outcome) (err error) {
	collecting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out.history, err = r.collect(collecting); err != nil {
		return fmt.Errorf("read what the run left behind: %w", err)
	}
	if err := out.history.save(r.dir); err != nil {
		return err
	}
	out.Verdict = Check(out.history.without(secondAction).pardoned(r.scenario.pardons))
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

// addAll starts the scenario's replicas, of the earlier version in an upgrade.
func (r *run) addAll() error {
	program := r.program
	if r.earlier != "" {
		program = r.earlier
	}
	for range r.scenario.replicas {
		if _, err := r.startOf(program); err != nil {
			return err
		}
	}
	return nil
}

// add starts a replica.
func (r *run) add() error {
	_, err := r.startOf(r.program)
	return err
}

// startOf starts a replica of a program.
func (r *run) startOf(program string, env ...string) (*replica, error) {
	r.mu.Lock()
	name := fmt.Sprintf("worker-%d", len(r.all)+1)
	r.mu.Unlock()
	if r.withoutLedger {
		env = append(env, "ENGAGE_UNSAFE_WITHOUT_LEDGER=1")
	}
	w, err := startReplica(program, r.config, r.dir, name, env...)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.all, r.live = append(r.all, w), append(r.live, w)
	r.mu.Unlock()
	if program == r.earlier {
		name += ", of the earlier version"
	}
	r.note("start %s %s", name, strings.Join(env, " "))
	return w, nil
}

// some is a random live replica.
func (r *run) some() *replica { return r.live[r.rng.IntN(len(r.live))] }

// forget takes a replica from the live ones.
func (r *run) forget(w *replica) {
	for i, other := range r.live {
		if other == w {
			r.live = append(r.live[:i:i], r.live[i+1:]...)
			return
		}
	}
}

// kill kills a replica with SIGKILL.
func (r *run) kill(w *replica) {
	r.note("kill -9 %s, which owns %v", w.name, w.shards())
	w.kill()
	r.kills++
	r.forget(w)
}

// freeze stops a replica's process for a while.
func (r *run) freeze(ctx context.Context, w *replica, d time.Duration) error {
	r.note("freeze %s, which owns %v, for %v", w.name, w.shards(), d)
	if err := w.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := pause(ctx, d)
	r.note("thaw %s", w.name)
	return errors.Join(err, w.signal(syscall.SIGCONT))
}

// stop ends a replica with SIGTERM.
func (r *run) stop(w *replica) error {
	r.note("stop %s, which owns %v", w.name, w.shards())
	err := w.stop(stopTimeout + 10*time.Second)
	r.note("%s has stopped", w.name)
	r.forget(w)
	return err
}

// behave changes the vendor's behaviour.
func (r *run) behave(what string, b twiliosim.Behaviour) error {
	r.note("vendor: %s", what)
	return r.vendor.sim.SetFaults(twiliosim.Faults{Seed: r.rng.Uint64(), Behaviour: b})
}

// heal ends every fault and sees to it that all replicas run.
func (r *run) heal(ctx context.Context) error {
	r.note("all faults end")
	if err := r.vendor.sim.SetFaults(twiliosim.Faults{}); err != nil {
		return err
	}
	var errs []error
	mend := func(p *proxy) {
		p.slow(0)
		p.release()
		errs = append(errs, p.accept())
	}
	r.broker.network(mend)
	mend(r.vendor.proxy)
	for len(r.live) < 2 {
		errs = append(errs, r.add())
	}
	return errors.Join(append(errs, r.supervise(), ctx.Err())...)
}

// supervise starts replicas again that ended because Kafka wasn't there when
// they started. Any other end by itself is a fault.
func (r *run) supervise() error {
	for _, w := range append([]*replica(nil), r.live...) {
		if w.running() {
			continue
		}
		if !w.started() && time.Since(w.ended) < time.Second {
			continue
		}
		r.forget(w)
		if w.started() {
			return fmt.Errorf("%s ended by itself (%v): see %s", w.name, w.cmd.ProcessState, w.log)
		}
		r.note("%s couldn't start (%v)", w.name, w.cmd.ProcessState)
		if err := r.add(); err != nil {
			return err
		}
	}
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
	if err := r.supervise(); err != nil {
		return err
	}
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

// fail remembers what went wrong beside the schedule.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = errors.Join(r.failed, err)
}

// note writes down what the schedule did.
func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, Fault{time.Now(), fmt.Sprintf(format, args...)})
}

// await waits until check is content, and says what it said last if it isn't in time.
func (r *run) await(ctx context.Context, within time.Duration, what string, check func(context.Context) error) error {
	deadline := time.Now().Add(within)
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := check(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s: %w", within, what, err)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
