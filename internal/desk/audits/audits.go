package audits

import (
	"hash/maphash"
	"iter"
	"slices"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/packed"
)

// Audits are what the record of replays says. Make it with New.
type Audits struct {
	seed   maphash.Seed
	marks  packed.Table[mark]
	series map[uint32]*Series
	byID   map[string]uint32
	last   uint32 // number of a series
}

// New knows nothing.
func New() *Audits {
	return &Audits{seed: maphash.MakeSeed(), series: map[uint32]*Series{}, byID: map[string]uint32{}}
}

// mark is what the record of replays says last of one replay of a letter, or of its
// dismissal.
type mark struct {
	key       uint64
	offset    int64
	series    uint32 // its number
	plan      uint32 // a hash: two of a series may be at it at once
	partition uint16
	state     markState
}

type markState uint8

const (
	markIntended markState = iota + 1
	markPublished
	markDismissal
	markDeath // the letter came after that replay
)

func (m mark) Empty() bool      { return m.key == 0 }
func (m mark) Hash() uint64     { return m.key }
func (m mark) Same(n mark) bool { return m.key == n.key }

// markKey is of the nth replay of a letter, of the letter's dismissal that would
// have been the nth, or of its death after the nth.
func markKey(letter uint64, replay int, what markState) uint64 {
	n := uint64(replay)<<2 | uint64(what)
	if what == markPublished {
		n = uint64(replay)<<2 | uint64(markIntended) // of one replay there is one mark
	}
	// Fibonacci hashing keeps near numbers apart over all bits.
	return max(1, letter^n*0x9e3779b97f4a7c15)
}

// Entry is a record of the record of replays and where it is.
type Entry struct {
	deadletter.Audit
	Place reread.Place
}

// Decode decodes what can be understood of a partition's records.
func Decode(partition int, block []records.Record) (entries []Entry) {
	for i := range block {
		if a, err := deadletter.DecodeAudit(block[i].Value); err == nil {
			entries = append(entries, Entry{a, reread.Place{Partition: int32(partition), Offset: block[i].Offset}})
		}
	}
	return entries
}

// Take takes in what the record of replays says of a letter, by its hash
// (deadletter.States.Letter), or of a series.
func (a *Audits) Take(e *Entry, letter uint64) {
	m := mark{offset: e.Place.Offset, partition: uint16(e.Place.Partition)}
	switch e.State {
	case deadletter.Begun, deadletter.Finished:
		a.seriesOf(e)
		return
	case deadletter.Dismissed, deadletter.Reopened:
		m.key, m.state = markKey(letter, e.Replay, markDismissal), markDismissal
		a.marks.Put(m)
		return
	}
	m.key, m.series = markKey(letter, e.Replay, markIntended), a.seriesOf(e)
	m.plan = uint32(maphash.String(a.seed, e.Plan))
	known, ok := a.marks.Get(m)
	switch e.State {
	case deadletter.Intended: // whoever was first, until that one says otherwise
		m.state = markIntended
		if !ok || known.plan == m.plan && known.state != markPublished {
			a.marks.Put(m)
		}
	case deadletter.Published:
		m.state = markPublished
		a.marks.Put(m)
	case deadletter.Abandoned:
		if ok && known.plan == m.plan && known.state == markIntended {
			a.marks.Remove(m)
		}
	}
}

// Died notes that a letter came after so many replays.
func (a *Audits) Died(letter uint64, replays int) {
	a.marks.Put(mark{key: markKey(letter, replays, markDeath), state: markDeath})
}

// of are what is said of a letter: of its replays, up to the letter's next death, in
// their order, and of its dismissal.
func (a *Audits) of(ref deadletter.Ref) (replays, dismissals, deaths []mark) {
	letter, old := ref.Letter()
	get := func(to *[]mark, n int, what markState) (ok bool) {
		for _, hash := range []uint64{letter, old} {
			if m, known := a.marks.Get(mark{key: markKey(hash, n, what)}); known {
				*to, ok = append(*to, m), true
			}
		}
		return ok
	}
	n := ref.Replays()
	get(&deaths, n, markDeath)
	get(&dismissals, n+1, markDismissal)
	for n++; get(&replays, n, markIntended) && !get(&deaths, n, markDeath); n++ {
	}
	return replays, dismissals, deaths
}

// Places are where the record speaks of letters, each once.
func (a *Audits) Places(refs iter.Seq[deadletter.Ref]) (places []reread.Place) {
	for ref := range refs {
		replays, dismissals, _ := a.of(ref)
		for _, m := range slices.Concat(replays, dismissals) {
			if at := (reread.Place{Partition: int32(m.partition), Offset: m.offset}); !slices.Contains(places, at) {
				places = append(places, at)
			}
		}
	}
	return places
}

// ReplayedBy is the number of the series that replayed a letter last, 0 for none.
func (a *Audits) ReplayedBy(ref deadletter.Ref) uint32 {
	replays, _, _ := a.of(ref)
	if len(replays) == 0 {
		return 0
	}
	return replays[len(replays)-1].series
}

// Retain forgets what is said of other letters.
func (a *Audits) Retain(refs iter.Seq[deadletter.Ref]) {
	var marks packed.Table[mark]
	for ref := range refs {
		replays, dismissals, deaths := a.of(ref)
		for _, m := range slices.Concat(replays, dismissals, deaths) {
			marks.Put(m)
		}
	}
	a.marks = marks
}
