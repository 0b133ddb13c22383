package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A metric with a new name is found under the former one as well.
func TestFormerNames(t *testing.T) {
	registry := prometheus.NewRegistry()
	New(registry).Lag.WithLabelValues("d", "source", "0").Set(7)
	want := `# HELP engage_lag Will go: it is engage_lag_records now.
# TYPE engage_lag gauge
engage_lag{destination="d",partition="0",stream="source"} 7
# HELP engage_lag_records Records between the committed offset and the end of the log.
# TYPE engage_lag_records gauge
engage_lag_records{destination="d",partition="0",stream="source"} 7
`
	if err := testutil.GatherAndCompare(WithFormerNames(registry), strings.NewReader(want), "engage_lag", "engage_lag_records"); err != nil {
		t.Error(err)
	}
}
