package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"engage-worker/ratelimit"
)

// shares splits the regions' rates. The destinations that send to a region
// have equal pieces of its rate, and each of a destination's shards an equal
// piece of that; a replica has the pieces of the shards that it owns. Each piece
// has one owner in the fleet, so together they are the whole rate. What their
// owners don't use the exchange lends to others.
type shares struct {
	gates    *ratelimit.Gates
	exchange *ratelimit.Exchange
	mu       sync.Mutex
	of       map[string]destinationShare // by the destination's name
}

type destinationShare struct {
	regions []string

	owned   []int
	total   int // shards
	until   time.Time
	counted []int // of owned: those whose pieces are in use
	gains   int   // how often shards were gained
}

func (s *shares) add(name string, regions []string) {
	s.of[name] = destinationShare{regions: regions}
}

// set says which of a destination's shards this replica owns until a time.
// What was owned before goes on; what is gained waits until all is known that
// its former owner may have lent.
func (s *shares) set(name string, owned []int, total int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[name]
	lapsed := total != d.total || !time.Now().Before(d.until)
	same := !lapsed && slices.Equal(owned, d.owned)
	kept := d.counted
	switch {
	case lapsed:
		kept = nil
	case !same:
		kept = slices.DeleteFunc(slices.Clone(owned), func(shard int) bool { return !slices.Contains(d.counted, shard) })
	}
	pending := !same && len(kept) < len(owned)
	d.owned, d.total, d.until, d.counted = owned, total, until, kept
	if pending {
		d.gains++
		go s.gain(name, d.gains)
	}
	s.of[name] = d
	s.apply(true)
}

// gain counts all that is owned, once the rates' log is read to its end, or
// isn't within a short time.
func (s *shares) gain(name string, gains int) {
	caughtUp := s.exchange.CatchUp(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[name]
	if d.gains != gains {
		return // shards were gained again meanwhile
	}
	d.counted = d.owned
	s.of[name] = d
	s.apply(caughtUp)
}

func (s *shares) apply(caughtUp bool) {
	now := maps.Clone(s.of)
	s.gates.SetParts(func(region string) []ratelimit.Part { return partsOf(region, now) }, caughtUp)
}

// partsOf are this replica's parts of a region's rate; shards side by side make one.
func partsOf(region string, destinations map[string]destinationShare) []ratelimit.Part {
	var users []destinationShare
	for _, name := range slices.Sorted(maps.Keys(destinations)) {
		if d := destinations[name]; slices.Contains(d.regions, region) {
			users = append(users, d)
		}
	}
	var parts []ratelimit.Part
	for i, d := range users {
		at := func(shard int) float64 {
			return (float64(i) + float64(shard)/float64(d.total)) / float64(len(users))
		}
		for k, shard := range d.counted {
			switch {
			case shard >= d.total:
			case k > 0 && shard == d.counted[k-1]+1:
				parts[len(parts)-1].To = at(shard + 1)
			default:
				parts = append(parts, ratelimit.Part{From: at(shard), To: at(shard + 1), Until: d.until})
			}
		}
	}
	return parts
}
