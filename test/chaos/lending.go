package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lending breaks things while replicas lend each other what they don't use of
// the rates: all load is in one partition, which moves.
func lending(ctx context.Context, r *run) error {
	const frozen = sessionTimeout * 3 / 2
	freeze := func(ctx context.Context, r *run) error {
		w, err := r.busy(ctx)
		if err != nil {
			return err
		}
		return errors.Join(r.freeze(ctx, w, frozen), pause(ctx, 3*time.Second))
	}
	kill := func(ctx context.Context, r *run) error { return errors.Join(r.replace(ctx), pause(ctx, 4*time.Second)) }
	cut := func(part float64) step {
		return func(ctx context.Context, r *run) error {
			r.note("%.0f%% of the connections to Kafka are held for %v", 100*part, frozen)
			r.broker.network(func(p *proxy) { p.hold(part, r.rng) })
			err := pause(ctx, frozen)
			r.broker.network((*proxy).release)
			r.note("connections to Kafka are released")
			return errors.Join(err, pause(ctx, 3*time.Second))
		}
	}
	return steps(ctx, r, quiet(6*time.Second), freeze, kill, cut(1), freeze, cut(0.5), kill, freeze, quiet(3*time.Second))
}

// allowance is what the way to the vendor may add to a second, in parts of the
// rate: requests that left apart arrive together where this machine, which
// runs all of it, had no time for them.
const allowance = 0.1

// measureLending tells how many requests came in the worst second, and how many
// in the best five.
func measureLending(r *run, h *History) (grades, faults []string) {
	for i, of := range []struct {
		what string
		rate float64
	}{{"the region", r.scenario.rate}, {"the sender", r.scenario.senderRate}} {
		var times []time.Time
		for _, q := range h.Requests {
			if q.Method == "POST" && q.Sender == regions[i].sender {
				times = append(times, q.At)
			}
		}
		slices.SortFunc(times, time.Time.Compare)
		worst, best := most(times, time.Second), most(times, 5*time.Second)
		grade := fmt.Sprintf("%s at %v/s: %d requests in the worst second, %.1f/s in the best five", of.what, of.rate, worst, float64(best)/5)
		grades = append(grades, grade)
		if float64(worst) > of.rate*(1+allowance)+1 {
			faults = append(faults, grade)
		}
		// One of three replicas has a third of its own.
		if float64(best) < 5*of.rate*0.45 {
			faults = append(faults, grade+": nothing was lent")
		}
	}
	return grades, faults
}

// most is the greatest number of ordered times within a window.
func most(times []time.Time, window time.Duration) (most int) {
	for i, from := 0, 0; i < len(times); i++ {
		for times[i].Sub(times[from]) > window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}
