package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
)

// record writes the delivery's state to the ledger. It fails when work ended
// first, or when the ledger won't take it.
func (d *delivery) record(state ledger.State, sid string) error {
	if d.parts.Ledger == nil {
		return nil
	}
	if state == ledger.Sent && d.formerly != nil {
		// Under the name that it was sent under, so that the ledger sees whether it
		// was told another SID of it.
		if err := d.parts.Ledger.Append(d.parts.Work, d.formerly, d.entry(state, sid)); err != nil {
			return err
		}
		d.formerly, sid = nil, ""
	}
	if err := d.parts.Ledger.Append(d.parts.Work, d.key, d.entry(state, sid)); err != nil {
		return err
	}
	d.intended, d.doubt = false, false
	return d.closeFormer(state)
}

// closeFormer writes what came of the intent under a former name there, too.
func (d *delivery) closeFormer(state ledger.State) error {
	if d.formerly == nil {
		return nil
	}
	if err := d.parts.Ledger.Append(d.parts.Work, d.formerly, d.entry(state, "")); err != nil {
		return err
	}
	d.formerly = nil
	return nil
}

func (d *delivery) entry(state ledger.State, sid string) ledger.Entry {
	e := ledger.Entry{
		State: state, SID: sid, Time: time.Now(), Generation: d.cfg.Generation,
		Position: d.position(),
	}
	if state == ledger.Intent {
		e.Tags, e.Made = tagsOf(d.plan.Message), madeWith(d.plan.Message)
		e.Made.Deadline = d.cfg.RequestTimeout
		e.Past = d.past()
	}
	if state == ledger.Sent {
		e.Mark = markOf(d.plan.Message)
	}
	return e
}

// refused is for a record that the ledger won't take: the delivery can't be
// made safely, so it waits for its shard's next owner.
func (d *delivery) refused(err error) step {
	if d.parts.Work.Err() == nil {
		d.parts.Log.Error().Err(err).Str("action", d.action).Str("messageId", d.plan.MessageID).Msg("the ledger refuses a record; its event stays open")
	}
	return leftOpen
}

// tagsOf tells a message apart from others in the ledger. The recipient's is of
// the number as it is written: earlier versions know no other.
func tagsOf(m *twilio.Message) ledger.Tags {
	both := append(append(append(make([]byte, 0, 128), m.To...), 0), m.From...)
	return ledger.Tags{Recipient: tagOf(both), Body: bodyTag(m.Body)}
}

// madeWith is what a request with m is made with, but for its deadline.
func madeWith(m *twilio.Message) ledger.Made {
	channel, recipient := twilio.Canonical(m.Person())
	_, sender := twilio.Canonical(m.From)
	return ledger.Made{Account: tag(m.Account), Host: tag(m.BaseURL), Sender: tag(sender), Channel: tag(channel), Recipient: tag(recipient)}
}

// bodyTag is equal for bodies that may be the same, 0 for those that can't be told.
func bodyTag(body string) uint32 {
	if text := essence(body); text != "" {
		return tag(text)
	}
	return 0
}

// tag is never 0, and the same in every process.
func tag(text string) uint32 { return tagOf([]byte(text)) }

func tagOf(text []byte) uint32 {
	h := sha256.Sum256(text)
	return max(1, binary.BigEndian.Uint32(h[:]))
}

// essence is what remains of a body: Twilio shortens links and re-encodes
// characters, so only letters and digits count, of Latin ones only the plain,
// and what looks like a link doesn't.
func essence(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for word := range strings.FieldsSeq(s) {
		if strings.Contains(word, "/") && (strings.Contains(word, "://") || strings.Contains(word, ".")) {
			continue
		}
		for _, r := range word {
			switch {
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				b.WriteByte(byte(r))
			case 'A' <= r && r <= 'Z':
				b.WriteByte(byte(r) + 'a' - 'A')
			case r > unicode.MaxASCII && unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r):
				b.WriteRune(unicode.ToLower(r))
			}
		}
	}
	return b.String()
}
