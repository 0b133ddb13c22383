package store

import (
	"errors"
	"iter"
	"slices"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/follow"
	"engage-worker/internal/kafka/records"
)

// mostFresh is how many rows wait at most before they are sorted in.
const mostFresh = 100_000

// slack is the part of the bound by which there may be more, so that not each
// letter moves all others.
const slack = 64

// begin prepares for a round's letters.
func (s *Store) begin(letters int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages.Clean(s.now())
	if !s.loaded && len(s.rows) == 0 {
		most := s.cfg.Limits.Letters
		s.rows = make([]row, 0, min(letters+letters/8, most+most/slack+mostFresh))
	}
}

// letter takes in a record of the dead-letter topic.
func (s *Store) letter(r *deadletter.Record, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeLetter(r, fault)
	if !s.loaded {
		s.tellSometimes()
	}
}

// lettersEnd has what came shown.
func (s *Store) lettersEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		s.settle()
	} else {
		s.merge()
	}
}

// end has what a round told shown.
func (s *Store) end() {
	s.searches.Tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages.Clean(s.now())
	s.loaded = true
	s.settle()
}

// gone takes out what lies before an offset of a partition.
func (s *Store) gone(at follow.Partition, before int64, anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if anew {
		s.fold = deadletter.NewFold()
	}
	if at.Topic != s.cfg.DeadLetters {
		s.messages.Gone(at.Topic, at.Number, before)
		return
	}
	had := len(s.rows)
	s.rows = slices.DeleteFunc(s.rows, func(r row) bool { return int(r.partition) == at.Number && r.offset < before })
	if n := had - len(s.rows); n > 0 {
		s.drop(n)
		s.tellSometimes()
	}
}

// taker takes in what tells of letters.
type taker func(partition int, block []records.Record)

// allTakers are the takers by topics.
func (s *Store) allTakers() map[string]taker {
	topics := map[string]taker{}
	for _, d := range s.cfg.Destinations {
		names := append([]string{d.Name}, d.FormerNames...)
		topics[d.Status] = func(partition int, block []records.Record) {
			said := s.messages.Parse(d.Name, s.states.Delivery, block)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.messages.Take(d.Name, d.Status, partition, said, s.now())
			eachOf(block, names, s.states.Status)
		}
		topics[d.Ledger] = func(_ int, block []records.Record) {
			s.mu.Lock()
			defer s.mu.Unlock()
			eachOf(block, names, s.states.Ledger)
		}
	}
	topics[deadletter.AuditTopic(s.cfg.DeadLetters)] = func(partition int, block []records.Record) {
		entries := audits.Decode(partition, block)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.takeAudits(entries)
	}
	delete(topics, "")
	return topics
}

// eachOf has what isn't null of a block taken in under all of a destination's names.
func eachOf(block []records.Record, names []string, take func(destination string, key, value []byte)) {
	for i := range block {
		if r := &block[i]; r.Value != nil {
			for _, name := range names {
				take(name, r.Key, r.Value)
			}
		}
	}
}

// The callers of what follows hold the lock.

// takeAudits takes in what the record of replays says.
func (s *Store) takeAudits(entries []audits.Entry) {
	s.audited = s.audited || len(entries) > 0
	for i := range entries {
		e := &entries[i]
		s.states.Audit(e.Audit)
		s.audits.Take(e, s.states.Letter(e.ID, e.Origin))
	}
}

// takeLetter takes in a dead letter.
func (s *Store) takeLetter(r *deadletter.Record, fault error) {
	if errors.Is(fault, deadletter.ErrForeign) || s.fold.Repeated(r) {
		return
	}
	n, ok := s.rowOf(r)
	if !ok && s.dropped > 0 {
		s.cleanRest()
		n, ok = s.rowOf(r)
	}
	if !ok {
		s.forgotten++
		s.states.Died(r)
		return
	}
	n.ref = s.states.Add(r)
	if r.Replays > 0 {
		letter, _ := n.ref.Letter()
		s.audits.Died(letter, r.Replays)
	}
	if m, ok := s.messageOf(r); ok {
		s.states.Sent(n.ref, m)
	}
	s.searches.Offer(n.place(), r)
	s.fresh = append(s.fresh, n)
	if len(s.fresh) >= mostFresh {
		s.merge()
	}
}

// messageOf is what the status topic said before of a letter's delivery.
func (s *Store) messageOf(r *deadletter.Record) (deadletter.Message, bool) {
	for _, d := range s.cfg.Destinations {
		if d.Name == r.Destination || slices.Contains(d.FormerNames, r.Destination) {
			key := ledger.AppendKey(nil, s.cfg.Present(r.Destination, r.Action), r.IdempotencyKey())
			return s.messages.Of(d.Status, r.Partition, s.states.Delivery(d.Name, key))
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
		s.forgotten += over
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
		}
	}
	s.audits.Retain(refsOf(s.rows, s.fresh))
	s.states.Retain(refsOf(s.rows, s.fresh))
}

// refsOf are the letters of rows.
func refsOf(several ...[]row) iter.Seq[deadletter.Ref] {
	return func(yield func(deadletter.Ref) bool) {
		for _, rows := range several {
			for i := range rows {
				if !yield(rows[i].ref) {
					return
				}
			}
		}
	}
}

// settle brings the rows up to what was learnt.
func (s *Store) settle() {
	came := len(s.fresh) > 0
	s.merge()
	news := s.messages.Changed() || came || s.audited
	s.audited = false
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
		r.state, r.series = indexOf(state), s.audits.ReplayedBy(r.ref)
	}
	s.touched.clear(false)
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
