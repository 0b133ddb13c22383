package deadletter

import (
	"slices"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
)

// unnamed are the reasons whose letters another attempt does nothing for.
func unnamed(reason string) bool { return reason == "opted_out" || reason == "malformed_event" }

// decide says why an item isn't replayed, "" where it is, and then what its
// replay may do. ofState is false for one that isn't in a state that was asked for.
func (p *Planner) decide(plan *Plan, states *States, i *item) (why Why, ofState bool) {
	k, _ := states.known.Get(knowledge{delivery: i.ref.delivery})
	state, _ := states.OfRef(i.ref)
	if !oneOf(p.Filter.States, state) {
		return "", false
	}
	if why := p.excluded(i, state); why != "" {
		return why, true
	}
	if plan.Continues() && (i.series == plan.Series || i.lastSeries == plan.Series) {
		return AlreadyReplayed, true
	}
	if i.done() {
		if why := p.again(i, k, states.fateOf(i.ref), state); why != "" {
			return why, true
		}
	}
	if i.replay > p.MaxReplays {
		return TooOften, true
	}
	if i.ref.undelivered {
		i.Past = &Past{Partition: i.source, Offset: i.ref.offset, SID: i.sid}
	}
	if i.disposition == Ambiguous {
		return p.doubtful(states, i, k), true
	}
	return "", true
}

// excluded is why an item isn't replayed however it was replayed before.
func (p *Planner) excluded(i *item, state State) Why {
	named := len(p.Filter.Reasons)+len(p.Filter.IDs) > 0
	switch undelivered := i.ref.undelivered; {
	case i.source < 0, !slices.Contains(p.Destinations, i.destination):
		return OtherSource
	case state == StateSent, state == StateDelivered:
		return AlreadySent
	case state == StateDismissed && !slices.Contains(p.Filter.States, StateDismissed):
		return Closed
	case unnamed(i.reason) && !named:
		return Unnamed
	case undelivered && !p.Undelivered:
		return NotDelivered
	case undelivered && mayHaveArrived(i.code) && !p.Ambiguous:
		return MayHaveArrived
	}
	return i.untaken
}

func mayHaveArrived(code int) bool {
	later := twilio.LaterOf(code)
	return later == twilio.LaterUnsure || later == twilio.LaterUnknown
}

// again makes the item's replay the next one, or says why not.
func (p *Planner) again(i *item, k knowledge, f fate, state State) Why {
	switch {
	case !p.Again:
		return AlreadyReplayed
	case state == StateSkipped:
	case k.state == ledger.Intent: // the last one may have been sent
		if !p.Ambiguous && !p.EvenIfSent {
			return MayBeSent
		}
	case time.Since(time.Unix(f.at, 0)) > p.Memory && !p.EvenIfSent:
		return Forgotten
	}
	i.replay = i.published + 1
	return ""
}

// doubtful decides of what may have been sent: the worker asks Twilio, where the
// ledger or the letter knows with what.
func (p *Planner) doubtful(states *States, i *item, k knowledge) Why {
	if !p.Ambiguous && !p.EvenIfSent {
		return MayBeSent
	}
	i.EvenIfSent = p.EvenIfSent
	if i.Doubt = states.doubts[i.ref.delivery]; i.Doubt == "" && k.state == 0 {
		i.Doubt = i.doubt
	}
	if i.Doubt == "" && k.state == 0 && !p.EvenIfSent {
		return Forgotten
	}
	return ""
}
