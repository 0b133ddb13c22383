package fleet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counter names a number that only rises, of the whole fleet or of a replica.
type counter struct {
	metric string
	of     string // destination or region
	action string
	kind   string // stream, outcome, status, reason of a dead letter
	reason string
}

// scrape is what a replica says of itself.
type scrape struct {
	began    time.Time // its process
	version  string
	counters map[counter]float64
	regions  map[string]*regionGauges
	places   map[string]*destinationGauges // destinations
}

type regionGauges struct {
	allowed, inFlight, limit, waiting float64
	breaker                           Breaker
	senders                           map[string]*senderGauges
}

type senderGauges struct{ home, lent, borrowed, wanted, waiting float64 }

type destinationGauges struct {
	lag, lagAge, oldestOpen map[shard]float64
	held                    map[string]float64

	shards, stuck, standingBy, accountClosed, sendersClosed, pending, oldestPending float64
}

type shard struct{ stream, partition string }

// errNoWorker is for metrics that are somebody else's.
var errNoWorker = errors.New("answers with metrics that aren't a worker's")

// parse reads metrics in Prometheus' text format.
func parse(r io.Reader) (*scrape, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("answers with what isn't metrics: %w", err)
	}
	if families["engage_build_info"] == nil {
		return nil, errNoWorker
	}
	s := &scrape{counters: map[counter]float64{}, regions: map[string]*regionGauges{}, places: map[string]*destinationGauges{}}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			s.take(name, labels, m)
		}
	}
	return s, nil
}

// number is a metric's value: of a histogram, how much it counted.
func number(m *dto.Metric) float64 {
	v := m.GetUntyped().GetValue() + m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// take adds one series.
func (s *scrape) take(name string, l map[string]string, m *dto.Metric) {
	v := number(m)
	switch name {
	case "process_start_time_seconds":
		s.began = time.UnixMilli(int64(v * 1000))
	case "engage_build_info":
		s.version = l["version"]
	case "engage_records_read_total":
		s.counters[counter{metric: name, of: l["destination"], kind: l["stream"]}] += v
	case "engage_events_total":
		s.counters[counter{name, l["destination"], l["action"], l["outcome"], l["reason"]}] += v
	case "engage_dead_letters_total":
		s.counters[counter{metric: name, of: l["destination"], reason: l["reason"]}] += v
	case "engage_messages_total":
		s.counters[counter{metric: name, of: l["destination"], kind: l["status"]}] += v
	case "engage_request_duration_seconds", "engage_throttled_total":
		s.counters[counter{metric: name, of: l["region"]}] += v
	case "engage_status_requests_total":
		s.counters[counter{metric: name}] += v
	default:
		if region, ok := l["region"]; ok {
			s.region(region).take(name, l, v)
		} else if destination, ok := l["destination"]; ok {
			s.place(destination).take(name, l, v)
		}
	}
}

func (s *scrape) region(name string) *regionGauges {
	if s.regions[name] == nil {
		s.regions[name] = &regionGauges{senders: map[string]*senderGauges{}}
	}
	return s.regions[name]
}

func (s *scrape) place(name string) *destinationGauges {
	if s.places[name] == nil {
		s.places[name] = &destinationGauges{lag: map[shard]float64{}, lagAge: map[shard]float64{}, oldestOpen: map[shard]float64{}, held: map[string]float64{}}
	}
	return s.places[name]
}

func (g *regionGauges) take(name string, l map[string]string, v float64) {
	switch name {
	case "engage_breaker_state":
		if v == 0 || v == 1 || v == 2 {
			g.breaker = BreakerClosed + Breaker(v)
		}
	case "engage_rate_limit_messages_per_second":
		g.allowed = v
	case "engage_in_flight_requests":
		g.inFlight = v
	case "engage_in_flight_limit_requests":
		g.limit = v
	case "engage_gate_waiting":
		if l["sender"] == "" {
			g.waiting = v
		} else {
			g.sender(l["sender"]).waiting = v
		}
	case "engage_rate_slots":
		if l["sender"] != "" {
			g.sender(l["sender"]).take(l["whose"], v)
		}
	}
}

func (g *regionGauges) sender(name string) *senderGauges {
	if g.senders[name] == nil {
		g.senders[name] = &senderGauges{}
	}
	return g.senders[name]
}

func (s *senderGauges) take(whose string, v float64) {
	switch whose {
	case "home":
		s.home = v
	case "lent":
		s.lent = v
	case "borrowed":
		s.borrowed = v
	case "wanted":
		s.wanted = v
	}
}

func (g *destinationGauges) take(name string, l map[string]string, v float64) {
	at := shard{l["stream"], l["partition"]}
	switch name {
	case "engage_lag_records":
		g.lag[at] = v
	case "engage_lag_seconds":
		g.lagAge[at] = v
	case "engage_oldest_open_seconds":
		g.oldestOpen[at] = v
	case "engage_held_deliveries":
		g.held[l["cause"]] = v
	case "engage_shards":
		g.shards = v
	case "engage_stuck_shards":
		g.stuck = v
	case "engage_standing_by":
		g.standingBy = v
	case "engage_account_closed":
		g.accountClosed = v
	case "engage_senders_closed":
		g.sendersClosed = v
	case "engage_messages_pending":
		g.pending = v
	case "engage_messages_oldest_pending_seconds":
		g.oldestPending = v
	}
}
