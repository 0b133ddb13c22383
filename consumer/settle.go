package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/partition"
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

func failureOf(r twilio.Result) failure {
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
	r := d.ev.deadLetter(d.Destination, d.GroupID)
	r.Action, r.Reason, r.Disposition, r.Message = d.action, f.reason.String(), f.disposition, f.message
	r.MessageID, r.UserID, r.Region, r.Recipient = d.plan.MessageID, d.plan.UserID, d.plan.Region, twilio.Mask(d.plan.Recipient)
	r.TwilioCode, r.TwilioStatus, r.RequestID = f.code, f.status, f.requestID
	r.DeliveryCount, r.FirstFailedAt, r.LastFailedAt = d.attempts, d.firstFailedAt, d.lastFailedAt
	if !d.publish(d.ev, r) {
		return given
	}
	d.metrics.DeadLetters.WithLabelValues(d.Destination, d.action, r.Reason, string(r.Disposition)).Inc()
	d.count("dead_letter", f.reason)
	// So that the event, read again after a crash, doesn't die twice. A
	// replay has another position and may be sent. In doubt the intent stays:
	// a replay is reconciled first.
	if d.key != nil && !d.doubt && !d.record(ledger.Dead, "") {
		return given
	}
	return settled
}

// buryMalformed writes the dead letter of a value that is no event.
func (s *shard) buryMalformed(ev *event) bool {
	r := ev.deadLetter(s.Destination, s.GroupID)
	r.Reason, r.Disposition, r.Message = outcome.ReasonMalformedEvent.String(), deadletter.Malformed, ev.malformed.Error()
	r.FirstFailedAt = time.Now()
	r.LastFailedAt = r.FirstFailedAt
	s.failures.Warn().Str("reason", r.Reason).Str("topic", r.Topic).Int("partition", r.Partition).Int64("offset", r.Offset).Str("why", r.Message).Msg("an event failed")
	return s.buryWhole(ev, r)
}

// buryOrphan writes the dead letter of a retry whose action is gone.
func (s *shard) buryOrphan(ev *event, decoded *actions.Event) bool {
	r := ev.deadLetter(s.Destination, s.GroupID)
	r.Action, r.Reason, r.Disposition = ev.origin.action, outcome.ReasonMappingFailed.String(), deadletter.Permanent
	r.Message = fmt.Sprintf("the configuration has no action %q any more", ev.origin.action)
	r.MessageID, r.UserID = decoded.MessageID(), decoded.UserID()
	r.FirstFailedAt, r.LastFailedAt, r.DeliveryCount = ev.origin.firstFailedAt, time.Now(), ev.origin.attempts
	s.failures.Warn().Str("reason", r.Reason).Str("action", r.Action).Str("messageId", r.MessageID).Str("topic", r.Topic).Int("partition", r.Partition).Int64("offset", r.Offset).Str("why", r.Message).Msg("an event failed")
	return s.buryWhole(ev, r)
}

// buryWhole writes the dead letter of an event that is no delivery of an
// action that there is; false leaves the event open.
func (s *shard) buryWhole(ev *event, r *deadletter.Record) bool {
	if !s.publish(ev, r) {
		return false
	}
	s.metrics.DeadLetters.WithLabelValues(s.Destination, "", r.Reason, string(r.Disposition)).Inc()
	s.metrics.Events.WithLabelValues(s.Destination, "", "dead_letter", r.Reason).Inc()
	return true
}

// deadLetter starts an event's dead letter: what it was and where it came from.
func (ev *event) deadLetter(destination, group string) *deadletter.Record {
	o := &ev.origin
	r := &deadletter.Record{
		Key: ev.msg.Key, Value: ev.msg.Value, Headers: withoutRetry(ev.msg.Headers),
		Topic: o.topic, Partition: o.partition, Offset: o.offset, Timestamp: o.time,
		Destination: destination, Group: group,
	}
	if o.replayed {
		r.Origin, r.Replays = o.replay.Origin, o.replay.Replays
	}
	return r
}

// publish writes a dead letter, holding the event until it is acknowledged by
// all in-sync replicas; false when work ended first.
func (s *shard) publish(ev *event, r *deadletter.Record) bool {
	return s.persist("dead_letter", ev, func(ctx context.Context) error {
		if err := s.exact(ctx, ev); err != nil {
			return err
		}
		r.Key, r.Value, r.Headers = ev.msg.Key, ev.msg.Value, withoutRetry(ev.msg.Headers)
		return s.deadLetters.Publish(ctx, r)
	})
}

// exact reads an event again whose key looks empty, which may have been null
// or empty, so that what is written elsewhere is the same byte for byte. What
// the topic no longer holds is taken as it looks.
func (s *shard) exact(ctx context.Context, ev *event) error {
	doubtful := len(ev.msg.Key) == 0
	for _, h := range ev.msg.Headers {
		doubtful = doubtful || len(h.Value) == 0
	}
	if !doubtful || ev.exact {
		return nil
	}
	m, err := s.cluster.Record(ctx, ev.stream.topic, s.id, ev.msg.Offset)
	switch {
	case err == nil:
		ev.msg.Key, ev.msg.Headers = m.Key, m.Headers
	case !errors.Is(err, partition.ErrGone):
		return err
	}
	ev.exact = true
	return nil
}

// retryLater writes the delivery to the retry topic of a tier; the record
// will have been through `through` tiers.
func (d *delivery) retryLater(tier, through int, f failure) step {
	if d.intended && !d.doubt && !d.record(ledger.Refused, "") {
		return given
	}
	to := d.Topics.Retry[tier]
	o := d.ev.origin
	o.attempts, o.firstFailedAt = d.attempts, d.firstFailedAt
	ok := d.persist("retry", d.ev, func(ctx context.Context) error {
		if err := d.exact(ctx, d.ev); err != nil {
			return err
		}
		m := o.retryMessage(&d.ev.msg, d.action, through, time.Now().Add(to.Delay), f.reason.String())
		m.Topic = to.Topic
		return d.retries.Write(ctx, m, d.id)
	})
	if !ok {
		return given
	}
	d.metrics.Retries.WithLabelValues(d.Destination, to.Name).Inc()
	d.count("retry", f.reason)
	return settled
}

// persist calls write until it succeeds, however long that takes: until then
// the event is held, not done. It is false when the shard is given up first.
func (s *shard) persist(what string, ev *event, write func(ctx context.Context) error) bool {
	backoff := backoff{initial: 100 * time.Millisecond, max: 5 * time.Second}
	for {
		err := write(s.work)
		if err == nil {
			return true
		}
		if s.work.Err() != nil {
			return false
		}
		s.failures.Error().Err(err).Str("what", what).Str("topic", ev.origin.topic).Int("partition", ev.origin.partition).Int64("offset", ev.origin.offset).
			Msg("an event can't be written to its dead-letter or retry topic; it is held until it can")
		release := s.holding(what)
		ok := sleep(s.intake, backoff.next())
		release()
		if !ok {
			return false
		}
	}
}

// holding counts a held delivery until release.
func (s *shard) holding(cause string) (release func()) {
	g := s.metrics.Held.WithLabelValues(s.Destination, cause)
	g.Inc()
	return g.Dec
}

// count counts the delivery by what became of it.
func (d *delivery) count(became string, reason outcome.Reason) {
	d.metrics.Events.WithLabelValues(d.Destination, d.action, became, reason.String()).Inc()
	d.traceSettle(became, reason)
}

// logFailure writes the one line that a failure gets: of an attempt, or of what
// was never tried. Storms are thinned.
func (d *delivery) logFailure(f failure) {
	e := d.failures.Warn().Str("reason", f.reason.String()).Str("action", d.action).Str("region", d.plan.Region).
		Str("messageId", d.plan.MessageID).Str("topic", d.ev.origin.topic).Int("partition", d.ev.origin.partition).Int64("offset", d.ev.origin.offset).
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

func (d *delivery) observeRequest(start time.Time, r twilio.Result) {
	d.metrics.RequestDuration.WithLabelValues(d.Destination, d.plan.Region, r.Kind.String()).Observe(time.Since(start).Seconds())
}

// replayed masks the actions that a replayed dead letter isn't for.
func (g *generation) replayed(mask uint64, o *origin) uint64 {
	for i, name := range g.actions {
		if !o.replay.Wants(g.Destination, name) {
			mask &^= 1 << i
		}
	}
	return mask
}

// actionIndex finds an action by name; -1 when there is none.
func (g *generation) actionIndex(name string) int {
	for i, n := range g.actions {
		if n == name {
			return i
		}
	}
	return -1
}
