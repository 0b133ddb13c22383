package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
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
func followed(r *run) {
	forging, stop := context.WithCancel(r.ctx)
	forged := make(chan error, 1)
	go func() { forged <- r.forge(forging) }()
	defer func() {
		stop()
		if err := <-forged; err != nil {
			r.fail(err)
		}
	}()
	kill := func() {
		r.pause(r.between(2*time.Second, 5*time.Second))
		r.replace(0)
		if len(r.receivers) > 0 {
			r.killReceiver(r.rng.IntN(len(r.receivers)))
			r.addReceivers()
		}
	}
	r.pause(3 * time.Second)
	kill()
	for range r.receivers {
		r.killReceiver(0)
	}
	r.pause(4 * time.Second)
	r.addReceivers()
	kill()
	r.hold("all connections to Kafka", r.broker.network, 1, twilioTries+5*time.Second)
	r.pause(4 * time.Second)
	kill()
	kill()
}

// startFront opens the address that Twilio calls, behind which receivers come and go.
func (r *run) startFront() (err error) {
	rng := rand.New(rand.NewPCG(r.seed, 4)) // of the proxy's accepting goroutines, under r.mu
	r.front, err = openProxy(func() (string, error) {
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
func (r *run) addReceivers() {
	for len(r.receivers) < r.scenario.receivers {
		r.made++
		name := fmt.Sprintf("receiver-%d", r.made)
		w, err := startProcess(r.dir, name, "receiving callbacks", nil, r.program, "callbacks", "--config", r.config)
		must(err)
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
	r.receivers = slices.Delete(r.receivers, i, i+1)
	r.mu.Unlock()
	r.note("kill -9 %s", w.name)
	w.kill()
	r.kills++
}

// followAndReplay waits for the statuses, and then replays the letters of what
// wasn't delivered, while that and replicas are killed.
func followAndReplay(r *run) {
	r.awaitStatuses()
	r.note("what wasn't delivered is replayed")
	for n := 0; !r.replayUndelivered(n < replayKills); n++ {
		r.replace(0)
	}
	r.await(settleTimeout, "the replays settled", r.settled)
	r.awaitStatuses()
}

// replayKills is how often a replay is killed before one may end.
const replayKills = 3

// replayUndelivered replays, killed after a while or not, and reports whether that
// has ended by itself.
func (r *run) replayUndelivered(killed bool) (done bool) {
	while := settleTimeout
	if killed {
		while = r.between(2*time.Second, 4*time.Second)
	}
	ctx, cancel := context.WithTimeout(r.ctx, while)
	defer cancel()
	_, err := r.dlq(ctx, "replay", "--reason", "not_delivered", "--undelivered", "--ambiguous", "--yes", "--rate", "60")
	if err == nil {
		return true
	}
	if !killed || ctx.Err() == nil || r.ctx.Err() != nil {
		must(err)
	}
	r.note("kill -9 dlq replay")
	r.kills++
	return false
}

// awaitStatuses waits until each message's status is the simulator's, with a dead
// letter for each that failed.
func (r *run) awaitStatuses() {
	r.await(statusTimeout, "each message's status is the simulator's", func(ctx context.Context) error {
		r.supervise()
		r.pause(time.Second)
		h := &evidence.History{}
		_, h.Messages = r.vendor.history()
		if err := errors.Join(r.collectDead(ctx, h), r.collectStatuses(ctx, h, destination)); err != nil {
			return err
		}
		if faults := evidence.CheckStatuses(h); len(faults) > 0 {
			return errors.New(strings.Join(faults, "; "))
		}
		return nil
	})
}
