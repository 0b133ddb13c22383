package config

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"engage-worker/internal/config/form"
)

var sprintf = fmt.Sprintf

// update writes what is generated: go test ./internal/config -update
var update = flag.Bool("update", false, "write the tables of docs/configuration.md and docs/engage.schema.json")

// TestDocumentation holds the tables of docs/configuration.md to the keys. The
// heading of a table names the keys at the top that it is about.
func TestDocumentation(t *testing.T) {
	const path, header = "../../docs/configuration.md", "| key | type | default | meaning |\n|---|---|---|---|\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, sections, found := strings.Cut(string(page), "\n## Keys\n")
	if !found {
		t.Fatal("there are no keys")
	}
	var out strings.Builder
	out.WriteString(text)
	for i, section := range strings.Split(sections, "\n### ") {
		if i == 0 {
			out.WriteString("\n## Keys\n" + section)
			continue
		}
		heading, rest, _ := strings.Cut(section, "\n")
		before, table, found := strings.Cut(rest, header)
		if !found {
			t.Fatalf("there is no table below %q", heading)
		}
		for strings.HasPrefix(table, "|") {
			_, table, _ = strings.Cut(table, "\n")
		}
		out.WriteString("\n### " + heading + "\n" + before + header)
		for _, k := range documented() {
			if top, _, _ := strings.Cut(strings.ReplaceAll(k.Path, "[]", "."), "."); slices.Contains(strings.Split(heading, ", "), top) {
				fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", k.Path, k.Takes, k.Default, k.Meaning)
			}
		}
		out.WriteString(table)
	}
	golden(t, path, out.String())
	for _, k := range documented() {
		if !strings.Contains(out.String(), "| `"+k.Path+"` |") {
			t.Errorf("%s has no row: give its key at the top a heading", k.Path)
		}
	}
}

// documented are the keys that have a row: those that take a value, and those
// with words of their own.
func documented() []form.Documented {
	return slices.DeleteFunc(Keys(), func(k form.Documented) bool { return k.HasBelow && k.Meaning == "" })
}

// golden compares a generated file, or writes it.
func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s isn't as generated (%v); go test ./internal/config -update writes it", path, err)
	}
}

var exampleVariables = map[string]string{
	"TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000", "TWILIO_API_KEY_SID": "SK00000000000000000000000000000000",
	"TWILIO_API_KEY_SECRET": "secret", "PROFILE_API_TOKEN": "token", "SPACE_ID": "spa_1", "SOURCE_ID": "src_1",
}

// TestExample loads the sample configuration as a user would, compiled.
func TestExample(t *testing.T) {
	for name, value := range exampleVariables {
		t.Setenv(name, value)
	}
	cfg, err := Load("../../docs/engage.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default() // as the sample says of itself
	want.Regions = map[string]Region{"us-west-2": defaultRegion(), "eu-west-1": {
		Rate: 50, Burst: 50, MaxInFlight: 128, Breaker: defaultRegion().Breaker, TwilioRegion: "ie1", TwilioEdge: "dublin",
	}}
	got := *cfg
	got.Destinations, got.file, got.mapped, got.veiled = nil, "", nil, nil
	equal(t, &got, want)
	equal(t, len(cfg.Destinations[0].Actions), 2)
}

// TestReadme loads the configuration that the README shows, compiled.
func TestReadme(t *testing.T) {
	for name, value := range exampleVariables {
		t.Setenv(name, value)
	}
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	sample, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("README.md shows no configuration")
	}
	path := t.TempDir() + "/engage.yaml"
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, cfg.RegionNames(), []string{"us-west-2"})
	equal(t, len(cfg.Destinations[0].Actions), 1)
}

// TestPrintIsAConfiguration prints one with everything and reads it again.
func TestPrintIsAConfiguration(t *testing.T) {
	cfg, err := load("kafka: {topic: events}\ndelivery: {maxEventAge: 36h}\nregions: {eu: {rate: 0.5, senders: {\"+15005550006\": {rate: 1}}}}\n"+strings.Replace(good, "settings: {}", "settings: {former: [{from: MG0}]}", 1), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := cfg.Print(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(out.String(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := *cfg
	want.Kafka.DeadLetter = "events.dlq"
	want.Regions = map[string]Region{"eu": cfg.Regions["eu"], "us-west-2": defaultRegion()}
	// Of a region without an entry, which print gives it; of a sender that
	// nobody sends from.
	want.warnings, again.warnings = nil, nil
	equal(t, again, &want)

	var document yaml.Node
	if err := yaml.Unmarshal([]byte(out.String()), &document); err != nil {
		t.Fatal(err)
	}
	printed := printedKeys(document.Content[0], "")
	var keys []string
	for _, k := range Keys() {
		keys = append(keys, k.Path)
	}
	equal(t, printed, keys)
	if !strings.HasSuffix(out.String(), `
# Topics and consumer groups that follow from this
#   source          events
#   dead letters    events.dlq
#   rates           events.rates
# onboarding
#   consumer group  engage-worker.onboarding
#   retry           events.onboarding.retry.30s
#   retry           events.onboarding.retry.5m
#   retry           events.onboarding.retry.30m
#   ledger          events.onboarding.ledger
#   status          events.onboarding.status
`) {
		t.Error(out.String())
	}
}

// printedKeys are the paths in n in the notation of Keys, each once.
func printedKeys(n *yaml.Node, path string) []string {
	var keys []string
	add := func(more ...string) {
		for _, key := range more {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		named := path == "regions" || strings.HasSuffix(path, ".senders")
		if named {
			key = "<name>"
		}
		key = form.Child(path, key)
		if !named {
			add(key)
		}
		if !strings.HasSuffix(key, ".mapping") {
			add(printedKeys(n.Content[i+1], key)...)
		}
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			add(printedKeys(item, path+"[]")...)
		}
	}
	return keys
}
