package letters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/deadletter"
)

// RenderTime bounds the look-ups of a rendering.
const RenderTime = 10 * time.Second

// Render prepares a dead letter's event again, for its action, or for all of
// its destination's when it names none. It looks things up and sends nothing.
func (d *Desk) Render(ctx context.Context, r *deadletter.Record) ([]actions.Delivery, error) {
	named := d.Config.Named(r.Destination)
	if named == nil {
		return nil, fmt.Errorf("the configuration has no destination %q", r.Destination)
	}
	destination, faults := actions.New(named.Definition, actions.Options{Log: zerolog.Nop(), Region: d.Config.TwilioRegion, Regions: d.Config.RegionNames()})
	if len(faults) > 0 {
		return nil, fmt.Errorf("the destination %q doesn't compile: %s: %s", r.Destination, faults[0].Path, faults[0].Message)
	}
	defer destination.Close()
	event, err := destination.Decode(r.Value)
	if err != nil {
		return nil, fmt.Errorf("nothing: the value is no event (%w)", err)
	}
	ctx, cancel := context.WithTimeout(ctx, RenderTime)
	defer cancel()
	match := destination.Match(r.Value)
	var deliveries []actions.Delivery
	for i, name := range destination.Actions() {
		if r.Action != "" && name != r.Action && !slices.Contains(destination.FormerNames()[i], r.Action) {
			continue
		}
		if match.Actions&(1<<i) == 0 {
			deliveries = append(deliveries, actions.Delivery{Action: name, Decision: actions.DecisionNoMatch})
			continue
		}
		deliveries = append(deliveries, destination.Prepare(ctx, event, i))
	}
	if len(deliveries) == 0 {
		return nil, errors.New("the configuration has no such action any more: nothing would be sent")
	}
	return deliveries, nil
}

// takes tells why a destination would not take an event, as it is configured now.
func (d *Desk) takes() (func(destination, action string, value []byte) deadletter.Why, error) {
	compiled := map[string]*actions.Destination{}
	for _, c := range d.Config.Destinations {
		destination, faults := actions.New(c.Definition, actions.Options{Log: zerolog.Nop(), Region: d.Config.TwilioRegion, Regions: d.Config.RegionNames()})
		if len(faults) > 0 {
			return nil, fmt.Errorf("the destination %q doesn't compile: %s: %s", c.Name, faults[0].Path, faults[0].Message)
		}
		destination.Close() // nothing is looked up
		for _, name := range append([]string{c.Name}, c.FormerNames...) {
			compiled[name] = destination
		}
	}
	return func(destination, action string, value []byte) deadletter.Why {
		to := compiled[destination]
		if to == nil {
			return deadletter.OtherSource
		}
		match := to.Match(value)
		if action == "" { // a malformed event's
			if match.Malformed == nil && match.Actions == 0 {
				return deadletter.NoMatch
			}
			return ""
		}
		former := to.FormerNames()
		for i, name := range to.Actions() {
			if name == action || slices.Contains(former[i], action) {
				if match.Actions&(1<<i) == 0 {
					return deadletter.NoMatch
				}
				return ""
			}
		}
		return deadletter.NoAction
	}, nil
}
