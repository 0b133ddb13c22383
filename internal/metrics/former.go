package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// former are the names that metrics had in the release before, for
// dashboards of others. They go with the next one.
var former = map[string]string{
	"engage_held_deliveries":                "engage_held",
	"engage_in_flight_limit_requests":       "engage_in_flight_limit",
	"engage_in_flight_requests":             "engage_in_flight",
	"engage_lag_records":                    "engage_lag",
	"engage_rate_limit_messages_per_second": "engage_rate_limit",
	"engage_uncommitted_offsets":            "engage_uncommitted_span",
	"engage_watermark_offset":               "engage_watermark",
}

// WithFormerNames gathers what g does, and once more under their former names
// what had other ones.
func WithFormerNames(g prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := g.Gather()
		for _, f := range families {
			if name, ok := former[f.GetName()]; ok {
				help := "Will go: it is " + f.GetName() + " now."
				families = append(families, &dto.MetricFamily{Name: &name, Help: &help, Type: f.Type, Metric: f.Metric})
			}
		}
		slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
		return families, err
	})
}
