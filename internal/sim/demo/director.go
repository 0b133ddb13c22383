package demo

import (
	"context"
	"time"

	"engage-worker/internal/pause"
	"engage-worker/internal/sim/twiliosim"
)

// director makes the simulated Twilio misbehave, and says when it does.
type director struct {
	sim      *twiliosim.Sim
	americas string // a listener, as the next
	europe   string // of the region that goes down
	mistake  bool   // a sender is refused for a while
	seed     uint64
	length   time.Duration // of the production; 0: no end, and the script repeats
	say      func(text string)
	setDown  func(down bool)
}

const (
	vendorLatency = 30 * time.Millisecond
	vendorJitter  = 40 * time.Millisecond

	// outage is shorter than what the worker holds in place before the retry
	// topic takes over, so that the demo ends soon.
	outage = 3 * time.Second

	// refusal is for so long that Twilio doesn't know a sender.
	refusal = 2 * time.Second

	// between repeats of an endless demo's outage.
	outageEvery = 45 * time.Second
)

// behaviour of both regions: now and then a request is accepted and then
// not answered as it should be.
func behaviour(flaky bool) twiliosim.Behaviour {
	b := twiliosim.Behaviour{Latency: vendorLatency, Jitter: vendorJitter}
	if flaky {
		b.AcceptedThen500, b.AcceptedThenReset = 0.02, 0.01
	}
	return b
}

// faults are the whole vendor's.
func (d *director) faults(flaky, down bool) twiliosim.Faults {
	f := twiliosim.Faults{Seed: d.seed, Behaviour: behaviour(flaky)}
	if down {
		f.Scopes = []twiliosim.Scope{{Hosts: []string{d.europe}, Behaviour: twiliosim.Behaviour{Outage: twiliosim.Refused}}}
	}
	return f
}

// run directs until its script or ctx ends; it leaves a healthy vendor.
func (d *director) run(ctx context.Context) error {
	first, rest := d.length/3, max(0, d.length/6)
	if d.length == 0 {
		first, rest = 5*time.Second, outageEvery
	}
	if d.mistake {
		if err := d.refuse(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	for {
		if !pause.For(ctx, first/2) {
			return nil
		}
		d.say("Twilio now accepts 3 of 100 requests without saying so: a 500, or a connection reset")
		if err := d.sim.SetFaults(d.faults(true, false)); err != nil {
			return err
		}
		if !pause.For(ctx, first/2) {
			return nil
		}
		if err := d.down(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		if d.length == 0 {
			first = rest
			continue
		}
		if !pause.For(ctx, rest) {
			return nil
		}
		d.say("Twilio answers every request again")
		return d.sim.SetFaults(d.faults(false, false))
	}
}

// refuse has Twilio take a sender for nobody's: dead letters that can be sent again
// once that is mended.
func (d *director) refuse(ctx context.Context) error {
	for d.sim.Stats().Accepted < 50 { // the worker has begun
		if !pause.For(ctx, 100*time.Millisecond) {
			return nil
		}
	}
	d.say("americas' Twilio doesn't know the sender: some messages become dead letters, others wait")
	f := d.faults(false, false)
	f.Scopes = []twiliosim.Scope{{Hosts: []string{d.americas}, Behaviour: twiliosim.Behaviour{SenderRefused: true}}}
	if err := d.sim.SetFaults(f); err != nil {
		return err
	}
	pause.For(ctx, refusal)
	d.say("americas' Twilio knows its sender again: the dead letters can be sent again, in the desk")
	return d.sim.SetFaults(d.faults(false, false))
}

// down is the outage.
func (d *director) down(ctx context.Context) error {
	d.say("europe's Twilio goes down: connections are refused")
	d.setDown(true)
	if err := d.sim.SetFaults(d.faults(true, true)); err != nil {
		return err
	}
	pause.For(ctx, outage)
	d.setDown(false)
	d.say("europe's Twilio is back")
	return d.sim.SetFaults(d.faults(true, false))
}
