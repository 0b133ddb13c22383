package delivery

import (
	"context"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
)

// failure is why a delivery is not sent, as its dead letter and the log tell.
type failure struct {
	reason      outcome.Reason
	disposition deadletter.Disposition
	message     string // holds no secret, body or full number
	code        int    // Twilio's
	status      int    // HTTP
	requestID   string
}

func failureOf(r *twilio.Result) failure {
	f := failure{reason: r.Reason, disposition: deadletter.Permanent, code: r.Code, status: r.Status, requestID: r.RequestID}
	if r.Err != nil {
		f.message = r.Err.Error()
	}
	return f
}

// die tells of a failure that nothing can mend, and buries the delivery.
func (d *delivery) die(f failure) step {
	d.logFailure(f)
	return d.bury(f)
}

// bury writes the delivery's dead letter, however long that takes; given when
// work ends first.
func (d *delivery) bury(f failure) step {
	d.failedNow()
	r := d.courier.deadLetter(d.ev)
	r.Action, r.Reason, r.Disposition, r.Message = d.action, f.reason.String(), f.disposition, f.message
	r.MessageID, r.UserID, r.Region, r.Recipient = d.plan.MessageID, d.plan.UserID, d.plan.Region, twilio.Mask(d.plan.Recipient)
	r.TwilioCode, r.TwilioStatus, r.RequestID = f.code, f.status, f.requestID
	r.DeliveryCount, r.FirstFailedAt, r.LastFailedAt = d.attempts, d.firstFailedAt, d.lastFailedAt
	if d.doubt {
		r.Doubt = d.doubtText()
	}
	if !d.courier.publish(d.ev, r) {
		return leftOpen
	}
	d.parts.Metrics.DeadLetters.WithLabelValues(d.cfg.Destination, d.action, r.Reason, string(r.Disposition)).Inc()
	d.count("dead_letter", f.reason)
	// So that the event, read again after a crash, doesn't die twice. A
	// replay has another position and may be sent. In doubt the intent stays:
	// a replay is reconciled first.
	if d.key != nil && !d.doubt {
		if err := d.record(ledger.Dead, ""); err != nil {
			return d.refused(err)
		}
	}
	return settled
}

// buryMalformed writes the dead letter of a value that is no event.
func (c *Courier) buryMalformed(ev *intake.Event, why error) bool {
	r := c.deadLetter(ev)
	r.Reason, r.Disposition, r.Message = outcome.ReasonMalformedEvent.String(), deadletter.Malformed, why.Error()
	r.FirstFailedAt = time.Now()
	r.LastFailedAt = r.FirstFailedAt
	c.parts.Failures.Warn().Str("reason", r.Reason).Str("topic", r.Topic).Int("partition", r.Partition).Int64("offset", r.Offset).Str("why", r.Message).Msg("an event failed")
	return c.buryWhole(ev, r)
}

// buryWhole writes the dead letter of an event that is no delivery of an
// action that there is. It is false when the event stays open.
func (c *Courier) buryWhole(ev *intake.Event, r *deadletter.Record) bool {
	if !c.publish(ev, r) {
		return false
	}
	c.parts.Metrics.DeadLetters.WithLabelValues(c.cfg.Destination, "", r.Reason, string(r.Disposition)).Inc()
	c.parts.Metrics.Events.WithLabelValues(c.cfg.Destination, "", "dead_letter", r.Reason).Inc()
	return true
}

// deadLetter starts an event's dead letter: what it was and where it came from.
func (c *Courier) deadLetter(ev *intake.Event) *deadletter.Record {
	o := &ev.Origin
	r := &deadletter.Record{
		Key: ev.Message.Key, Value: ev.Message.Value, Headers: intake.WithoutRetry(ev.Message.Headers),
		Topic: o.Topic, Partition: o.Partition, Offset: o.Offset, Timestamp: o.Time,
		Destination: c.cfg.Destination, Group: c.cfg.Group,
	}
	if o.Replayed {
		r.AfterReplay(o.Replay)
	}
	return r
}

// publish writes a dead letter, holding the event until it is acknowledged by
// all in-sync replicas; false when work ended first.
func (c *Courier) publish(ev *intake.Event, r *deadletter.Record) bool {
	return c.persist("dead_letter", ev, func(ctx context.Context) error {
		return c.parts.DeadLetters.Publish(ctx, r)
	})
}

// retryLater writes the delivery to the retry topic of a tier; the record
// will have been through `through` tiers.
func (d *delivery) retryLater(tier, through int, f failure) step {
	if d.intended && !d.doubt {
		if err := d.record(ledger.Refused, ""); err != nil {
			return d.refused(err)
		}
	}
	to := d.cfg.Retry[tier]
	o := d.ev.Origin
	o.Attempts, o.FirstFailedAt = d.attempts, d.firstFailedAt
	ok := d.courier.persist("retry", d.ev, func(ctx context.Context) error {
		m := o.RetryMessage(&d.ev.Message, d.action, through, time.Now().Add(to.Delay), f.reason.String())
		m.Topic = to.Topic
		return d.parts.Retries.Write(ctx, m, d.cfg.Shard)
	})
	if !ok {
		return leftOpen
	}
	d.parts.Metrics.Retries.WithLabelValues(d.cfg.Destination, to.Name).Inc()
	d.count("retry", f.reason)
	return settled
}

// count counts the delivery by what became of it.
func (d *delivery) count(became string, reason outcome.Reason) {
	d.parts.Metrics.Events.WithLabelValues(d.cfg.Destination, d.action, became, reason.String()).Inc()
	if became == "skipped" && d.parts.Skips != nil {
		o := &d.ev.Origin
		d.parts.Skips.add(reason, Skip{Time: time.Now(), Action: d.action, MessageID: d.event.MessageID(), Topic: o.Topic, Partition: o.Partition, Offset: o.Offset, Other: d.other})
	}
	d.traceSettle(became, reason)
}

// logFailure writes the one line that a failure gets: of an attempt, or of what
// was never tried. Storms are thinned. That a person opted out is nobody's fault.
func (d *delivery) logFailure(f failure) {
	e := d.parts.Failures.Warn()
	if f.reason == outcome.ReasonOptedOut {
		e = d.parts.Failures.Info()
	}
	e.Str("reason", f.reason.String()).Str("action", d.action).Str("region", d.plan.Region).
		Str("messageId", d.plan.MessageID).Str("topic", d.ev.Origin.Topic).Int("partition", d.ev.Origin.Partition).Int64("offset", d.ev.Origin.Offset).
		Str("recipient", twilio.Mask(d.plan.Recipient)).Int("attempt", d.attempts)
	if f.code != 0 {
		e.Int("twilioCode", f.code)
	}
	if f.status != 0 {
		e.Int("status", f.status)
	}
	if f.requestID != "" {
		e.Str("requestId", f.requestID)
	}
	e.Str("why", f.message).Msg("a delivery failed")
}
