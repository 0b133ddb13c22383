package demo

import "testing"

// TestNoWarning: what the demo runs with gives none.
func TestNoWarning(t *testing.T) {
	vendors := map[string]string{}
	for _, d := range destinations {
		vendors[d.name] = "http://127.0.0.1:8081"
	}
	cfg, err := configure(t.TempDir(), []string{"127.0.0.1:9092"}, vendors, 100)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := cfg.Warnings(); warnings != nil {
		t.Error(warnings)
	}
}
