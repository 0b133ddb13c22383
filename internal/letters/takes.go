package letters

import (
	"fmt"
	"slices"

	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/deadletter"
)

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
