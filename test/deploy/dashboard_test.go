package deploy

import (
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The dashboard says all that Grafana's types want of it, and nothing in
// options, queries and layout that they don't know.
func TestDashboardIsGrafanas(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile("../../deploy/grafana/dashboards/engage-worker.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard.Dashboard
	// A list without errors is no nil.
	if err := d.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	for _, p := range d.Panels {
		if p.Panel != nil && p.Panel.Options == nil {
			t.Errorf("%s is a %s, which nobody checked", *p.Panel.Title, p.Panel.Type)
		}
	}
}
