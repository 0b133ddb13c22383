package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"engage-worker/internal/sim/twiliosim"
)

const (
	callbackKey = "0123456789abcdef0123456789abcdef"
	authToken   = "fedcba9876543210fedcba9876543210"

	// twilioTries is for how long Twilio tries to post a callback.
	twilioTries = 15 * time.Second

	// callbackDelay is how late a callback may come, and sweepAfter when Twilio is
	// asked of what nobody told of: a quarter of the messages are told of before.
	callbackDelay = time.Minute
	sweepAfter    = 15 * time.Second

	// statusTimeout is how long the statuses may take once the load is over: until
	// what was held up is accepted, has ended, and was asked for three times.
	statusTimeout = 3 * time.Minute
)

// fates are what becomes of messages: most are delivered, the rest fails with codes
// of all classes, some before they are asked for the first time, some after.
func fates(c twiliosim.Course) twiliosim.Options {
	c.Failed, c.FailedCodes = 0.07, []int{30001, 30007, 30008, 63016}
	c.Undelivered, c.UndeliveredCodes = 0.08, []int{30003, 30005, 30006, 30410}
	c.FailAfter = sweepAfter + 2*time.Second
	return twiliosim.Options{DeliveredAfter: 4 * time.Second, AuthToken: authToken, Course: c}
}

// strange is how callbacks come at their worst.
var strange = twiliosim.Course{Lost: 0.3, Doubled: 1, Shuffled: 0.5, Delay: callbackDelay}

// swept has Twilio asked soon, and keeps no configuration waiting for callbacks.
func swept(text string) string {
	return strings.Replace(text, "regions:\n", fmt.Sprintf("status: {sweepAfter: %v, giveUpAfter: 1h, rate: 30}\nregions:\n", sweepAfter), 1)
}

// calledBack has callbacks go to an address.
func calledBack(text, address string) string {
	return strings.Replace(text, "regions:\n", fmt.Sprintf("callbacks: {publicUrl: \"http://%s/twilio\", listen: \"127.0.0.1:0\", key: %s, authToken: %s}\nregions:\n", address, callbackKey, authToken), 1)
}

// followed is the schedule in which messages are followed: replicas and receivers are
// killed, and Kafka is away for longer than Twilio tries.
func followed(ctx context.Context, r *run) error {
	forging, stop := context.WithCancel(ctx)
	forged := make(chan error, 1)
	go func() { forged <- r.forge(forging) }()
	defer func() {
		stop()
		if err := <-forged; err != nil {
			r.fail(err)
		}
	}()
	kill := func(ctx context.Context, r *run) error {
		return errors.Join(pause(ctx, r.between(2*time.Second, 5*time.Second)), r.replace(ctx), r.replaceReceiver())
	}
	noReceiver := func(ctx context.Context, r *run) error {
		for range r.receivers {
			r.killReceiver(0)
		}
		err := pause(ctx, 4*time.Second)
		return errors.Join(err, r.addReceivers())
	}
	away := func(ctx context.Context, r *run) error {
		d := twilioTries + 5*time.Second
		r.note("Kafka is away for %v", d)
		r.broker.network(func(p *proxy) { p.hold(1, r.rng) })
		err := pause(ctx, d)
		r.broker.network((*proxy).release)
		r.note("Kafka is back")
		return errors.Join(err, pause(ctx, 4*time.Second))
	}
	return steps(ctx, r, quiet(3*time.Second), kill, noReceiver, kill, away, kill, kill)
}

// startFront opens the address that Twilio calls, behind which receivers come and go.
func (r *run) startFront() (err error) {
	rng := rand.New(rand.NewPCG(r.seed, 4)) // of the proxy's accepting goroutines, under r.mu
	r.front, err = newProxy("127.0.0.1:0", func() (string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, i := range rng.Perm(len(r.receivers)) {
			if address := r.receivers[i].address(); address != "" {
				return address, nil
			}
		}
		return "", errors.New("no receiver is there")
	})
	return err
}

// addReceivers starts as many receivers as are missing.
func (r *run) addReceivers() error {
	for {
		r.mu.Lock()
		missing := r.scenario.receivers - len(r.receivers)
		r.made++
		name := fmt.Sprintf("receiver-%d", r.made)
		r.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		w, err := startProcess(r.dir, name, "receiving callbacks", nil, r.program, "callbacks", "--config", r.config)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.receivers = append(r.receivers, w)
		r.mu.Unlock()
		r.note("start %s", name)
	}
}

// killReceiver kills the i-th receiver.
func (r *run) killReceiver(i int) {
	r.mu.Lock()
	w := r.receivers[i]
	r.receivers = append(r.receivers[:i:i], r.receivers[i+1:]...)
	r.mu.Unlock()
	r.note("kill -9 %s", w.name)
	w.kill()
	r.kills++
}

// replaceReceiver kills a receiver, where there are some, and starts another.
func (r *run) replaceReceiver() error {
	if len(r.receivers) == 0 {
		return nil
	}
	r.killReceiver(r.rng.IntN(len(r.receivers)))
	return r.addReceivers()
}

// stopReceivers ends the receivers in order.
func (r *run) stopReceivers() error {
	var errs []error
	for _, w := range r.receivers {
		errs = append(errs, w.stop(stopTimeout))
	}
	return errors.Join(errs...)
}

// followAndReplay waits for the statuses, and then replays the letters of what
// wasn't delivered, while that and replicas are killed.
func followAndReplay(ctx context.Context, r *run) error {
	if err := r.awaitStatuses(ctx); err != nil {
		return err
	}
	r.note("what wasn't delivered is replayed")
	for n := 0; ; n++ {
		done, err := r.replayFor(ctx, n)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if err := r.replace(ctx); err != nil {
			return err
		}
	}
	if err := r.await(ctx, settleTimeout, "the replays settled", r.settled); err != nil {
		return err
	}
	return r.awaitStatuses(ctx)
}

// replayKills is how often a replay is killed before one may end.
const replayKills = 3

// replayFor runs `dlq replay`, and kills it after a while but for the last time;
// done is true once one has ended by itself.
func (r *run) replayFor(ctx context.Context, n int) (done bool, err error) {
	log, err := os.Create(filepath.Join(r.dir, fmt.Sprintf("replay-%d.log", n+1)))
	if err != nil {
		return false, err
	}
	defer log.Close()
	running, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if n < replayKills {
		running, cancel = context.WithTimeout(ctx, r.between(2*time.Second, 4*time.Second))
		defer cancel()
	}
	cmd := exec.CommandContext(running, r.program, "dlq", "replay", "--reason", "not_delivered", "--undelivered", "--ambiguous", "--yes", "--rate", "60", "--wait", "0s", "--config", r.config)
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() == nil && running.Err() != nil && n < replayKills:
		r.note("kill -9 dlq replay")
		r.kills++
		return false, nil
	}
	return false, fmt.Errorf("dlq replay: %w; see %s", err, log.Name())
}

// awaitStatuses waits until each message's status is the simulator's, with a dead
// letter for each that failed.
func (r *run) awaitStatuses(ctx context.Context) error {
	return r.await(ctx, statusTimeout, "each message's status is the simulator's", func(ctx context.Context) error {
		if err := errors.Join(r.supervise(), pause(ctx, time.Second)); err != nil {
			return err
		}
		h := &History{}
		_, h.Messages = r.vendor.history()
		if err := errors.Join(r.collectDead(ctx, h), r.collectStatuses(ctx, h, destination)); err != nil {
			return err
		}
		if faults := CheckStatuses(h); len(faults) > 0 {
			return errors.New(strings.Join(faults, "; "))
		}
		return nil
	})
}
