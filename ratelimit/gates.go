package ratelimit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

const (
	// maxUnconfigured bounds the gates, and the metrics' labels, that a
	// mapping which computes regions from events can bring about.
	maxUnconfigured = 64
	maxRegionName   = 64 // bytes
)

// Gates are a process's gates, by region. They are safe for concurrent use.
type Gates struct {
	defaults Config
	metrics  *metrics.Metrics
	log      zerolog.Logger

	mu           sync.RWMutex
	gates        map[string]*Gate
	name         string    // what the others call this replica
	since        time.Time // no ask was missed since then
	unconfigured int
	assign       func(*Gate) // tells a gate its share; of gates to come
}

// RegionError says that a region can't have a gate.
type RegionError struct {
	Region string
	Cause  string
}

func (e *RegionError) Error() string {
	return fmt.Sprintf("gate of region %q: %s", e.Region, e.Cause)
}

// NewGates makes the gates of the configured regions; others get one with
// the defaults when they are first asked for.
func NewGates(regions map[string]Config, defaults Config, m *metrics.Metrics, log zerolog.Logger) *Gates {
	g := &Gates{defaults: defaults, metrics: m, log: log, gates: make(map[string]*Gate, len(regions)), assign: func(*Gate) {}}
	for region, config := range regions {
		g.gates[region] = New(region, config, m, log)
	}
	return g
}

// Get returns a region's gate. It fails with a *RegionError for a name that
// can't be a region's, and when too many regions were asked for that the
// configuration doesn't know.
func (g *Gates) Get(region string) (*Gate, error) {
	g.mu.RLock()
	gate, ok := g.gates[region]
	g.mu.RUnlock()
	if ok {
		return gate, nil
	}
	if region == "" || len(region) > maxRegionName || !utf8.ValidString(region) {
		return nil, &RegionError{Region: region[:min(len(region), maxRegionName)], Cause: fmt.Sprintf("a region's name has 1 to %d bytes of UTF-8", maxRegionName)}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if gate, ok := g.gates[region]; ok {
		return gate, nil
	}
	if g.unconfigured == maxUnconfigured {
		return nil, &RegionError{Region: region, Cause: fmt.Sprintf("there are %d regions already that the configuration doesn't know; add an entry under regions", maxUnconfigured)}
	}
	g.unconfigured++
	gate = New(region, g.defaults, g.metrics, g.log)
	gate.join(g.name, g.since)
	g.assign(gate)
	g.gates[region] = gate
	return gate, nil
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
