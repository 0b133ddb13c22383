package integration

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// asked counts what a broker is asked, by kind.
type asked struct {
	mu sync.Mutex
	n  map[string]int
}

// countRequests counts from now on.
func (r *rig) countRequests() *asked {
	c := &asked{n: map[string]int{}}
	r.broker.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n[kmsg.Key(req.Key()).Name()]++
		r.broker.KeepControl()
		return nil, nil, false
	})
	return c
}

// take are the counts since the last time.
func (c *asked) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := maps.Clone(c.n)
	clear(c.n)
	return n
}

func shownCounts(n map[string]int, by float64) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", kind, float64(n[kind])/by))
	}
	return strings.Join(parts, ", ")
}

// TestRequestsToKafka: what a replica asks of a broker when nothing happens
// doesn't grow with the partitions, and what a message costs in requests is
// less the more there are. docs/scale.md works with these figures.
func TestRequestsToKafka(t *testing.T) {
	if onKafka() {
		t.Skip("only the embedded broker counts")
	}
	t.Parallel()
	const seconds = 5
	for _, partitions := range []int{12, 96} {
		r := newRig(t, settings{partitions: partitions, kafka: "  sessionTimeout: 10s\n"})
		r.change("commitInterval: 200ms", "commitInterval: 1s")
		counts := r.countRequests()
		replicas := []*replica{r.start(), r.start()}
		r.awaitShared(replicas, partitions/2)
		time.Sleep(2 * time.Second)
		counts.take()
		time.Sleep(seconds * time.Second)
		idle := counts.take()
		t.Logf("%d partitions, a replica at rest, requests a second: %s", partitions, shownCounts(idle, 2*seconds))
		if n := idle["Fetch"]; n > 2*seconds*40 {
			t.Errorf("%d partitions: %d fetches within %d s by two replicas at rest", partitions, n, seconds)
		}
		if n := idle["OffsetCommit"]; n > 2*seconds*3/2 {
			t.Errorf("%d commits within %d s by two replicas", n, seconds)
		}
		people := people(4200, "")
		for _, n := range []int{200, 4000} {
			before := r.sim.Stats().Accepted
			r.produce(people[:n]...)
			people = people[n:]
			r.await(60*time.Second, func() error {
				if got := r.sim.Stats().Accepted - before; got < uint64(n) {
					return fmt.Errorf("%d of %d", got, n)
				}
				return nil
			})
			loaded := counts.take()
			t.Logf("%d messages at once, requests a message: %s", n, shownCounts(loaded, float64(n)))
			// Intents, outcomes and statuses of a shard go together.
			if n > 1000 && loaded["Produce"] > n {
				t.Errorf("%d produce requests for %d messages", loaded["Produce"], n)
			}
		}
		for _, each := range replicas {
			each.stop()
		}
	}
}
