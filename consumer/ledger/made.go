package ledger

import (
	"bytes"
	"strconv"
	"time"
)

// Made is what the request of an intent was made with, so that whoever settles
// the intent later knows whether the present settings can tell. Hashes are of
// 32 bits, and never 0. The zero Made is unknown: an earlier version's intent.
type Made struct {
	Account   uint32
	Host      uint32 // of Twilio's API, with its scheme and port
	Sender    uint32
	Channel   uint32
	Recipient uint32
	Deadline  time.Duration // how long the request might take, to the millisecond
}

// madeVersion leads the field. A later version may append to it; one that
// changes what is there takes another number, and is unknown here.
const madeVersion = "=1/"

// append appends the field:
//
//	=1/account/host/sender/channel/recipient/deadline
//
// hashes in hexadecimal, the deadline in milliseconds.
func (m Made) append(b []byte) []byte {
	b = append(b, madeVersion...)
	for _, hash := range []uint32{m.Account, m.Host, m.Sender, m.Channel, m.Recipient} {
		b = strconv.AppendUint(b, uint64(hash), 16)
		b = append(b, '/')
	}
	return strconv.AppendInt(b, m.Deadline.Milliseconds(), 10)
}

// parseMade is append's inverse. What it can't read is unknown: a later
// version's intent is still one.
func parseMade(field []byte) (m Made) {
	rest, ok := bytes.CutPrefix(field, []byte(madeVersion))
	if !ok {
		return Made{}
	}
	next := func() (part []byte) {
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		return part
	}
	for _, hash := range []*uint32{&m.Account, &m.Host, &m.Sender, &m.Channel, &m.Recipient} {
		if *hash, ok = parseHex(next()); !ok || *hash == 0 {
			return Made{}
		}
	}
	ms, ok := parseInt(next())
	if !ok || ms < 0 || ms > maxDeadline.Milliseconds() {
		return Made{}
	}
	m.Deadline = time.Duration(ms) * time.Millisecond
	return m
}

// maxDeadline is beyond what can be configured.
const maxDeadline = time.Hour

// Differences names what differs between two that are known.
func (m Made) Differences(from Made) (names []string) {
	for _, part := range []struct {
		name string
		a, b uint32
	}{
		{"account", m.Account, from.Account},
		{"host", m.Host, from.Host},
		{"sender", m.Sender, from.Sender},
		{"channel", m.Channel, from.Channel},
		{"recipient", m.Recipient, from.Recipient},
	} {
		if part.a != part.b {
			names = append(names, part.name)
		}
	}
	return names
}
