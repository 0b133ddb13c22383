package main

import (
	"fmt"
	"slices"
	"time"

	"engage-worker/test/chaos/evidence"
)

// lending breaks things while replicas lend each other what they don't use of
// the rates: all load is in one partition, which moves.
func lending(r *run) {
	const frozen = sessionTimeout * 3 / 2
	freeze := func() {
		r.freeze(r.busy(), frozen)
		r.pause(3 * time.Second)
	}
	hold := func(what string, part float64) {
		r.hold(what, r.broker.network, part, frozen)
		r.pause(3 * time.Second)
	}
	r.pause(6 * time.Second)
	freeze()
	r.replace(4 * time.Second)
	hold("all connections to Kafka", 1)
	freeze()
	hold("half of the connections to Kafka", 0.5)
	r.replace(4 * time.Second)
	freeze()
	r.pause(3 * time.Second)
}

// allowance is what the way to the vendor may add to a second, in parts of the
// rate: requests that left apart arrive together where this machine, which
// runs all of it, had no time for them.
const allowance = 0.1

// measureLending tells how many requests came in the worst second, and how many
// in the best five.
func measureLending(r *run, h *evidence.History) (grades, faults []string) {
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
