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

// Repeated reports whether the same death, which is an id, a number of replays
// and the event's position, was offered before: events at two positions are two,
// though one says that it is the other. A record without an id of its own is
// never a repetition.
func (f *Fold) Repeated(r *Record) bool {
	if r.id == "" {
		return false
	}
	death := hash(max(1, maphash.Comparable(f.seed, deathKey{r.id, r.Replays, r.Topic, r.Partition, r.Offset, r.Disposition == Undelivered})))
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

// deathKey is what makes a death that one.
type deathKey struct {
	id        string
	replays   int
	topic     string // of the event, as what follows
	partition int
	offset    int64

	undelivered bool // a second death: what may have been sent was, and didn't arrive
}

// hash is a death's; the zero hash is none.
type hash uint64

func (h hash) Empty() bool      { return h == 0 }
func (h hash) Hash() uint64     { return uint64(h) }
func (h hash) Same(g hash) bool { return h == g }
