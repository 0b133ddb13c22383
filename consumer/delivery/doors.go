package delivery

import (
	"context"
	"errors"
	"net/http"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/ratelimit"
)

// doors hold back what would be refused for the account's or the sender's
// sake; see ratelimit.Doors.
type doors interface {
	Check(s ratelimit.Sender) error
	Enter(ctx context.Context, s ratelimit.Sender) (*ratelimit.Pass, error)
}

func (d *delivery) sender() ratelimit.Sender {
	return ratelimit.Sender{Destination: d.cfg.Destination, From: d.plan.Message.From}
}

// account asks for the account alone.
func (d *delivery) account() ratelimit.Sender {
	return ratelimit.Sender{Destination: d.cfg.Destination}
}

// request is what the gate is asked for: a message of the sender's, or without
// one a look at Twilio's list.
func (d *delivery) request(s ratelimit.Sender) ratelimit.Request {
	r := ratelimit.Request{Flow: d.cfg.Destination + "/" + d.action, Purpose: ratelimit.Marketing}
	if d.plan.Purpose == actions.Transactional {
		r.Purpose = ratelimit.Transactional
	}
	if s.From == "" {
		return r
	}
	r.Sender, r.Uses = twilio.SenderKey(s.From), d.plan.Segments
	if len(d.cfg.Retry) > 0 && d.cfg.SeveralSenders {
		r.Patience = d.cfg.Retry[0].Delay
	}
	return r
}

// holdBusy lets a delivery whose sender's rate is used up for longer than a
// retry topic's delay wait there, where it takes no room from those of other
// senders.
func (d *delivery) holdBusy(busy *ratelimit.BusyError) step {
	tier := 0
	for i, t := range d.cfg.Retry {
		if t.Delay <= busy.Wait {
			tier = i
		}
	}
	return d.retryLater(tier, d.ev.Origin.Tier, failure{reason: outcome.ReasonRateLimited, message: busy.Error()})
}

// answerOf is what a result tells the doors.
func answerOf(r *twilio.Result) ratelimit.Answer {
	switch {
	case r.Kind == outcome.Sent:
		return ratelimit.Accepted
	case r.Kind == outcome.Refused && r.Concerns == twilio.ConcernsAccount:
		return ratelimit.AccountRefused
	case r.Kind == outcome.Refused && r.Concerns == twilio.ConcernsSender:
		return ratelimit.SenderRefused
	case r.Kind == outcome.Refused, r.Kind == outcome.Throttled:
		return ratelimit.Answered
	default:
		return ratelimit.Unheard
	}
}

// answerOfList is what the list's answer, or its refusal, tells the doors.
func answerOfList(err error) (ratelimit.Answer, ratelimit.Refusal) {
	var list *twilio.LookupError
	switch {
	case err == nil:
		return ratelimit.Answered, ratelimit.Refusal{}
	case errors.As(err, &list) && list.Status == http.StatusUnauthorized && list.Code != 0:
		return ratelimit.AccountRefused, ratelimit.Refusal{Code: list.Code, Message: list.Error()}
	default:
		return ratelimit.Unheard, ratelimit.Refusal{}
	}
}

// keepBack is for a delivery that was refused for no fault of its event's: the
// account or the sender is closed. It surely wasn't sent, and the ledger says
// so, since Twilio's list can't be asked with a key that it refuses. It goes on
// to where it is held.
func (d *delivery) keepBack() step {
	if err := d.record(ledger.Refused, ""); err != nil {
		return d.refused(err)
	}
	return onward
}

// holdClosed holds a delivery whose account or sender is closed; a retry topic
// takes what would hold other senders up. What may have been sent stays in
// doubt; the rest ends as refused when the door has been closed for longer than
// an event may wait.
func (d *delivery) holdClosed(closed *ratelimit.ClosedError) step {
	if d.cfg.MaxEventAge > 0 && !d.doubt && time.Since(closed.Since) > d.cfg.MaxEventAge {
		return d.die(failure{reason: twilio.ReasonOf(closed.Cause.Code), disposition: deadletter.Permanent, message: closed.Error(), code: closed.Cause.Code})
	}
	if closed.Sender.From != "" && d.blocksSenders() {
		return d.retryLater(0, d.ev.Origin.Tier, failure{reason: outcome.ReasonSenderRejected, message: closed.Error()})
	}
	return d.wait("refused", closed.RetryAfter)
}

// blocksSenders reports whether holding the delivery on keeps those of other
// senders waiting.
func (d *delivery) blocksSenders() bool {
	held := d.heldFor()
	long, pressed := held >= holdInPlace, d.parts.Pressure.UnderPressure() || d.followed()
	if held == 0 || !long && !pressed {
		return false
	}
	others := d.parts.Peers.otherSenders(d.plan.Message.From)
	return others || long && pressed
}
