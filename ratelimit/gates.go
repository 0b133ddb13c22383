package ratelimit

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

// Gates are a process's gates, by region. All regions come from the
// configuration, none from an event, so that there are few, for as long as the
// process lives. They are safe for concurrent use.
type Gates struct {
	defaults Config
	metrics  *metrics.Metrics
	log      zerolog.Logger

	mu     sync.RWMutex
	gates  map[string]*Gate
	name   string      // what the others call this replica
	since  time.Time   // no ask was missed since then
	assign func(*Gate) // tells a gate its share; of gates to come
}

// NewGates makes the gates of the given regions; others get one with the
// defaults when they are first asked for.
func NewGates(regions map[string]Config, defaults Config, m *metrics.Metrics, log zerolog.Logger) *Gates {
	g := &Gates{defaults: defaults, metrics: m, log: log, gates: make(map[string]*Gate, len(regions)), assign: func(*Gate) {}}
	for region, config := range regions {
		g.gates[region] = New(region, config, m, log)
	}
	return g
}

// Get returns a region's gate.
func (g *Gates) Get(region string) *Gate {
	g.mu.RLock()
	gate, ok := g.gates[region]
	g.mu.RUnlock()
	if ok {
		return gate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if gate, ok := g.gates[region]; ok {
		return gate
	}
	gate = New(region, g.defaults, g.metrics, g.log)
	gate.join(g.name, g.since)
	g.assign(gate)
	g.gates[region] = gate
	return gate
}

// SetParts tells all gates, those to come too, this replica's parts of the
// fleet, which may differ by region. See Gate.SetParts. of must be safe for
// concurrent use.
func (g *Gates) SetParts(of func(region string) []Part, caughtUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.assign = func(gate *Gate) { gate.SetParts(of(gate.region), caughtUp) }
	for _, gate := range g.gates {
		g.assign(gate)
	}
}

// join tells all gates, those to come too, what the others call this replica,
// and since when no ask can have been missed.
func (g *Gates) join(name string, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.name, g.since = name, since
	for _, gate := range g.gates {
		gate.join(name, since)
	}
}

// hear takes in a note, and says what to answer. A rate that this replica
// has no gate for is none of its business.
func (g *Gates) hear(n Note) []Note {
	g.mu.RLock()
	region, _, _ := strings.Cut(n.Rate, "/")
	gate := g.gates[region]
	g.mu.RUnlock()
	if gate == nil {
		return nil
	}
	return gate.hear(n)
}

// tick says what to write of all rates now.
func (g *Gates) tick() (notes []Note) {
	for _, gate := range g.all() {
		notes = append(notes, gate.tick()...)
	}
	return notes
}

func (g *Gates) all() []*Gate {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Collect(maps.Values(g.gates))
}

// Snapshots are the gates' as they are now, by region.
func (g *Gates) Snapshots() []Snapshot {
	gates := g.all()
	snapshots := make([]Snapshot, len(gates))
	for i, gate := range gates {
		snapshots[i] = gate.Snapshot()
	}
	slices.SortFunc(snapshots, func(a, b Snapshot) int { return cmp.Compare(a.Region, b.Region) })
	return snapshots
}
