package deadletter

import "hash/maphash"

// foldGeneration is how many deaths a Fold surely remembers.
const foldGeneration = 1 << 20

// Fold tells records that say again what another one said: a producer that
// got no answer writes its record once more. It remembers the last million
// deaths at least, of each eight bytes, and takes 32 MiB at most. Two
// different deaths among a million are taken for one with a probability of 1
// in 30 million. It is not safe for concurrent use.
type Fold struct {
	seed       maphash.Seed
	young, old hashes
}

// NewFold has seen nothing.
func NewFold() *Fold { return &Fold{seed: maphash.MakeSeed()} }

// Repeated reports whether the same death, which is an id and a number of
// replays, was offered before. A record without an id of its own is never a
// repetition.
func (f *Fold) Repeated(r *Record) bool {
	if r.id == "" {
		return false
	}
	death := maphash.Comparable(f.seed, replayKey{r.id, r.Replays})
	if f.old.has(death) || !f.young.add(death) {
		return true
	}
	if f.young.n == foldGeneration {
		f.young, f.old = f.old, f.young
		clear(f.young.slots)
		f.young.n = 0
	}
	return false
}

// hashes is a set of them: a table that is half empty at least, in which each
// is at its own place or in the next free one. A map would take twice as much.
type hashes struct {
	slots []uint64 // 0 is free; a power of two of them
	n     int
}

// find is where h is, or would be.
func (s *hashes) find(h uint64) int {
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & mask
	}
	return int(i)
}

func (s *hashes) has(h uint64) bool { return s.n > 0 && s.slots[s.find(max(h, 1))] != 0 }

// add reports whether h is new.
func (s *hashes) add(h uint64) bool {
	h = max(h, 1)
	if 2*s.n >= len(s.slots) {
		full := s.slots
		s.slots = make([]uint64, max(1024, 2*len(full)))
		for _, h := range full {
			if h != 0 {
				s.slots[s.find(h)] = h
			}
		}
	}
	i := s.find(h)
	if s.slots[i] != 0 {
		return false
	}
	s.slots[i] = h
	s.n++
	return true
}
