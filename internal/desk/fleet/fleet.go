package fleet

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says whom to ask.
type Config struct {
	Addresses []string      // host:port of the replicas' http.listen; a name is all that it resolves to. None: nobody is asked
	Every     time.Duration // between two rounds of questions; 0: five seconds
}

// Fleet asks the replicas and keeps what they say. It is safe for concurrent
// use.
type Fleet struct {
	cfg    Config
	client *http.Client

	mu   sync.Mutex
	view View

	// Run's alone.
	lasted  map[string]state // of replicas, breakers, accounts, senders
	totals  *totals          // nil before the first answers
	history *history
}

// New makes a fleet that nobody was asked of yet.
func New(cfg Config) *Fleet {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	return &Fleet{cfg: cfg, client: newClient(), view: View{Told: len(cfg.Addresses) > 0, Replicas: []Replica{}, Regions: []Region{}, Destinations: []Destination{}}, history: newHistory()}
}

// Run asks until ctx ends, which is no error. It is called once.
func (f *Fleet) Run(ctx context.Context) error {
	defer f.client.CloseIdleConnections()
	if len(f.cfg.Addresses) == 0 {
		<-ctx.Done()
		return nil
	}
	for {
		begun := time.Now()
		next := f.cfg.Every
		if answers := f.round(ctx); ctx.Err() == nil {
			f.take(begun, answers)
			if !slices.ContainsFunc(answers, func(a answer) bool { return a.scrape != nil }) {
				next = min(next, absentEvery) // so as to miss little of what they count when they come
			}
		}
		timer := time.NewTimer(time.Until(begun.Add(next)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// absentEvery is how often replicas are asked while none answers.
const absentEvery = time.Second

// View is what the replicas said last.
func (f *Fleet) View() View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

// round asks everybody once.
func (f *Fleet) round(ctx context.Context) []answer {
	addresses, answers := resolve(ctx, f.cfg.Addresses)
	if n := len(addresses); n > maxReplicas {
		answers = append(answers, answer{address: addresses[maxReplicas], why: fmt.Sprintf("this and %d more aren't asked: the desk asks %d replicas at most", n-maxReplicas-1, maxReplicas)})
		addresses = addresses[:maxReplicas]
	}
	asked := make([]answer, len(addresses))
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i, address := range addresses {
		all.Go(func() error {
			asked[i] = ask(ctx, f.client, address)
			return nil
		})
	}
	_ = all.Wait() // what went wrong is said in the answers
	return append(answers, asked...)
}

// take makes a view of the answers of a time.
func (f *Fleet) take(now time.Time, answers []answer) {
	if f.totals == nil {
		f.totals = newTotals(now)
	}
	slices.SortFunc(answers, func(a, b answer) int { return strings.Compare(a.address, b.address) })
	for _, a := range answers {
		if a.scrape != nil {
			f.totals.add(now, a.address, a.scrape)
		}
	}
	s := sum{now: now, totals: f.totals, history: f.history, before: f.lasted, lasting: map[string]state{}, samples: map[time.Time]sample{}}
	view := s.view(answers)
	f.lasted = s.lasting
	f.history.add(now, slices.Clone(f.totals.values))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view = view
}
