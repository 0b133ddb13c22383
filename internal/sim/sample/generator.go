// Package sample makes believable audience events, for trying things out,
// for the demo and for tests: the same ones for the same seed.
//
// Numbers are real to every parser but nobody's: their exchange is 555, and
// as far as they reach those that are set aside for fiction.
package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"engage-worker/actions/outcome"
)

// Generator makes events, one after another, without end. It is not safe for
// concurrent use.
type Generator struct {
	seed   uint64
	opts   Options
	shares []share
	rand   *rand.Rand
	count  int
}

// New makes a generator. Generators with the same seed and options make the
// same events; with another seed, other users and message ids.
func New(seed uint64, opts Options) *Generator {
	opts = opts.withDefaults()
	return &Generator{
		seed:   seed,
		opts:   opts,
		shares: opts.shares(),
		rand:   rand.New(rand.NewPCG(seed, 0x656e67616765)),
	}
}

// Next makes the next event.
func (g *Generator) Next() Event {
	kind := g.draw()
	u := newUser(g.seed, g.rand.IntN(g.opts.Users), g.opts.Europe)
	at := g.opts.Start.Add(time.Duration(g.count) * g.opts.Interval)
	g.count++

	ev := Event{
		Key:       []byte(u.id),
		Kind:      kind,
		MessageID: fmt.Sprintf("engage_%016x_%d", g.seed, g.count),
		UserID:    u.id,
		Region:    u.region,
	}
	p := g.payload(kind, u, ev.MessageID, at)
	switch ev.SMS, ev.WhatsApp = outcome.ReasonNoRecipient, outcome.ReasonNoRecipient; kind {
	case Entered:
		ev.SMS = outcome.ReasonNone
	case Exited, Unwanted:
		ev.SMS, ev.WhatsApp = outcome.ReasonNoMatch, outcome.ReasonNoMatch
	case Unsubscribed:
		ev.SMS = outcome.ReasonNotSubscribed
	case InvalidStatus:
		ev.SMS = outcome.ReasonInvalidSubscriptionStatus
	case WhatsApp:
		ev.WhatsApp = outcome.ReasonNone
	case BadNumber:
		bad := badNumbers[g.rand.IntN(len(badNumbers))]
		p.ExternalIDs[len(p.ExternalIDs)-1].ID = bad.number
		ev.SMS = bad.reason
	case OptedOut:
		ev.SMS = outcome.ReasonOptedOut
	case Malformed:
		ev.SMS, ev.WhatsApp = outcome.ReasonMalformedEvent, outcome.ReasonMalformedEvent
	}
	ev.Value = encode(p)
	if kind == Malformed {
		ev.Value = g.spoil(ev.Value)
	}
	return ev
}

func (g *Generator) draw() Kind {
	x := g.rand.Float64()
	for _, s := range g.shares {
		if x < s.part {
			return s.kind
		}
		x -= s.part
	}
	return Entered
}

// badNumbers are Twilio's magic numbers that can't be sent to.
var badNumbers = [...]struct {
	number string
	reason outcome.Reason
}{
	{"+15005550001", outcome.ReasonRecipientRejected}, // 21211, invalid
	{"+15005550002", outcome.ReasonRecipientRejected}, // 21612, can't be routed
	{"+15005550003", outcome.ReasonAccountRejected},   // 21408, no international permission
	{"+15005550009", outcome.ReasonRecipientRejected}, // 21614, not a mobile
}

const optedOutNumber = "+15005550004" // 21610

// spoil makes something of value that isn't a JSON object, as producers do.
func (g *Generator) spoil(value []byte) []byte {
	switch g.rand.IntN(5) {
	case 0: // cut off
		return value[:1+g.rand.IntN(len(value)-1)]
	case 1: // two in one record
		return bytes.Join([][]byte{value, value}, []byte("\n"))
	case 2: // a list of one
		return bytes.Join([][]byte{[]byte("["), []byte("]")}, value)
	case 3: // encoded twice
		return encode(string(value))
	default: // another language's notation
		return bytes.ReplaceAll(value, []byte(`"`), []byte(`'`))
	}
}

// encode writes JSON without the escapes that only HTML needs.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil // structs and strings always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
