package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/actions/outcome"
	"engage-worker/internal/metrics"
)

// declared are the labels of each metric that the worker has.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	m := reflect.ValueOf(metrics.New(registry)).Elem()
	describe := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	labels := map[string][]string{}
	for i := range m.NumField() {
		collector, ok := m.Field(i).Interface().(prometheus.Collector)
		if !ok {
			t.Fatalf("%s is no metric", m.Type().Field(i).Name)
		}
		descs := make(chan *prometheus.Desc, 1)
		collector.Describe(descs)
		found := describe.FindStringSubmatch((<-descs).String())
		if found == nil {
			t.Fatalf("%s doesn't tell its name and labels", m.Type().Field(i).Name)
		}
		labels[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
	}
	return labels
}

var (
	engageMetric = regexp.MustCompile(`\bengage_\w+`)
	// A selector, or a metric without one, and what stands in a grouping.
	selector = regexp.MustCompile(`\b(engage_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)`)
	recorded = regexp.MustCompile(`\b([a-z_]+):engage_\w+:\w+`) // labels:metric:operation
)

// fromElsewhere are labels that the scrape and the alerts add, and those of other metrics.
var fromElsewhere = []string{"instance", "job", "le", "alertname", "severity"}

// family is the metric whose series a name is.
func family(known map[string][]string, name string) (string, bool) {
	if _, ok := known[name]; ok {
		return name, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && strings.HasSuffix(base, "_seconds") {
			_, ok := known[base]
			return base, ok
		}
	}
	return name, false
}

// check reports what an expression asks for and isn't there.
func check(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	var labels []string
	for _, r := range recorded.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, strings.Split(r[1], "_")...)
	}
	expr = recorded.ReplaceAllString(expr, "recorded")
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		name, ok := family(known, s[1])
		if !ok {
			t.Errorf("%s queries %s, which the worker doesn't have", where, s[1])
			continue
		}
		labels = append(labels, known[name]...)
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(known[name], m[1]) && !slices.Contains(fromElsewhere, m[1]) {
				t.Errorf("%s selects %s by %s, which it doesn't have", where, s[1], m[1])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(labels, label) && !slices.Contains(fromElsewhere, label) {
				t.Errorf("%s groups by %s, which none of its metrics has", where, label)
			}
		}
	}
}

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Alert, Record, Expr, For string
	Labels, Annotations      map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file ruleFile
	readYAML(t, "deploy/prometheus/rules.yml", &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestRulesQueryWhatThereIs(t *testing.T) {
	known := declared(t)
	for _, r := range rules(t) {
		check(t, r.Alert+r.Record, r.Expr, known)
	}
}

// Every alert says how bad it is and where to read on, and is tested.
func TestAlertsAreWhole(t *testing.T) {
	var tests struct {
		RuleFiles          []string `yaml:"rule_files"`
		EvaluationInterval string   `yaml:"evaluation_interval"`
		Tests              []struct {
			Name, Interval string
			InputSeries    []map[string]string `yaml:"input_series"`
			AlertRuleTest  []struct {
				Alertname string
				EvalTime  string           `yaml:"eval_time"`
				ExpAlerts []map[string]any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, "deploy/prometheus/rules_test.yml", &tests)
	fires := map[string]bool{}
	for _, test := range tests.Tests {
		for _, alert := range test.AlertRuleTest {
			fires[alert.Alertname] = fires[alert.Alertname] || len(alert.ExpAlerts) > 0
		}
	}
	sections := anchors(t, "docs/operations.md")
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if !fires[r.Alert] {
			t.Errorf("no test shows that %s fires", r.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s doesn't say what it is about", r.Alert)
		}
		page, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if !strings.HasPrefix(page, "https://") || !strings.HasSuffix(page, "/operations.md") || anchor != strings.ToLower(r.Alert) || !slices.Contains(sections, anchor) {
			t.Errorf("%s: there is no %s", r.Alert, r.Annotations["runbook_url"])
		}
	}
}

func TestDashboardQueriesWhatThereIs(t *testing.T) {
	known := declared(t)
	text, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/engage-worker.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids, queried := map[int]string{}, map[string]bool{}
	for _, p := range dashboard.Panels {
		if other, taken := ids[p.ID]; taken {
			t.Errorf("%s and %s have the id %d", other, p.Title, p.ID)
		}
		ids[p.ID] = p.Title
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is outside of the grid", p.Title)
		}
		if p.Type != "row" && p.Type != "alertlist" && len(p.Targets) == 0 {
			t.Errorf("%s queries nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(t, p.Title, target.Expr, known)
			for _, name := range engageMetric.FindAllString(target.Expr, -1) {
				name, _ = family(known, name)
				queried[name] = true
			}
		}
	}
	for _, v := range dashboard.Templating.List {
		check(t, "variable "+v.Name, v.Definition, known)
		if v.Definition == "" {
			continue
		}
		metric := engageMetric.FindString(v.Definition)
		if !slices.Contains(append(known[metric], "instance"), v.Name) {
			t.Errorf("the variable %s isn't a label of %s", v.Name, metric)
		}
	}
	for _, a := range dashboard.Annotations.List {
		check(t, "annotation", a.Expr, known)
	}
	for name := range known {
		if !queried[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// Every metric is documented with its labels, and nothing else is.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(engage_\\w+)` \\| (counter|gauge|histogram) \\| ([^|]*)\\|")
	documented := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' || r == '`' })
	}
	known := declared(t)
	for name, labels := range known {
		got, ok := documented[name]
		if !ok {
			t.Errorf("docs/operations.md doesn't say what %s is", name)
		} else if !slices.Equal(got, labels) {
			t.Errorf("docs/operations.md: %s has the labels %v, not %v", name, labels, got)
		}
	}
	for _, name := range engageMetric.FindAllString(string(text), -1) {
		if _, ok := family(known, name); !ok {
			t.Errorf("docs/operations.md tells of %s, which the worker doesn't have", name)
		}
	}
}

// Every reason of a dead letter has a section, and every skip is named.
func TestReasonsAreDocumented(t *testing.T) {
	sections := anchors(t, "docs/operations.md")
	for reason := outcome.ReasonMalformedEvent; reason <= outcome.ReasonExpired; reason++ {
		if !slices.Contains(sections, reason.String()) {
			t.Errorf("docs/operations.md has no section %s", reason)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for reason := outcome.ReasonNoMatch; reason < outcome.ReasonMalformedEvent; reason++ {
		if !strings.Contains(string(text), "`"+reason.String()+"`") {
			t.Errorf("docs/operations.md doesn't name the skip %s", reason)
		}
	}
}

// anchors are those of a page's headings, as GitHub makes them.
func anchors(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	dropped := regexp.MustCompile(`[^\w\- ]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// TestAlertList: Grafana's list of alerts picks ours by their names, and has
// no options but those of its panel (public/app/plugins/panel/alertlist/types.ts).
func TestAlertList(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/grafana/dashboards/engage-worker.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Type    string
			Options json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	lists := 0
	for _, p := range dashboard.Panels {
		if p.Type != "alertlist" {
			continue
		}
		lists++
		var options struct {
			AlertName                      string
			DashboardAlerts, ShowInstances bool
			GroupMode, ViewMode            string
			GroupBy                        []string
			MaxItems, SortOrder            int
			StateFilter                    struct{ Firing, Pending, Recovering, NoData, Normal, Error bool }
		}
		decoder := json.NewDecoder(bytes.NewReader(p.Options))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&options); err != nil {
			t.Error(err)
		}
		if options.DashboardAlerts || options.MaxItems < 20 || !options.StateFilter.Firing {
			t.Errorf("%+v leaves alerts out", options)
		}
		for _, r := range rules(t) {
			if r.Alert != "" && !strings.Contains(r.Alert, options.AlertName) {
				t.Errorf("%s isn't in the list", r.Alert)
			}
		}
	}
	if lists != 1 {
		t.Errorf("%d lists of alerts", lists)
	}
}
