package deadletter

import (
	"hash/maphash"

	"engage-worker/internal/packed"
)

// foldGeneration is how many deaths a Fold surely remembers.
const foldGeneration = 1 << 20

// Fold tells records that say again what another one said: a producer that
// got no answer writes its record once more. It remembers the last million
// deaths at least, of each eight bytes, and takes 24 MiB at most. Two
// different deaths among a million are taken for one with a probability of 1
// in 30 million. It is not safe for concurrent use.
type Fold struct {
	seed       maphash.Seed
	young, old packed.Table[hash]
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
	death := hash(max(1, maphash.Comparable(f.seed, replayKey{r.id, r.Replays})))
	if _, old := f.old.Get(death); old {
		return true
	}
	if _, young := f.young.Get(death); young {
		return true
	}
	f.young.Put(death)
	if f.young.Len() == foldGeneration {
		f.young, f.old = f.old, f.young
		f.young.Clear()
	}
	return false
}

// hash is a death's; the zero hash is none.
type hash uint64

func (h hash) Empty() bool      { return h == 0 }
func (h hash) Hash() uint64     { return uint64(h) }
func (h hash) Same(g hash) bool { return h == g }
