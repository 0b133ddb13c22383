package delivery

import (
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/status"
)

// follow has the accepted message followed to its end. It fails only when work
// ended first.
func (d *delivery) follow(sid string) error {
	if d.parts.Status == nil {
		return nil
	}
	return d.parts.Status.Accepted(d.parts.Work, d.key, status.Record{
		SID: sid, To: twilio.Mask(d.plan.Message.To), From: d.plan.Message.From, Action: d.action,
		MessageID: d.plan.MessageID, UserID: d.plan.UserID, Region: d.plan.Region,
		Position: status.Position(d.position()), AcceptedAt: time.Now(),
	})
}

// unfollow is for a message that turns out to be another delivery's.
func (d *delivery) unfollow(sid string) error {
	if d.parts.Status == nil {
		return nil
	}
	return d.parts.Status.Withdraw(d.parts.Work, d.key, sid)
}

// callBack tells Twilio where to report what becomes of the message.
func (d *delivery) callBack() {
	if d.parts.Callback == nil {
		return
	}
	m := d.plan.Message
	m.Form = append(m.Form, twilio.FormValue{Name: "StatusCallback", Value: d.parts.Callback(d.key)})
}
