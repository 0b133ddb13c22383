package delivery

import (
	"crypto/sha256"
	"encoding/binary"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
)

// duplicate ends a delivery whose messageId was sent for another event before.
// As a rule that one says the same to the same person. If not, somebody gave
// two events one messageId, and what isn't sent now is missing to somebody: that
// is counted and said as such.
func (d *delivery) duplicate(sent ledger.Entry) {
	reason := outcome.ReasonDuplicate
	if d.differs(sent) {
		reason = outcome.ReasonDuplicateDiffers
		d.other = deadletter.Origin(d.ev.Origin.Topic, sent.Position.Partition, sent.Position.Offset)
	}
	d.count("skipped", reason)
}

// differs reports whether the delivery is known to be another message than the
// one that was sent. One that can't be made, or isn't to be sent, is not.
func (d *delivery) differs(sent ledger.Entry) bool {
	if sent.Mark == 0 { // an earlier version's entry
		return false
	}
	if d.plan.Message == nil {
		d.plan = d.parts.Destination.Prepare(d.parts.Intake, d.event, d.index)
	}
	return d.plan.Message != nil && markOf(d.plan.Message) != sent.Mark
}

// markOf hashes whom a message is for and what it says, and not who sends it or
// whom its callback goes to: these change with the configuration.
func markOf(m *twilio.Message) ledger.Mark {
	b := make([]byte, 0, 512) // as a rule
	part := func(s string) {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
	}
	channel, recipient := twilio.Canonical(m.Person())
	part(channel)
	part(recipient)
	for _, v := range m.Form {
		switch v.Name {
		case "Body", "ContentSid", "ContentVariables", "MediaUrl":
			part(v.Name)
			part(v.Value)
		}
	}
	h := sha256.Sum256(b)
	return max(1, ledger.Mark(binary.BigEndian.Uint16(h[:])))
}
