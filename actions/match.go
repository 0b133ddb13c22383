package actions

import "engage-worker/actions/trigger"

// Match is what triggers said of one value.
type Match struct {
	Actions   uint64   // bit i: action i wants the event
	Envelope  Envelope // what the value is wrapped in; only where Actions is 0
	Malformed error    // why the value is no JSON object, or nil; Actions is 0 then
	Tombstone bool     // the value is null; Actions is 0 then
}

// sharedTrigger is a trigger and the actions that have it: those with the
// same expression ask once.
type sharedTrigger struct {
	trigger *trigger.Trigger
	actions uint64
}

// Wants reports whether action i is still to be made for value, which its
// trigger wanted once. A disabled action asks no trigger: Prepare skips it.
func (d *Destination) Wants(value []byte, action int) bool {
	return d.actions[action].disabled || d.Match(value).Actions&(1<<action) != 0
}

// Match asks each action's trigger about value, the raw bytes of an event or
// of a CloudEvent in structured mode whose data is an event, also behind a
// schema registry's five bytes.
// It neither decodes nor keeps value and allocates nothing unless value is
// malformed. A nil value is a tombstone; an empty one is malformed.
func (d *Destination) Match(value []byte) Match {
	if value == nil {
		return Match{Tombstone: true}
	}
	event, err := trigger.ParseRecord(value)
	if err != nil {
		return Match{Malformed: err}
	}
	var m Match
	if !event.OfSpec() { // rare: the others aren't copied
		event, m.Envelope = opened(event)
	}
	for i := range d.triggers {
		if d.triggers[i].trigger.MatchEvent(event) {
			m.Actions |= d.triggers[i].actions
		}
	}
	if m.Actions != 0 {
		m.Envelope = EnvelopeNone
	}
	return m
}
