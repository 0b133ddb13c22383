package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/consumer/intake"
	"engage-worker/deadletter"
)

// settleOrphan settles a retry or a replay whose action this configuration
// hasn't: it waits in a retry topic as long as a member of the group has another
// configuration, which may know the action; else it is buried. It is false when
// the event stays open.
func (c *Courier) settleOrphan(ev *intake.Event, decoded *actions.Event) bool {
	if c.parts.Strangers != nil {
		strangers, ok := c.parts.Strangers(c.parts.Intake)
		if !ok {
			return false
		}
		if strangers {
			return c.sendRound(ev, decoded)
		}
	}
	return c.buryOrphan(ev, decoded)
}

// sendRound writes an orphan to the retry topic that it comes from, or to the
// first one, with nothing changed but when it is due.
func (c *Courier) sendRound(ev *intake.Event, decoded *actions.Event) bool {
	o := &ev.Origin
	tier := max(0, slices.IndexFunc(c.cfg.Retry, func(t intake.Tier) bool { return t.Topic == ev.Message.Topic }))
	to := c.cfg.Retry[tier]
	ok := c.persist("retry", ev, func(ctx context.Context) error {
		m := o.RetryMessage(&ev.Message, o.Action, o.Tier, time.Now().Add(to.Delay), outcome.ReasonMappingFailed.String())
		m.Topic = to.Topic
		return c.parts.Retries.Write(ctx, m, c.cfg.Shard)
	})
	if !ok {
		return false
	}
	c.parts.Failures.Info().Str("action", o.Action).Str("messageId", decoded.MessageID()).Str("topic", o.Topic).Int("partition", o.Partition).Int64("offset", o.Offset).
		Msg("this replica doesn't know the action, and others of the group may: the delivery waits in a retry topic")
	c.parts.Metrics.Retries.WithLabelValues(c.cfg.Destination, to.Name).Inc()
	c.parts.Metrics.Events.WithLabelValues(c.cfg.Destination, "", "retry", outcome.ReasonMappingFailed.String()).Inc()
	return true
}

// buryOrphan writes the dead letter of a retry whose action is gone.
func (c *Courier) buryOrphan(ev *intake.Event, decoded *actions.Event) bool {
	r := c.deadLetter(ev)
	r.Action, r.Reason, r.Disposition = ev.Origin.Action, outcome.ReasonMappingFailed.String(), deadletter.Permanent
	r.Message = fmt.Sprintf("the configuration has no action %q any more", ev.Origin.Action)
	r.MessageID, r.UserID = decoded.MessageID(), decoded.UserID()
	r.FirstFailedAt, r.LastFailedAt, r.DeliveryCount = ev.Origin.FirstFailedAt, time.Now(), ev.Origin.Attempts
	if r.FirstFailedAt.IsZero() {
		r.FirstFailedAt = r.LastFailedAt
	}
	c.parts.Failures.Warn().Str("reason", r.Reason).Str("action", r.Action).Str("messageId", r.MessageID).Str("topic", r.Topic).Int("partition", r.Partition).Int64("offset", r.Offset).Str("why", r.Message).Msg("an event failed")
	return c.buryWhole(ev, r)
}
