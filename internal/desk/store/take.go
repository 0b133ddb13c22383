package store

import (
	"errors"
	"iter"
	"slices"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/packed"
)

// The callers of what is in this file hold the lock.

// mostFresh is how many rows wait at most before they are sorted in.
const mostFresh = 100_000

// slack is the part of the bound by which there may be more, so that not each
// letter moves all others.
const slack = 64

// takeLetter takes in a record of the dead-letter topic.
func (s *Store) takeLetter(r *deadletter.Record, fault error) {
	at := part{s.cfg.DeadLetters, r.Position.Partition}
	if r.Position.Offset < s.next[at] {
		return // read before an error
	}
	s.next[at] = r.Position.Offset + 1
	if errors.Is(fault, deadletter.ErrForeign) {
		s.progress.Odd++
		return
	}
	if s.fold.Repeated(r) {
		return
	}
	n, ok := s.rowOf(r)
	if !ok && s.dropped > 0 {
		s.cleanRest()
		n, ok = s.rowOf(r)
	}
	if !ok {
		s.progress.Forgotten++
		s.states.Died(r)
		return
	}
	n.ref = s.states.Add(r)
	if r.Replays > 0 {
		letter, _ := n.ref.Letter()
		s.marks.Put(mark{key: markKey(letter, r.Replays, markDeath), state: markDeath})
	}
	if m, ok := s.messageOf(r); ok {
		s.states.Sent(n.ref, m)
	}
	for _, q := range s.searches {
		q.offer(&n, r)
	}
	s.fresh = append(s.fresh, n)
	if len(s.fresh) >= mostFresh {
		s.merge()
	}
}

// messageOf is what the status topic said before of a letter's delivery.
func (s *Store) messageOf(r *deadletter.Record) (deadletter.Message, bool) {
	for _, d := range s.cfg.Destinations {
		if s.messages.tables[part{d.Status, r.Partition}] == nil {
			continue
		}
		if d.Name == r.Destination || slices.Contains(d.FormerNames, r.Destination) {
			key := ledger.AppendKey(nil, s.cfg.Present(r.Destination, r.Action), r.IdempotencyKey())
			return s.messages.of(part{d.Status, r.Partition}, s.states.Delivery(d.Name, key))
		}
	}
	return deadletter.Message{}, false
}

// merge sorts the fresh rows in, and drops the oldest beyond the bound.
func (s *Store) merge() {
	if len(s.fresh) == 0 {
		return
	}
	fresh := s.fresh
	slices.SortFunc(fresh, older)
	for i := range fresh {
		state, _ := s.states.OfRef(fresh[i].ref)
		fresh[i].state = indexOf(state)
	}
	i := len(s.rows) - 1
	s.rows = append(s.rows, fresh...)
	for at, k := len(s.rows)-1, len(fresh)-1; k >= 0 && i >= 0; at-- {
		if older(s.rows[i], fresh[k]) > 0 {
			s.rows[at] = s.rows[i]
			i--
		} else {
			s.rows[at] = fresh[k]
			k--
		}
		if k >= 0 && i < 0 {
			copy(s.rows, fresh[:k+1])
		}
	}
	if s.fresh = fresh[:0]; cap(fresh) > mostFresh/4 {
		s.fresh = nil
	}
	if over := len(s.rows) - s.cfg.Limits.Letters; over > s.cfg.Limits.Letters/slack {
		s.progress.Forgotten += over
		s.rows = slices.Delete(s.rows, 0, over)
		s.drop(over)
	}
}

// drop notes that rows are gone; what is only theirs goes with many of them.
func (s *Store) drop(n int) {
	s.dropped += n
	if s.dropped > 1000+len(s.rows)/4 {
		s.cleanRest()
	}
}

// cleanRest forgets what is only of rows that are gone.
func (s *Store) cleanRest() {
	s.dropped = 0
	old := s.texts
	s.texts = newTexts()
	move := func(n *text) { *n, _ = s.texts.put(old.of(*n)) }
	var marks packed.Table[mark]
	for _, rows := range [][]row{s.rows, s.fresh} {
		for i := range rows {
			r := &rows[i]
			for _, n := range []*text{&r.destination, &r.action, &r.reason, &r.region, &r.disposition} {
				move(n)
			}
			if r.odd {
				id := text(r.id)
				move(&id)
				r.id = uint64(id)
			}
			replays, dismissals, deaths := s.marksOf(r)
			for _, m := range slices.Concat(replays, dismissals, deaths) {
				marks.Put(m)
			}
		}
	}
	s.marks = marks
	s.states.Retain(s.refs())
}

func (s *Store) refs() iter.Seq[deadletter.Ref] {
	return func(yield func(deadletter.Ref) bool) {
		for _, rows := range [][]row{s.rows, s.fresh} {
			for i := range rows {
				if !yield(rows[i].ref) {
					return
				}
			}
		}
	}
}

// gone takes out what lies before an offset that retention deleted up to.
func (s *Store) gone(at part, first int64) {
	if at.topic != s.cfg.DeadLetters {
		s.messages.gone(at, first)
		return
	}
	before := len(s.rows)
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return int(r.partition) == at.partition && r.offset < first })
	if n := before - len(s.rows); n > 0 {
		s.drop(n)
		s.tellSometimes()
	}
}

// settle brings the rows up to what was learnt.
func (s *Store) settle() {
	came := len(s.fresh) > 0
	s.merge()
	news := came || s.messages.changed || s.audited
	s.messages.changed, s.audited = false, false
	if s.touched.none() {
		if news {
			s.tell()
		}
		return
	}
	for i := range s.rows {
		r := &s.rows[i]
		letter, old := r.ref.Letter()
		if !s.touched.any(r.ref.Delivery(), letter, old) {
			continue
		}
		state, _ := s.states.OfRef(r.ref)
		r.state, r.series = indexOf(state), s.replayedBy(r)
	}
	s.touched.clear(!s.progress.Loaded)
	s.tell()
}

// touched are the deliveries and letters of which something was learnt.
type touched struct {
	all    bool // or that many
	few    map[uint64]struct{}
	coarse [1 << 10]uint64 // a bit for each hash: most rows are told by it
}

// mostTouched is how many are kept apart.
const mostTouched = 100_000

func (t *touched) add(hash uint64) {
	if t.all {
		return
	}
	if t.few == nil {
		t.few = map[uint64]struct{}{}
	}
	if t.few[hash] = struct{}{}; len(t.few) > mostTouched {
		t.clear(true)
		return
	}
	t.coarse[hash>>6&(1<<10-1)] |= 1 << (hash & 63)
}

func (t *touched) none() bool { return !t.all && len(t.few) == 0 }

func (t *touched) any(hashes ...uint64) bool {
	if t.all {
		return true
	}
	for _, hash := range hashes {
		if t.coarse[hash>>6&(1<<10-1)]&(1<<(hash&63)) != 0 {
			if _, ok := t.few[hash]; ok {
				return true
			}
		}
	}
	return false
}

func (t *touched) clear(all bool) { *t = touched{all: all} }
