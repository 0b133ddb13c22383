package worker

import (
	"maps"
	"slices"
	"sync"

	"engage-worker/ratelimit"
)

// shares splits the regions' rates. The destinations that send to a region
// have equal pieces of its rate, and each of a destination's shards an equal
// piece of that; a replica sends at the rate of the shards that it owns. Each
// piece has one owner in the fleet, so together they are the whole rate.
type shares struct {
	gates *ratelimit.Gates
	mu    sync.Mutex
	of    map[string]destinationShare // by the destination's name
}

type destinationShare struct {
	regions []string
	dynamic bool // events may name any region
	owned   []int
	total   int // shards
}

func (s *shares) add(name string, regions []string, dynamic bool) {
	s.of[name] = destinationShare{regions: regions, dynamic: dynamic}
}

func (s *shares) set(name string, owned []int, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[name]
	d.owned, d.total = owned, total
	s.of[name] = d
	now := maps.Clone(s.of)
	s.gates.SetParts(func(region string) []ratelimit.Part { return partsOf(region, now) })
}

// partsOf are this replica's parts of a region's rate.
func partsOf(region string, destinations map[string]destinationShare) []ratelimit.Part {
	var users []destinationShare
	for _, name := range slices.Sorted(maps.Keys(destinations)) {
		if d := destinations[name]; d.dynamic || slices.Contains(d.regions, region) {
			users = append(users, d)
		}
	}
	var parts []ratelimit.Part
	for i, d := range users {
		for _, shard := range d.owned {
			at := func(shard int) float64 {
				return (float64(i) + float64(shard)/float64(d.total)) / float64(len(users))
			}
			if shard < d.total {
				parts = append(parts, ratelimit.Part{From: at(shard), To: at(shard + 1)})
			}
		}
	}
	return parts
}
