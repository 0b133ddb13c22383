package deadletter

import (
	"iter"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/packed"
)

// Watch has changed called with the hash of each delivery and each letter of
// which something is learnt from now on: see Ref. It is for who reads the topics
// and calls Ledger, Status and Audit: Learn doesn't know what to read then.
func (s *States) Watch(changed func(hash uint64)) { s.changed = changed }

func (s *States) learnt(k knowledge) {
	s.known.Put(k)
	if s.changed != nil {
		s.changed(k.delivery)
	}
}

func (s *States) befell(f fate) {
	s.fates.Put(f)
	if s.changed != nil {
		s.changed(f.letter)
	}
}

// Delivery is the hash of the letter's delivery.
func (r Ref) Delivery() uint64 { return r.delivery }

// Letter is the hash that Watch tells of the letter, and old the one where the
// record of replays is an earlier version's.
func (r Ref) Letter() (hash, old uint64) { return r.letter, r.id }

// Letter is the hash of a letter by its id and where its event appeared first.
func (s *States) Letter(id, origin string) uint64 { return s.letterOf(id, origin) }

// Message is what a status topic said of a message, for a letter that is added
// after that was read.
type Message struct {
	Delivered, Failed bool  // neither: it was accepted, and no more is known
	Offset            int64 // of the message's event
}

// Sent takes in that a message of a letter's delivery was accepted before the
// letter was added.
func (s *States) Sent(ref Ref, m Message) {
	k, ok := s.known.Get(knowledge{delivery: ref.delivery})
	if !ok || k.status != 0 {
		return
	}
	k.status, k.statusAt = messageAccepted, m.Offset
	switch {
	case m.Delivered:
		k.status = messageDelivered
	case m.Failed:
		k.status = messageFailed
	}
	if k.state == 0 { // what has a status is Sent in the ledger, or was
		k.state, k.offset = ledger.Sent, m.Offset
	}
	s.learnt(k)
}

// Retain forgets all but what is known of some letters.
func (s *States) Retain(refs iter.Seq[Ref]) {
	known, fates := packed.Table[knowledge]{}, packed.Table[fate]{}
	doubts := map[uint64]string{}
	for ref := range refs {
		if k, ok := s.known.Get(knowledge{delivery: ref.delivery}); ok {
			known.Put(k)
		}
		if doubt, ok := s.doubts[ref.delivery]; ok {
			doubts[ref.delivery] = doubt
		}
		for _, letter := range []uint64{ref.letter, ref.id} {
			if f, ok := s.fates.Get(fate{letter: letter}); ok {
				fates.Put(f)
			}
		}
	}
	s.known, s.fates, s.doubts = known, fates, doubts
}

// Replays is how often the letter's event was replayed before.
func (r Ref) Replays() int { return int(r.replays) }
