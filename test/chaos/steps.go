package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"engage-worker/internal/pause"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

// gaveUp is what a step panics with that fails.
type gaveUp struct{ error }

// must gives the run up where there is an error.
func must(err error) {
	if err != nil {
		panic(gaveUp{err})
	}
}

// attempt does steps, and returns the error of the one that failed.
func attempt(steps func()) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			failed, ok := cause.(gaveUp)
			if !ok {
				panic(cause)
			}
			err = failed.error
		}
	}()
	steps()
	return nil
}

// add starts a replica.
func (r *run) add() { r.startOf(r.program) }

func (r *run) addTwo() {
	r.add()
	r.add()
}

// startOf starts a replica of a program.
func (r *run) startOf(program string, env ...string) *replica {
	r.mu.Lock()
	name := fmt.Sprintf("worker-%d", len(r.all)+1)
	r.mu.Unlock()
	if r.withoutLedger {
		env = append(env, "ENGAGE_UNSAFE_WITHOUT_LEDGER=1")
	}
	w, err := startReplica(program, r.config, r.dir, name, env...)
	must(err)
	r.mu.Lock()
	r.all, r.live = append(r.all, w), append(r.live, w)
	r.mu.Unlock()
	if program == r.earlier {
		name += ", of the earlier version"
	}
	r.note("start %s %s", name, strings.Join(env, " "))
	return w
}

// addReady starts a replica and waits until it has read its configuration.
func (r *run) addReady() *replica {
	w := r.startOf(r.program)
	r.awaitStart(w)
	return w
}

// awaitStart waits until a replica works.
func (r *run) awaitStart(w *replica) {
	r.await(20*time.Second, w.name+" started", func(context.Context) error {
		if !w.running() {
			must(fmt.Errorf("%s doesn't start: see %s", w.name, w.log))
		}
		if !w.started() {
			return fmt.Errorf("see %s", w.log)
		}
		return nil
	})
}

// some is a random live replica.
func (r *run) some() *replica { return r.live[r.rng.IntN(len(r.live))] }

// forget takes a replica from the live ones.
func (r *run) forget(w *replica) {
	r.live = slices.DeleteFunc(r.live, func(other *replica) bool { return other == w })
}

// kill kills a replica with SIGKILL.
func (r *run) kill(w *replica) {
	r.note("kill -9 %s, which owns %v", w.name, w.shards())
	w.kill()
	r.kills++
	r.forget(w)
}

// freeze stops a replica's process for a while.
func (r *run) freeze(w *replica, d time.Duration) {
	r.note("freeze %s, which owns %v, for %v", w.name, w.shards(), d)
	must(w.signal(syscall.SIGSTOP))
	r.pause(d)
	r.note("thaw %s", w.name)
	must(w.signal(syscall.SIGCONT))
}

// stop ends a replica with SIGTERM.
func (r *run) stop(w *replica) {
	r.note("stop %s, which owns %v", w.name, w.shards())
	err := w.stop(stopTimeout + 10*time.Second)
	r.note("%s has stopped", w.name)
	r.forget(w)
	must(err)
}

// stopAll ends all replicas, by SIGTERM or by SIGKILL.
func (r *run) stopAll(kill bool) {
	for _, w := range slices.Clone(r.live) {
		if kill {
			r.kill(w)
		} else {
			r.stop(w)
		}
	}
}

// behave changes the vendor's behaviour.
func (r *run) behave(what string, b twiliosim.Behaviour, scopes ...twiliosim.Scope) {
	r.note("vendor: %s", what)
	must(r.vendor.sim.SetFaults(twiliosim.Faults{Seed: r.rng.Uint64(), Behaviour: b, Scopes: scopes}))
}

// heal ends every fault and sees to it that all replicas run.
func (r *run) heal() {
	r.note("load ends, and all faults")
	must(r.vendor.sim.SetFaults(twiliosim.Faults{}))
	mend := func(p *proxy) {
		p.slow(0)
		p.release()
		must(p.accept())
	}
	r.broker.network(mend)
	mend(r.vendor.proxy)
	for len(r.live) < 2 {
		r.add()
	}
	r.supervise()
}

// supervise starts replicas again that ended because Kafka wasn't there when
// they started. Any other end by itself is a fault.
func (r *run) supervise() {
	for _, w := range slices.Clone(r.live) {
		if w.running() || !w.started() && time.Since(w.ended) < time.Second {
			continue
		}
		r.forget(w)
		if w.started() {
			must(fmt.Errorf("%s ended by itself (%v): see %s", w.name, w.cmd.ProcessState, w.log))
		}
		r.note("%s couldn't start (%v)", w.name, w.cmd.ProcessState)
		r.add()
	}
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
	r.faults = append(r.faults, evidence.Fault{At: time.Now(), What: fmt.Sprintf(format, args...)})
}

// await waits until check is content, and gives up with what it said last if it
// isn't in time.
func (r *run) await(within time.Duration, what string, check func(context.Context) error) {
	for deadline := time.Now().Add(within); ; r.pause(200 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
		err := check(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			must(fmt.Errorf("not within %v: %s: %w", within, what, err))
		}
	}
}

// expect waits for what is to be seen. That it isn't is a fault, and the run goes on.
func (r *run) expect(what string, check func(context.Context) error) {
	r.tried(func() { r.await(20*time.Second, what, check) })
}

// tried reports whether steps went well. That they didn't is a fault, and the run
// goes on.
func (r *run) tried(steps func()) bool {
	err := attempt(steps)
	if err != nil {
		r.fail(err)
	}
	return err == nil
}

// pause waits for d. The end of the run ends it.
func (r *run) pause(d time.Duration) {
	if !pause.For(r.ctx, d) {
		must(context.Cause(r.ctx))
	}
}
