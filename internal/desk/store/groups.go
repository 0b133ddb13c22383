package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
)

// Group are the letters of one kind.
type Group struct {
	Destination string                   `json:"destination"`
	Action      string                   `json:"action"`
	Reason      string                   `json:"reason"`
	Code        int                      `json:"twilio_code,omitempty"`
	Meaning     string                   `json:"meaning"` // of the code, else of the reason
	Count       int                      `json:"count"`
	Open        int                      `json:"open"` // of Count: nothing came after them
	ByState     map[deadletter.State]int `json:"by_state"`
	Trend       []int                    `json:"trend"` // that failed in each of the last 24 hours, the latest last
	Newest      time.Time                `json:"newest"`
	SampleID    string                   `json:"sample"` // the newest one's
}

// Groups are the groups, the largest first.
type Groups struct {
	List   []Group
	Total  int    // letters
	Partly string // why these aren't all, in words; "": they are
}

// trendHours is how far a group's trend goes back.
const trendHours = 24

// kind is what a group's letters have in common.
type kind struct {
	destination, action, reason text
	code                        int32
}

// group is a Group that is being counted.
type group struct {
	kind
	states [len(allStates) + 1]int
	trend  [trendHours]int
	n      int
	newest row
}

// Groups counts the letters that a filter chooses by destination, action, reason
// and Twilio's code.
func (s *Store) Groups(ctx context.Context, f deadletter.Filter) (Groups, error) {
	q, err := s.search(ctx, &f)
	if err != nil {
		return Groups{}, err
	}
	const hour = int64(time.Hour)
	now := s.now().UnixNano()
	s.mu.RLock()
	defer s.mu.RUnlock()
	defer q.Hold()()
	groups := map[kind]*group{}
	var near [64]*group // those that came last
	out := Groups{Partly: q.Partly()}
	s.each(&f, q, func(r *row) bool {
		k := kind{r.destination, r.action, r.reason, r.code}
		at := (uint32(k.destination)*31 + uint32(k.action)*17 + uint32(k.reason)*7 + uint32(k.code)) % uint32(len(near))
		g := near[at]
		if g == nil || g.kind != k {
			if g = groups[k]; g == nil {
				g = &group{kind: k, newest: *r}
				groups[k] = g
			}
			near[at] = g
		}
		out.Total++
		g.n++
		g.states[r.state]++
		if age := now - r.failed; age >= 0 && age < trendHours*hour {
			g.trend[trendHours-1-age/hour]++
		}
		return true
	})
	for _, g := range groups {
		out.List = append(out.List, s.groupOf(g))
	}
	slices.SortFunc(out.List, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Action, b.Action),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Code, b.Code))
	})
	return out, nil
}

func (s *Store) groupOf(g *group) Group {
	out := Group{
		Destination: s.texts.of(g.destination), Action: s.texts.of(g.action), Reason: s.texts.of(g.reason), Code: int(g.code),
		Count: g.n, Open: g.states[openState], ByState: map[deadletter.State]int{}, Trend: g.trend[:],
		Newest: time.Unix(0, g.newest.failed).UTC(), SampleID: s.idOf(&g.newest),
	}
	means, _, _ := letters.Reason(out.Reason)
	out.Meaning = cmp.Or(letters.CodeMeaning(out.Code), means)
	for i, n := range g.states {
		if n > 0 {
			out.ByState[allStates[i-1]] = n
		}
	}
	return out
}

// Bucket are the letters of a span of time.
type Bucket struct {
	From time.Time `json:"from"`
	N    int       `json:"n"`
	Open int       `json:"open"`
}

// Histogram counts letters by when they failed.
type Histogram struct {
	Buckets []Bucket // from the oldest letter's to the newest's, without gaps
	Step    time.Duration
	Partly  string // see Groups
	Busy    bool   // see Page
}

// mostBuckets bounds a Histogram.
const mostBuckets = 1000

// Histogram counts the letters that a filter chooses by when they failed. step
// is the buckets' length, at least a minute; one that makes more than 1,000
// buckets is lengthened.
func (s *Store) Histogram(ctx context.Context, f deadletter.Filter, step time.Duration) (Histogram, error) {
	q, err := s.search(ctx, &f)
	if err != nil {
		return Histogram{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	defer q.Hold()()
	out := Histogram{Partly: q.Partly(), Step: max(step, time.Minute)}
	newest, oldest := int64(0), int64(0)
	n := 0
	s.each(&f, q, func(r *row) bool {
		if n++; n == 1 {
			newest = r.failed
		}
		oldest = r.failed
		return true
	})
	if n == 0 {
		return out, nil
	}
	for (newest-oldest)/int64(out.Step) >= mostBuckets-1 {
		out.Step *= 2
	}
	length := int64(out.Step)
	first := oldest - (oldest%length+length)%length
	out.Buckets = make([]Bucket, (newest-first)/length+1)
	for i := range out.Buckets {
		out.Buckets[i].From = time.Unix(0, first+int64(i)*length).UTC()
	}
	s.each(&f, q, func(r *row) bool {
		b := &out.Buckets[(r.failed-first)/length]
		b.N++
		if r.state == openState {
			b.Open++
		}
		return true
	})
	return out, nil
}
