package consumer

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// claim is what a member says of itself when it joins its group: the shards
// that it owns, and what it would do with some.
//
// It goes into the group's own metadata as words of four bytes: the shards,
// and behind them, with the highest bit set, the generation and the two halves
// of the fingerprint. Versions before the fingerprint take these for shards
// that nobody has, and pass them over, as this one does with what may follow.
type claim struct {
	owned       []int
	since       int32  // the generation that owned is of
	fingerprint uint64 // of 62 bits; 0: it isn't told
}

const (
	notAShard = 1 << 31
	halfBits  = 31
	halfMask  = 1<<halfBits - 1
)

// append adds the claim's words to data.
func (c claim) append(data []byte) []byte {
	for _, s := range c.owned {
		data = binary.BigEndian.AppendUint32(data, uint32(s))
	}
	if c.fingerprint != 0 {
		for _, word := range []uint64{uint64(c.since), c.fingerprint >> halfBits, c.fingerprint} {
			data = binary.BigEndian.AppendUint32(data, notAShard|uint32(word&halfMask))
		}
	}
	return data
}

func parseClaim(data []byte) (c claim) {
	var more []uint64
	for ; len(data) >= 4; data = data[4:] {
		if word := binary.BigEndian.Uint32(data); word&notAShard == 0 {
			c.owned = append(c.owned, int(word))
		} else {
			more = append(more, uint64(word&halfMask))
		}
	}
	if len(more) >= 3 {
		c.since, c.fingerprint = int32(more[0]), more[1]<<halfBits|more[2]
	}
	return c
}

// atWork is the fingerprint whose members are given the shards, or 0: all are.
//
// In a rolling deployment that adds an action, say, some replicas don't know
// it. Were the shards split among all, the action's events would be lost where
// such a replica reads them. So they are never split among two configurations:
// the one that was at work stays at work, and members that have another own
// nothing, until they are more than half, or none is left with the former.
// More than half, and not all: with fewer than half of the replicas at
// work, each would own more than twice what it usually does.
//
// Claim: at no time two members of different fingerprints send for shards of
// one source. For an assignment gives the shards to members of one fingerprint,
// and who was assigned shards before sends only under its lease, which ends
// before the next assignment counts. So each event is settled by one
// configuration, and where what it is about changes, it changes once: the
// configuration of the latest generation goes on, since its members claim
// their shards with that generation, and one that slept through a
// generation claims them with an earlier one. The configuration changes back
// only if more than half of the members say so, or none of the others is left.
//
// As long as a member tells nothing, being of an earlier version, the shards
// are split among all, as they were before.
func atWork(members []claim) uint64 {
	count := map[uint64]int{}
	for _, c := range members {
		count[c.fingerprint]++
	}
	if count[0] > 0 || len(members) == 0 {
		return 0
	}
	owners := map[uint64]int{} // shards of the latest generation
	latest := int32(-1)
	for _, c := range members {
		switch {
		case len(c.owned) == 0 || c.since < latest:
			continue
		case c.since > latest:
			latest = c.since
			clear(owners)
		}
		owners[c.fingerprint] += len(c.owned)
	}
	all := make([]uint64, 0, len(count))
	for fingerprint, n := range count {
		if 2*n > len(members) {
			return fingerprint
		}
		all = append(all, fingerprint)
	}
	return slices.MinFunc(all, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(owners[b], owners[a]), cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
}
