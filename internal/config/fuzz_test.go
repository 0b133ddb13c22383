package config

import (
	"errors"
	"os"
	"strings"
	"testing"

	"engage-worker/actions"
)

// FuzzLoad: whatever the file, there is a configuration or there are faults,
// each on one line; what a reference or a secret holds is in none of them.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../../docs/engage.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(good)
	f.Add("kafka: {topic: \"${SECRET}\", sessionTimeout: \"${SECRET}\", brokers: [\"${SECRET}\"]}\n" + good)
	f.Add("a: &a [*a]\n<<: *a\n? [b]\n: c\n")
	f.Add("http: {token: ${SECRET}}\n--- !x\n\tb: |\n  c")
	f.Add("regions: {<<: {a: {rate: 1e400}}, b: 0x1F, c: 0o9, d: -.inf}")
	const hidden = "Zq9-hidden/value"
	quoting := func(def actions.Definition, _ actions.Options) []actions.Fault {
		faults := []actions.Fault{{Path: "settings.twilioApiKeySecret", Message: def.Settings.TwilioAPIKeySecret}, {Path: "x[", Message: "x"}}
		for i, a := range def.Actions {
			faults = append(faults, actions.Fault{Path: sprintf("actions[%d].mapping.body", i), Message: sprintf("%v %q", a.Mapping["body"], a.Trigger)})
		}
		return faults
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "hidden") {
			t.Skip()
		}
		cfg, err := load(text, map[string]string{"SECRET": hidden}, quoting)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("%v with %v", cfg, err)
		}
		if err == nil {
			var out strings.Builder
			if err := cfg.Print(&out); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), hidden) {
				t.Fatal(out.String())
			}
			return
		}
		var list *Faults
		if !errors.As(err, &list) || len(list.List) == 0 {
			t.Fatalf("not a *Faults with faults: %T", err)
		}
		if strings.Contains(err.Error(), hidden) {
			t.Fatal(err)
		}
	})
}
