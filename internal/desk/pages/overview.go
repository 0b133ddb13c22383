package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/fleet"
	"engage-worker/internal/desk/messages"
)

const day = 24 * time.Hour

// span is a time that the overview looks back.
type span struct {
	Name string
	Long time.Duration
	Step time.Duration // of the chart
}

func spans() []span {
	return []span{{"hour", time.Hour, time.Minute}, {"day", day, time.Hour}, {"week", 7 * day, 6 * time.Hour}}
}

// funnelRow is the way of an action's messages, or of a whole destination's: an
// event is read for the destination, and matched for each of its actions.
type funnelRow struct {
	Destination string `json:"destination"`
	Action      string `json:"action,omitempty"` // "" of what is no event, and so no action's
	Whole       bool   `json:"whole,omitempty"`  // of all its actions

	Read    *int          `json:"read,omitempty"` // of the replicas' metrics; absent where nobody says
	Matched *int          `json:"matched,omitempty"`
	Skipped []fleet.Count `json:"skipped,omitempty"`

	messages.Counts
	Dead    int                `json:"deadLetters"`
	Reasons []deadletter.Count `json:"reasons,omitempty"`
}

// overviewView is the page Overview.
type overviewView struct {
	Span   span             `json:"-"`
	Spans  []span           `json:"-"`
	Name   string           `json:"span"`
	Needs  []fleet.Need     `json:"needs"`
	Funnel []funnelRow      `json:"funnel"`
	Points []messages.Point `json:"messages"`
	Chart  chart            `json:"-"`
	Fleet  fleet.View       `json:"fleet"`
	Open   int              `json:"openDeadLetters"`
	Total  int              `json:"deadLetters"`
}

// Since is the span as the option since has it.
func (v overviewView) Since() string { return strings.TrimSuffix(v.Span.Long.String(), "0m0s") }

// Overview shows what goes on.
func (p *Pages) Overview(r *http.Request) (Page, error) {
	v := overviewView{Spans: spans(), Name: cmp.Or(r.FormValue("span"), "hour"), Funnel: []funnelRow{}}
	i := slices.IndexFunc(v.Spans, func(s span) bool { return s.Name == v.Name })
	if i < 0 {
		return Page{}, bad("span is hour, day or week.")
	}
	v.Span = v.Spans[i]
	seen := p.fleet.View()
	v.Fleet = seen
	groups, err := p.store.Groups(r.Context(), deadletter.Filter{})
	if err != nil {
		return Page{}, err
	}
	v.Total = groups.Total
	for _, g := range groups.List {
		v.Open += g.Open
	}
	v.Needs = fleet.Needs(seen, p.flows(seen)...)
	v.Funnel = append(v.Funnel, p.funnel(seen, v.Span.Long)...)
	var from []time.Time
	var counts [][]int
	v.Points = p.store.Messages(v.Span.Long, v.Span.Step)
	for _, p := range v.Points {
		from, counts = append(from, p.From), append(counts, []int{p.Delivered, p.Accepted - p.Delivered - p.Failed, p.Failed})
	}
	v.Chart = newChart(from, v.Span.Step, []string{"delivered", "pending", "failed"}, counts)
	return Page{Title: "Overview", Section: "overview", Live: true, View: v}, nil
}

// funnel is the topics' account of what Twilio accepted, and the replicas' of what
// came before.
func (p *Pages) funnel(view fleet.View, long time.Duration) (rows []funnelRow) {
	all := p.store.Funnel(long)
	for _, to := range p.cfg.Destinations {
		whole := funnelRow{Destination: to.Name, Whole: true}
		for _, seen := range view.Destinations {
			if w, ok := seen.Windows[long]; seen.Name == to.Name && ok {
				whole.Read, whole.Matched = &w.Read, &w.Matched
				whole.Skipped = w.Skipped
			}
		}
		var parts []funnelRow
		for _, f := range of(all, to.Name) {
			parts = append(parts, funnelRow{Destination: f.Destination, Action: f.Action, Counts: f.Counts, Dead: f.Died(), Reasons: f.Dead})
			whole.Add(f.Counts)
			whole.Dead += f.Died()
		}
		slices.SortStableFunc(parts, func(a, b funnelRow) int {
			return cmp.Or(-cmp.Compare(min(1, len(a.Action)), min(1, len(b.Action))), cmp.Compare(a.Action, b.Action))
		})
		rows = append(append(rows, whole), parts...)
	}
	return rows
}

// of are a destination's.
func of(all []messages.Funnel, destination string) []messages.Funnel {
	return slices.DeleteFunc(slices.Clone(all), func(f messages.Funnel) bool { return f.Destination != destination })
}

// flows are what became of each destination's messages lately, by the topics: they
// know it from before this desk began, too. How many came further, only the replicas
// say.
func (p *Pages) flows(view fleet.View) (all []fleet.Flow) {
	const lately = 30 * time.Minute
	recent, today := p.store.Funnel(lately), p.store.Funnel(day)
	for _, to := range p.cfg.Destinations {
		flow := fleet.Flow{Destination: to.Name}
		for _, seen := range view.Destinations {
			if seen.Name == to.Name {
				flow.Accepted, flow.Further = seen.Flow.Accepted, seen.Flow.Further
			}
		}
		for _, f := range of(recent, to.Name) {
			flow.Settled, flow.Delivered, flow.Ended = flow.Settled+f.Accepted+f.Died(), flow.Delivered+f.Delivered, flow.Ended+f.Delivered+f.Failed
			for _, c := range f.Dead {
				if i := slices.IndexFunc(flow.Dead, func(known fleet.Count) bool { return known.Name == c.Value }); i >= 0 {
					flow.Dead[i].N += c.N
				} else {
					flow.Dead = append(flow.Dead, fleet.Count{Name: c.Value, N: c.N})
				}
			}
		}
		for _, f := range of(today, to.Name) {
			flow.DayDelivered, flow.DayEnded = flow.DayDelivered+f.Delivered, flow.DayEnded+f.Delivered+f.Failed
		}
		all = append(all, flow)
	}
	return all
}
