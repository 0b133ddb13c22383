package desk

import (
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/fleet"
)

// countView is a number of something that has a name.
type countView struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

func countsOf(counts []deadletter.Count) (all []countView) {
	for _, c := range counts {
		all = append(all, countView{c.Value, c.N})
	}
	return all
}

// fleetView is how the replicas do, as the overview shows it.
type fleetView struct {
	Told     bool          `json:"told"`           // whether anybody's address is known
	Since    time.Time     `json:"since,omitzero"` // from when on it is counted
	At       time.Time     `json:"at,omitzero"`    // of the newest answers
	Replicas []replicaView `json:"replicas"`
	Regions  []regionView  `json:"regions"`
	Waiting  []waitingView `json:"waiting"`
}

type replicaView struct {
	Address string `json:"address"`
	Up      bool   `json:"up"`
	Ready   bool   `json:"ready"`
	Why     string `json:"why,omitempty"` // it is neither
	Version string `json:"version,omitempty"`
}

type regionView struct {
	Name      string       `json:"name"`
	Used      float64      `json:"usedPerSecond"`
	Allowed   float64      `json:"allowedPerSecond"`
	Waiting   int          `json:"waiting"`
	InFlight  int          `json:"inFlight"`
	Limit     int          `json:"inFlightLimit"`
	Breaker   string       `json:"breaker"`
	Since     time.Time    `json:"breakerSince,omitzero"` // from when on it isn't closed
	Throttled int          `json:"throttled"`             // answers of the last hour that asked to slow down
	Senders   []senderView `json:"senders,omitempty"`
}

type senderView struct {
	Name    string  `json:"name"`
	Allowed float64 `json:"allowedPerSecond"`
	Waiting int     `json:"waiting"`
}

// waitingView is what isn't done of a destination.
type waitingView struct {
	Destination   string        `json:"destination"`
	Lag           int           `json:"lag"` // records
	Oldest        time.Duration `json:"-"`
	OldestSeconds float64       `json:"oldestOpenSeconds"`
	Retrying      int           `json:"retrying"`
	Held          []countView   `json:"held,omitempty"`
	Pending       int           `json:"pending"` // at Twilio
	AccountClosed time.Time     `json:"accountClosedSince,omitzero"`
	SendersClosed int           `json:"sendersClosed,omitempty"`
}

func fleetOf(v fleet.View) fleetView {
	all := fleetView{Told: v.Told, Since: v.Since, At: v.At, Replicas: []replicaView{}, Regions: []regionView{}, Waiting: []waitingView{}}
	for _, r := range v.Replicas {
		all.Replicas = append(all.Replicas, replicaView{r.Address, r.Up, r.Ready, r.Why, r.Version})
	}
	for _, r := range v.Regions {
		region := regionView{r.Name, r.Used, r.Allowed, r.Waiting, r.InFlight, r.InFlightLimit, r.Breaker.String(), r.BreakerSince, r.Throttled, nil}
		for _, s := range r.Senders {
			region.Senders = append(region.Senders, senderView{s.Name, s.Allowed, s.Waiting})
		}
		all.Regions = append(all.Regions, region)
	}
	for _, d := range v.Destinations {
		w := waitingView{
			Destination: d.Name, Lag: d.Lag, Oldest: d.OldestOpen, OldestSeconds: d.OldestOpen.Seconds(), Retrying: d.Retrying, Pending: d.Pending,
			AccountClosed: d.AccountClosed, SendersClosed: d.SendersClosed,
		}
		for _, c := range d.Held {
			w.Held = append(w.Held, countView(c))
		}
		all.Waiting = append(all.Waiting, w)
	}
	return all
}

// needView is something that needs a person now.
type needView struct {
	Severity string `json:"severity"`
	What     string `json:"what"`
	WayOut   string `json:"wayOut"`
	Link     string `json:"link,omitempty"`
	Runbook  string `json:"runbook"` // where the documentation says more
}

func needsOf(needs []fleet.Need) []needView {
	all := []needView{}
	for _, n := range needs {
		all = append(all, needView{n.Severity.String(), n.What, n.WayOut, n.Link, "docs/operations.md#" + n.Runbook})
	}
	return all
}
