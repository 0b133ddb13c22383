package worker

import (
	"slices"
	"sync"

	"engage-worker/actions"
	"engage-worker/ratelimit"
)

// shares splits the regions' rates: this replica's part of a region is that
// of the shards it owns, over the destinations that send there. Summed over
// all replicas that is one.
type shares struct {
	gates *ratelimit.Gates
	mu    sync.Mutex
	of    map[string]*destinationShare
}

type destinationShare struct {
	regions  []string
	dynamic  bool // events may name any region
	fraction float64
}

func (s *shares) add(name string, d *actions.Destination) {
	regions, dynamic := d.Regions()
	s.of[name] = &destinationShare{regions: regions, dynamic: dynamic}
}

func (s *shares) set(name string, owned, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[name].fraction = 0
	if total > 0 {
		s.of[name].fraction = float64(owned) / float64(total)
	}
	now := make(map[string]destinationShare, len(s.of))
	for n, d := range s.of {
		now[n] = *d
	}
	s.gates.SetShares(func(region string) float64 { return shareOf(region, now) })
}

func shareOf(region string, destinations map[string]destinationShare) float64 {
	sum, users := 0.0, 0
	for _, d := range destinations {
		if d.dynamic || slices.Contains(d.regions, region) {
			sum += d.fraction
			users++
		}
	}
	if users == 0 {
		return 0
	}
	return sum / float64(users)
}
