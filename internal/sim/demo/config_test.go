package demo

import "testing"

// TestNoWarning: what the demo runs with gives none.
func TestNoWarning(t *testing.T) {
	sim, vendors, err := startVendors(Options{}, newTally(kept))
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	cfg, err := configure(t.TempDir(), []string{"127.0.0.1:9092"}, vendors, 100)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := cfg.Warnings(); warnings != nil {
		t.Error(warnings)
	}
}
