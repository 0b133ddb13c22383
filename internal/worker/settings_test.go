package worker

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"engage-worker/actions"
	"engage-worker/internal/config"
)

// TestSettingsReachTheGroup: each field of a group's configuration is set where
// the settings are, but for what New takes from the destination.
func TestSettingsReachTheGroup(t *testing.T) {
	t.Setenv(withoutLedger, "1")
	cfg := config.Default()
	cfg.Kafka.Brokers, cfg.Kafka.StartOffset = []string{"localhost:9092"}, config.StartEarliest
	cfg.Delivery.UnknownOutcome = config.UnknownResend
	cfg.Ledger = config.Ledger{Retention: 3 * 24 * time.Hour, Adopt: "former"}
	cfg.Destinations = []config.Destination{{Definition: actions.Definition{Name: "onboarding"}}}
	got := groupConfig(cfg, "onboarding")
	if got.LedgerRetention != cfg.Ledger.Retention || got.MaxEventAge != cfg.Delivery.MaxEventAge || got.StatusSweepAfter != cfg.Status.SweepAfter {
		t.Errorf("%+v", got)
	}
	fields := reflect.ValueOf(got)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if ofDestination := slices.Contains([]string{"Changed", "Fingerprint", "FormerNames"}, name); fields.Field(i).IsZero() != ofDestination {
			t.Errorf("%s is %v", name, fields.Field(i))
		}
	}
}
