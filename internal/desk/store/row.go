package store

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
)

// row is a letter without its texts and its event. What most queries look at
// stands together.
type row struct {
	failed                                           int64 // Unix ns
	destination, action, reason, region, disposition text
	code                                             int32
	series                                           uint32 // that replayed it: its number; 0: none
	state                                            stateIndex
	odd                                              bool  // the id isn't one of ours
	partition                                        int32 // of the dead-letter topic
	offset                                           int64
	id                                               uint64 // the id's eight bytes; of an odd one, its text
	user, message                                    uint64 // hashes
	ref                                              deadletter.Ref
}

func (r *row) place() reread.Place {
	return reread.Place{Partition: r.partition, Offset: r.offset}
}

func placesOf(rows []row) []reread.Place {
	places := make([]reread.Place, len(rows))
	for i := range rows {
		places[i] = rows[i].place()
	}
	return places
}

// older orders rows as a page has them, from its end.
func older(a, b row) int {
	return cmp.Or(cmp.Compare(a.failed, b.failed), cmp.Compare(b.partition, a.partition), cmp.Compare(a.offset, b.offset))
}

// Times of a row are between these: two of them may be subtracted.
const (
	firstYear = 1900
	lastYear  = 2190
)

// nanoseconds is a time in Unix ns, or the nearest that a row may have.
func nanoseconds(t time.Time) int64 {
	switch year := t.Year(); {
	case year < firstYear:
		t = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	case year >= lastYear:
		t = time.Date(lastYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.UnixNano()
}

// idLength is how long our ids are, in hexadecimal.
const idLength = 16

// parseID reads an id of ours; ok is false for another one.
func parseID(id string) (n uint64, ok bool) {
	var b [idLength / 2]byte
	if len(id) != idLength || hasCapitals(id) {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(id)); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[:]), true
}

func hasCapitals(id string) bool {
	for i := range len(id) {
		if id[i] >= 'A' && id[i] <= 'Z' {
			return true
		}
	}
	return false
}

// idOf is a row's id. The caller holds the lock.
func (s *Store) idOf(r *row) string {
	if r.odd {
		return s.texts.of(text(r.id))
	}
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, r.id))
}

// idBegins is strings.HasPrefix of a row's id, which isn't made for it. The caller
// holds the lock.
func (s *Store) idBegins(r *row, prefix string) bool {
	if r.odd || len(prefix) > idLength {
		return strings.HasPrefix(s.idOf(r), prefix)
	}
	var n [idLength / 2]byte
	var id [idLength]byte
	binary.BigEndian.PutUint64(n[:], r.id)
	hex.Encode(id[:], n[:])
	return string(id[:len(prefix)]) == prefix
}

// stateIndex is a state's place in allStates, from 1.
type stateIndex uint8

func indexOf(state deadletter.State) stateIndex {
	return stateIndex(slices.Index(allStates[:], state) + 1)
}

// allStates are deadletter.AllStates by stateIndex, less one.
var allStates = [...]deadletter.State{
	deadletter.StateOpen, deadletter.StateReplayed, deadletter.StateSkipped, deadletter.StateSent,
	deadletter.StateDelivered, deadletter.StateFailedAgain, deadletter.StateDismissed,
}

// openState is StateOpen's.
const openState stateIndex = 1

// text is a name's place in texts; 0 is "".
type text uint32

// texts keep one copy of each of the few names that letters have, and of odd ids.
type texts struct {
	index map[string]text
	all   []string
	bytes int
}

// textRoom bounds texts, should somebody fill the topic with ever new ones.
const textRoom = 16 << 20

func newTexts() texts { return texts{index: map[string]text{"": 0}, all: []string{""}} }

func (t *texts) of(n text) string { return t.all[n] }

// put is a name's place; ok is false where there is no room for it.
func (t *texts) put(name string) (n text, ok bool) {
	if n, ok := t.index[name]; ok {
		return n, true
	}
	const each = 64 // what one takes beside itself
	if t.bytes+len(name)+each > textRoom {
		return 0, false
	}
	t.bytes += len(name) + each
	n = text(len(t.all))
	t.index[name] = n
	t.all = append(t.all, name)
	return n, true
}

// rowOf is a letter's row, without a state; ok is false where its texts have no
// room. The caller holds the lock.
func (s *Store) rowOf(r *deadletter.Record) (n row, ok bool) {
	id := r.ID()
	n = row{
		user: s.hash(r.UserID), message: s.hash(r.MessageID), failed: nanoseconds(r.FailedAt()),
		partition: int32(r.Position.Partition), offset: r.Position.Offset, code: int32(r.TwilioCode),
	}
	if n.id, ok = parseID(id); !ok {
		at, ok := s.texts.put(id)
		if !ok {
			return n, false
		}
		n.id, n.odd = uint64(at), true
	}
	for _, name := range []struct {
		to   *text
		text string
	}{{&n.destination, r.Destination}, {&n.action, r.Action}, {&n.reason, r.Reason}, {&n.region, r.Region}, {&n.disposition, string(r.Disposition)}} {
		if *name.to, ok = s.texts.put(name.text); !ok {
			return n, false
		}
	}
	return n, true
}

// bare is as much of a letter as its row tells. The caller holds the lock.
func (s *Store) bare(r *row) *deadletter.Record {
	letter := deadletter.WithID(s.idOf(r))
	letter.Destination, letter.Action, letter.Reason = s.texts.of(r.destination), s.texts.of(r.action), s.texts.of(r.reason)
	letter.Region, letter.Disposition = s.texts.of(r.region), deadletter.Disposition(s.texts.of(r.disposition))
	letter.TwilioCode, letter.LastFailedAt = int(r.code), time.Unix(0, r.failed).UTC()
	letter.Replays = r.ref.Replays()
	letter.Position = deadletter.Position{Topic: s.cfg.DeadLetters, Partition: int(r.partition), Offset: r.offset}
	letter.State, letter.StateWhy = s.states.OfRef(r.ref)
	return letter
}
