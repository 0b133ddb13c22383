package query

import (
	"slices"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/letters"
)

// Choice is a field of the filter with what may be chosen.
type Choice struct {
	Name, Label string
	Value       string
	Values      []string
}

// Choices are the fields that have a list to choose from, by a configuration. What is
// asked for and isn't in the list, as several at a time, is one more.
func (q *Query) Choices(cfg *config.Config) map[string]Choice {
	states, dispositions := []string{}, []string{}
	for _, s := range deadletter.AllStates() {
		states = append(states, string(s))
	}
	for _, s := range deadletter.Dispositions() {
		dispositions = append(dispositions, string(s))
	}
	var destinations, actions []string
	for _, to := range cfg.Destinations {
		destinations = append(destinations, to.Name)
		for _, a := range to.Actions {
			actions = append(actions, a.Name)
		}
	}
	all := map[string]Choice{}
	for _, c := range []Choice{
		{Name: "state", Label: "State", Values: states}, {Name: "reason", Label: "Reason", Values: letters.Reasons()},
		{Name: "destination", Label: "Destination", Values: destinations}, {Name: "action", Label: "Action", Values: actions},
		{Name: "disposition", Label: "Kind of end", Values: dispositions}, {Name: "region", Label: "Region", Values: cfg.RegionNames()},
	} {
		c.Value = q.Get(c.Name)
		var once []string
		for _, value := range append([]string{c.Value}, c.Values...) {
			if value != "" && !slices.Contains(once, value) {
				once = append(once, value)
			}
		}
		c.Values = once
		all[c.Name] = c
	}
	return all
}
