package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"engage-worker/actions"
)

var sprintf = fmt.Sprintf

// TestDocumentation holds docs/configuration.md to the schema: every key that
// takes a value has a row, and every row is a key.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(page, -1) {
		if key := string(row[1]); !strings.HasPrefix(key, "$") {
			documented = append(documented, key)
		}
	}
	keys := slices.DeleteFunc(Keys(), func(key string) bool {
		holds := func(other string) bool { return below(other, key) }
		return slices.ContainsFunc(Keys(), holds) && !slices.Contains(documented, key)
	})
	slices.Sort(keys)
	slices.Sort(documented)
	equal(t, documented, keys)
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
	cfg, err := load("kafka: {topic: events}\ndelivery: {maxEventAge: 36h}\nregions: {eu: {rate: 0.5}}\n"+good, nil, nil)
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
	want.Destinations[0].Actions[0].Trigger = actions.DefaultTrigger
	equal(t, again, &want)

	var document yaml.Node
	if err := yaml.Unmarshal([]byte(out.String()), &document); err != nil {
		t.Fatal(err)
	}
	printed := printedKeys(document.Content[0], "")
	equal(t, printed, Keys())
	if !strings.HasSuffix(out.String(), `
# Topics and consumer groups that follow from this
#   source          events
#   dead letters    events.dlq
# onboarding
#   consumer group  engage-worker.onboarding
#   retry           events.onboarding.retry.30s
#   retry           events.onboarding.retry.5m
#   retry           events.onboarding.retry.30m
#   ledger          events.onboarding.ledger
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
		if path == "regions" {
			key = "<name>"
		}
		key = child(path, key)
		if path != "regions" {
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
