package deadletter

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"slices"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/packed"
)

// States tells what became of dead letters: add all letters that it is to tell
// of, then all that the record of replays, the ledgers and the status topics
// say (Learn does that), then ask. Who follows the topics adds letters later, too,
// each before what is said of it. It takes about 50 bytes for each letter. It is
// not safe for concurrent use, but for asking alone.
type States struct {
	seed    maphash.Seed
	present func(destination, action string) string
	known   packed.Table[knowledge] // by delivery
	fates   packed.Table[fate]      // of letters that were replayed, dismissed, or came after a replay
	doubts  map[uint64]string       // by delivery: the ledger's entry of what may have been sent
	whys    []string                // of skips
	parts   map[part]bool           // what to read
	read    map[topicPart]int64     // and up to where that was done

	changed    func(hash uint64) // see Watch; or nil
	buf        []byte
	originless bool // the record of replays has what earlier versions wrote, which says no origin
}

// part is a partition of a destination's ledger and status topics.
type part struct {
	destination string
	partition   int
}

// knowledge is what the ledger and the status topic say of a delivery.
type knowledge struct {
	delivery uint64 // a hash
	offset   int64  // of the event that the ledger says it of
	statusAt int64  // of the event of the message that the status is of
	state    ledger.State
	status   messageStatus
	why      uint8 // of a Refused: index into States.whys, from 1
	doubtful bool  // its letter may have been sent
	beside   uint8 // why a replay of what was sent came to nothing, likewise; 0: none did
	besideAt int64 // offset of the replay's event
}

func (k knowledge) Empty() bool           { return k.delivery == 0 }
func (k knowledge) Hash() uint64          { return k.delivery }
func (k knowledge) Same(l knowledge) bool { return k.delivery == l.delivery }

// messageStatus is as much as counts here of a message's status.
type messageStatus uint8

const (
	messageAccepted messageStatus = iota + 1
	messageDelivered
	messageFailed
)

// fate is what the record of replays says of a letter's delivery.
type fate struct {
	letter    uint64 // a hash
	from      int64  // the last replay is in the source from here on
	at        int64  // when, in Unix seconds
	died      int32  // replays before the last death
	replay    int32  // the last one that was published
	dismissed int32  // replays before the death that was dismissed, plus 1; 0: none was
}

func (f fate) Empty() bool      { return f.letter == 0 }
func (f fate) Hash() uint64     { return f.letter }
func (f fate) Same(g fate) bool { return f.letter == g.letter }

// NewStates knows nothing. present tells an action's present name, nil that
// none was called otherwise before.
func NewStates(present func(destination, action string) string) *States {
	if present == nil {
		present = func(_, action string) string { return action }
	}
	return &States{seed: maphash.MakeSeed(), present: present, doubts: map[uint64]string{}, parts: map[part]bool{}, read: map[topicPart]int64{}}
}

// Ref is a letter that was added, in few bytes.
type Ref struct {
	delivery    uint64
	letter      uint64
	id          uint64 // the letter's without an origin
	offset      int64
	replays     int32
	undelivered bool
}

// Add adds a letter. It returns what OfRef asks with once all is known.
func (s *States) Add(r *Record) Ref {
	ref := s.ref(r)
	k := knowledge{delivery: ref.delivery}
	if known, ok := s.known.Get(k); ok {
		k = known
	}
	k.doubtful = k.doubtful || r.Disposition == Ambiguous
	s.known.Put(k)
	if at := (part{r.Destination, r.Partition}); s.changed == nil && !s.parts[at] { // who watches reads the topics
		s.parts[at] = true
	}
	s.Died(r)
	return ref
}

func (s *States) ref(r *Record) Ref {
	s.buf = r.appendOrigin(s.buf[:0])
	return Ref{
		letter: s.letterHash(r.ID(), s.buf), id: s.letterHash(r.ID(), nil),
		delivery: s.deliveryOf(r), offset: r.Offset, replays: int32(r.Replays), undelivered: r.Disposition == Undelivered,
	}
}

// Died takes in that a letter came after a replay, of which nobody asks.
func (s *States) Died(r *Record) {
	if r.Replays > 0 {
		f := s.fate(s.letterOf(r.ID(), r.origin()))
		f.died = max(f.died, int32(r.Replays))
		s.befell(f)
	}
}

// Audit takes in what the record of replays says.
func (s *States) Audit(a Audit) {
	if a.OfSeries() || a.State == Abandoned {
		return
	}
	s.originless = s.originless || a.Origin == ""
	f := s.fate(s.letterOf(a.ID, a.Origin))
	switch a.State {
	case Dismissed:
		f.dismissed = int32(a.Replay)
	case Reopened:
		f.dismissed = 0
	case Published, Intended: // which is in the source, most probably
		if int32(a.Replay) >= f.replay {
			f.replay, f.from, f.at = int32(a.Replay), a.SourceEnd, a.At.Unix()
		}
	}
	s.befell(f)
}

func (s *States) fate(letter uint64) fate {
	f, _ := s.fates.Get(fate{letter: letter})
	f.letter = letter
	return f
}

// Ledger takes in a record of a destination's ledger.
func (s *States) Ledger(destination string, key, value []byte) {
	of, beside := ledger.BesideOf(key)
	if beside {
		key = of
	}
	k, ok := s.known.Get(knowledge{delivery: s.Delivery(destination, key)})
	if !ok {
		return
	}
	e, err := ledger.ParseEntry(value)
	if err != nil { // a newer version's, or none
		return
	}
	if beside && e.Why != "" {
		k.beside, k.besideAt = s.why(e.Why), e.Position.Offset
		s.learnt(k)
	}
	if beside {
		return
	}
	if k.state == ledger.Sent && e.State != ledger.Sent && e.Past == (ledger.Past{}) {
		return // what was sent stays sent
	}
	k.state, k.offset, k.why = e.State, e.Position.Offset, 0
	if e.Why != "" {
		k.why = s.why(e.Why)
	}
	if k.doubtful {
		delete(s.doubts, k.delivery)
		if e.State == ledger.Intent {
			s.doubts[k.delivery] = string(e.AppendValue(nil))
		}
	}
	s.learnt(k)
}

// why is a reason's place in whys.
func (s *States) why(reason string) uint8 {
	i := slices.Index(s.whys, reason)
	if i < 0 && len(s.whys) < 255 {
		i = len(s.whys)
		s.whys = append(s.whys, reason)
	}
	return uint8(i + 1)
}

// Status takes in a record of a destination's status topic.
func (s *States) Status(destination string, key, value []byte) {
	k, ok := s.known.Get(knowledge{delivery: s.Delivery(destination, key)})
	if !ok {
		return
	}
	var said struct{ Status, Position string }
	if json.Unmarshal(value, &said) != nil {
		return
	}
	_, k.statusAt = parsePlace(said.Position)
	switch said.Status {
	case "delivered", "read":
		k.status = messageDelivered
	case "undelivered", "failed", "canceled":
		k.status = messageFailed
	default:
		k.status = messageAccepted
	}
	s.learnt(k)
}

// Of is what became of a letter, and why where that isn't said by it.
func (s *States) Of(r *Record) (state State, why string) {
	return s.OfRef(s.ref(r))
}

// OfRef is Of for a letter that Add has returned.
func (s *States) OfRef(ref Ref) (state State, why string) {
	k, _ := s.known.Get(knowledge{delivery: ref.delivery})
	f, replays := s.fateOf(ref), ref.Replays()
	switch {
	case int(f.died) > replays:
		return StateFailedAgain, ""
	case k.delivered(ref):
		return StateDelivered, ""
	case k.sent(ref):
		return StateSent, ""
	case int(f.dismissed) == replays+1:
		return StateDismissed, ""
	case int(f.replay) <= replays:
		return StateOpen, ""
	case k.state == ledger.Refused && k.why > 0 && k.offset >= f.from:
		return StateSkipped, s.whys[k.why-1]
	case k.beside > 0 && k.besideAt >= f.from:
		return StateSkipped, s.whys[k.beside-1]
	default:
		return StateReplayed, ""
	}
}

// sent reports whether another message than the one that a letter says wasn't
// delivered was accepted.
func (k knowledge) sent(ref Ref) bool {
	if k.state == ledger.Sent && (!ref.undelivered || k.offset != ref.offset) {
		return true
	}
	return k.status == messageAccepted && (!ref.undelivered || k.statusAt != ref.offset)
}

func (k knowledge) delivered(ref Ref) bool {
	return k.status == messageDelivered && (!ref.undelivered || k.statusAt != ref.offset)
}

// deliveryOf hashes what the ledger knows a letter's delivery by.
func (s *States) deliveryOf(r *Record) uint64 {
	key := r.MessageID
	if key != "" {
		key = EventKey(key, "") // the position needn't be written
	} else {
		key = r.origin()
	}
	s.buf = ledger.AppendKey(s.buf[:0], s.present(r.Destination, r.Action), key)
	return s.hash(r.Destination, s.buf)
}

// Delivery hashes a record's key in the ledger or the status topic, as Ref.Delivery
// has it. It is safe for concurrent use.
func (s *States) Delivery(destination string, key []byte) uint64 {
	action, rest, _ := bytes.Cut(key, []byte{0})
	if present := s.present(destination, string(action)); present != string(action) {
		key = append(append([]byte(present), 0), rest...)
	}
	return s.hash(destination, key)
}

func (s *States) hash(destination string, key []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(destination)
	h.WriteByte(0)
	h.Write(key)
	return max(1, h.Sum64())
}

// letterOf hashes what the record of replays knows a letter by. What earlier
// versions wrote says no origin.
func (s *States) letterOf(id, origin string) uint64 { return s.letterHash(id, []byte(origin)) }

func (s *States) letterHash(id string, origin []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(id)
	h.WriteByte('/')
	h.Write(origin)
	return max(1, h.Sum64())
}

// fateOf is what is known of a letter that was added.
func (s *States) fateOf(ref Ref) fate {
	f, _ := s.fates.Get(fate{letter: ref.letter})
	if s.originless {
		if g, _ := s.fates.Get(fate{letter: ref.id}); g.replay > f.replay {
			f.replay, f.from, f.at = g.replay, g.from, g.at
		}
	}
	return f
}
