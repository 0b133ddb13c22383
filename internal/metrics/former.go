package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// former are the names that metrics had in the release before, for
// dashboards of others. They go with the next one.
var former = map[string]string{"engage_lag_records": "engage_lag"}

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
