package deploy

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// make rules passes these.
var (
	write    = flag.Bool("write", false, "write deploy/prometheus/prometheusrule.yaml anew")
	runbooks = flag.String("runbooks", "", "with -write: where docs/operations.md is published, for runbook_url")
)

const (
	rulesFile  = "deploy/prometheus/rules.yml"
	ruleObject = "deploy/prometheus/prometheusrule.yaml"
)

// naming are the other files that name the page.
var naming = []string{"deploy/prometheus/rules_test.yml", "deploy/helm/engage-worker/values.yaml", "deploy/helm/engage-worker/templates/objects.yaml"}

// runbook is a runbook_url; its group is where the page is published.
var runbook = regexp.MustCompile(`\b(https://[^\s"#]+)#engage`)

// The operator's object holds the rules that Prometheus reads in compose, and
// all of them name one page, as the chart does.
func TestPrometheusRule(t *testing.T) {
	text := readText(t, rulesFile)
	base := runbook.FindStringSubmatch(text)[1]
	if *write && *runbooks != "" {
		for _, path := range append(naming, rulesFile) {
			writeText(t, path, strings.ReplaceAll(readText(t, path), base, *runbooks))
		}
		base, text = *runbooks, readText(t, rulesFile)
	}
	var object strings.Builder
	object.WriteString("# Made of rules.yml by make rules; change that.\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: engage-worker\nspec:\n")
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		object.WriteString(line)
	}
	if *write {
		writeText(t, ruleObject, object.String())
	}
	if readText(t, ruleObject) != object.String() {
		t.Errorf("%s isn't what %s makes: make rules", ruleObject, rulesFile)
	}
	for _, m := range runbook.FindAllStringSubmatch(text, -1) {
		if m[1] != base {
			t.Errorf("%s names %s and %s", rulesFile, base, m[1])
		}
	}
	for _, path := range naming {
		if !strings.Contains(readText(t, path), base) {
			t.Errorf("%s doesn't name %s", path, base)
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
