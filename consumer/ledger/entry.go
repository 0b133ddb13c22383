package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"time"
)

// State is what the ledger knows of a delivery.
type State uint8

const (
	// Intent: a request was about to leave; without an outcome it may or may
	// not have been sent.
	Intent State = iota + 1
	// Sent: Twilio accepted it under SID.
	Sent
	// Refused: surely not sent.
	Refused
	// Dead: surely not sent, and its dead letter is written.
	Dead
)

var stateNames = [...]string{Intent: "intent", Sent: "sent", Refused: "refused", Dead: "dead"}

func (s State) String() string { return stateNames[s] }

// Position is where a delivery's event was read first: in the source topic.
type Position struct {
	Partition int
	Offset    int64
}

// Entry is one record of the ledger.
type Entry struct {
	State      State
	SID        string    // set when Sent and known
	Time       time.Time // by the writer's clock, to the millisecond
	Position   Position
	Generation int32  // of the consumer group, when it was written
	Tags       Tags   // of an Intent; else zero
	Made       Made   // likewise
	Mark       Mark   // of a Sent; else zero
	Past       Past   // of an Intent that a replay may write behind a Sent; else zero
	Why        string // of a Refused whose event is to be sent no more: the reason; else ""
}

// Past is a delivery that was sent and didn't arrive, which a replay sends once
// more: where its event is, and its SID, which stays claimed.
type Past struct {
	Position Position
	SID      string
}

// Tags tell the message of an intent without an outcome apart from others to
// the same recipient. They are hashes of 32 bits, so that a ledger holds
// neither numbers nor texts. 0 is unknown.
type Tags struct {
	Recipient uint32 // and sender
	Body      uint32
}

// Mark is a hash of whom a message was for and of what it said, so that a
// repetition of its key can be told from another message under the same key: of
// 65,536 others one passes for a repetition. 0 is unknown.
type Mark uint16

// version leads every value, so that a later format can be told apart.
const version = "1"

// maxKey is how long an idempotency key is kept as it is. A longer one, which
// no sane producer makes, could exceed what a record may hold.
const maxKey = 256

// AppendKey appends a record's key: the action and the idempotency key, or
// that one's hash when it is very long.
func AppendKey(b []byte, action, idempotencyKey string) []byte {
	b = append(b, action...)
	b = append(b, 0)
	if len(idempotencyKey) > maxKey {
		sum := sha256.Sum256([]byte(idempotencyKey))
		return hex.AppendEncode(append(b, "sha256:"...), sum[:])
	}
	return append(b, idempotencyKey...)
}

// besideMark leads the idempotency key in a record key of Beside's. No messageId
// is taken as it is that begins so: see deadletter.EventKey.
const besideMark = "\x00replay/"

// Beside is the record key under which stands that a replay came to nothing whose
// delivery was sent before: the delivery's own entry goes on saying so.
func Beside(recordKey []byte) []byte {
	action, key, _ := bytes.Cut(recordKey, []byte{0})
	return slices.Concat(action, []byte{0}, []byte(besideMark), key)
}

// BesideOf is Beside's inverse; ok is false for a delivery's own record key.
func BesideOf(recordKey []byte) (delivery []byte, ok bool) {
	action, rest, _ := bytes.Cut(recordKey, []byte{0})
	key, ok := bytes.CutPrefix(rest, []byte(besideMark))
	if !ok {
		return nil, false
	}
	return slices.Concat(action, []byte{0}, key), true
}

// AppendValue appends a record's value, one line that people can read:
//
//	1 sent 1732390000123 3/12345 7 SM0123...
//
// version, state, time in Unix milliseconds, source position, generation, SID.
// An intent has its tags in the SID's place: ~recipient/body in hexadecimal.
// Behind that may be more, each led by a sign of its own: what an intent was
// made with (=, see Made), the mark of what was sent (#, in hexadecimal), what it is
// sent after (>position/SID, see Past), why its event is skipped (!), the group
// that writes it (@, see Others). Earlier versions don't read on there.
func (e Entry) AppendValue(b []byte) []byte {
	b = append(b, version...)
	b = append(b, ' ')
	b = append(b, e.State.String()...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.Time.UnixMilli(), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(e.Position.Partition), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, e.Position.Offset, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(e.Generation), 10)
	if e.SID != "" {
		b = append(b, ' ')
		b = append(b, e.SID...)
	} else if e.Tags != (Tags{}) {
		b = append(b, " ~"...)
		b = strconv.AppendUint(b, uint64(e.Tags.Recipient), 16)
		b = append(b, '/')
		b = strconv.AppendUint(b, uint64(e.Tags.Body), 16)
	} else if e.marked() {
		b = append(b, ' ') // neither SID nor tags
	}
	if e.Made != (Made{}) {
		b = append(b, ' ')
		b = e.Made.append(b)
	}
	if e.Mark != 0 {
		b = append(b, " #"...)
		b = strconv.AppendUint(b, uint64(e.Mark), 16)
	}
	if e.Past != (Past{}) {
		b = append(b, " >"...)
		b = strconv.AppendInt(b, int64(e.Past.Position.Partition), 10)
		b = append(b, '/')
		b = strconv.AppendInt(b, e.Past.Position.Offset, 10)
		b = append(b, '/')
		b = append(b, e.Past.SID...)
	}
	if e.Why != "" {
		b = append(b, " !"...)
		b = append(b, e.Why...)
	}
	return b
}

// marked reports whether something is to follow the SID's place.
func (e Entry) marked() bool {
	return e.Made != (Made{}) || e.Mark != 0 || e.Past != (Past{}) || e.Why != ""
}

// ErrFormat says that a value isn't a ledger entry.
var ErrFormat = errors.New("not a ledger entry")

// ParseEntry is AppendValue's inverse.
func ParseEntry(value []byte) (Entry, error) {
	var e Entry
	field := func() []byte {
		f, rest, _ := bytes.Cut(value, []byte{' '})
		value = rest
		return f
	}
	if v := field(); string(v) != version {
		return e, fmt.Errorf("%w: version %q is unknown here", ErrFormat, clip(v))
	}
	switch s := field(); string(s) {
	case "intent":
		e.State = Intent
	case "sent":
		e.State = Sent
	case "refused":
		e.State = Refused
	case "dead":
		e.State = Dead
	default:
		return e, fmt.Errorf("%w: state %q is unknown here", ErrFormat, clip(s))
	}
	ms, ok := parseInt(field())
	if !ok {
		return e, fmt.Errorf("%w: its time is no number", ErrFormat)
	}
	e.Time = time.UnixMilli(ms)
	p, o, _ := bytes.Cut(field(), []byte{'/'})
	partition, ok1 := parseInt(p)
	offset, ok2 := parseInt(o)
	if !ok1 || !ok2 {
		return e, fmt.Errorf("%w: its position is no partition/offset", ErrFormat)
	}
	e.Position = Position{Partition: int(partition), Offset: offset}
	generation, ok := parseInt(field())
	if !ok {
		return e, fmt.Errorf("%w: its generation is no number", ErrFormat)
	}
	e.Generation = int32(generation)
	last := field()
	for len(value) > 0 {
		switch more := field(); {
		case len(more) > 0 && more[0] == '=' && e.State == Intent:
			e.Made = parseMade(more)
		case len(more) > 0 && more[0] == '#' && e.State == Sent:
			e.Mark = parseMark(more[1:])
		case len(more) > 0 && more[0] == '>' && e.State == Intent:
			e.Past = parsePast(more[1:])
		case len(more) > 0 && more[0] == '!' && e.State == Refused:
			e.Why = string(more[1:])
		}
	}
	tags, ok := bytes.CutPrefix(last, []byte{'~'})
	if !ok {
		e.SID = string(last)
		return e, nil
	}
	recipient, body, _ := bytes.Cut(tags, []byte{'/'})
	e.Tags.Recipient, ok1 = parseHex(recipient)
	e.Tags.Body, ok2 = parseHex(body)
	if !ok1 || !ok2 {
		return e, fmt.Errorf("%w: its tags are no recipient/body", ErrFormat)
	}
	return e, nil
}

// parseMark reads a mark. What it can't read is unknown: a later version's
// entry is still one.
func parseMark(b []byte) Mark {
	n, ok := parseHex(b)
	if !ok || n > math.MaxUint16 {
		return 0
	}
	return Mark(n)
}

// parsePast reads what an intent is sent after; what it can't read is nothing.
func parsePast(b []byte) (past Past) {
	p, rest, _ := bytes.Cut(b, []byte{'/'})
	o, sid, _ := bytes.Cut(rest, []byte{'/'})
	partition, ok1 := parseInt(p)
	offset, ok2 := parseInt(o)
	if !ok1 || !ok2 {
		return Past{}
	}
	return Past{Position{int(partition), offset}, string(sid)}
}

// parseHex reads a number of up to 32 bits without allocating.
func parseHex(b []byte) (uint32, bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	var n uint32
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// parseInt reads a decimal number without allocating.
func parseInt(b []byte) (int64, bool) {
	neg := len(b) > 1 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

func clip(b []byte) []byte { return b[:min(len(b), 20)] }

// Key identifies a delivery in memory: 128 bits of its record key, hashed
// with a seed of this process. Two of a billion deliveries collide with a
// probability of about 1e-21.
type Key struct{ hi, lo uint64 }

// keys hashes record keys; its seeds never leave the process.
type keys struct{ hi, lo maphash.Seed }

func newKeys() keys { return keys{maphash.MakeSeed(), maphash.MakeSeed()} }

func (k keys) of(recordKey []byte) Key {
	return Key{maphash.Bytes(k.hi, recordKey), maphash.Bytes(k.lo, recordKey)}
}
