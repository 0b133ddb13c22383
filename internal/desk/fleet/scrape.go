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

// gauge is a number as it is now, of a region or of a destination.
type gauge struct {
	metric            string
	sender, whose     string // of a region's rate
	stream, partition string // of a destination's shard
	cause             string // why deliveries are held
	value             float64
}

// scrape is what a replica says of itself.
type scrape struct {
	began    time.Time // its process
	version  string
	counters map[counter]float64
	regions  map[string][]gauge
	places   map[string][]gauge // destinations
}

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
	s := &scrape{counters: map[counter]float64{}, regions: map[string][]gauge{}, places: map[string][]gauge{}}
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
		g := gauge{name, l["sender"], l["whose"], l["stream"], l["partition"], l["cause"], v}
		if region, ok := l["region"]; ok {
			s.regions[region] = append(s.regions[region], g)
		} else if destination, ok := l["destination"]; ok {
			s.places[destination] = append(s.places[destination], g)
		}
	}
}
