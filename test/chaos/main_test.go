package main

import (
	"io"
	"slices"
	"testing"
	"time"
)

// at is a moment of the made-up histories.
func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

func TestChoose(t *testing.T) {
	all := scenarios()
	names := func(o options) (names []string) {
		chosen, err := choose(all, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range chosen {
			names = append(names, s.name)
		}
		return names
	}
	if got := names(options{Broker: "embedded", Short: true}); !slices.Contains(got, "kills-short") || !slices.Contains(got, "unsafe-kills") || slices.Contains(got, "kills") {
		t.Errorf("the short form is %v", got)
	}
	if got := names(options{Broker: "embedded"}); slices.Contains(got, "kills-short") || !slices.Contains(got, "kills") || slices.Contains(got, "real-kills") {
		t.Errorf("the full form is %v", got)
	}
	if got := names(options{Broker: "kafka"}); !slices.Contains(got, "real-kills") || slices.Contains(got, "kills") {
		t.Errorf("on Kafka it is %v", got)
	}
	if got := names(options{Broker: "embedded", Scenario: "network,kills"}); !slices.Equal(got, []string{"network", "kills"}) {
		t.Errorf("chosen by name: %v", got)
	}
	for _, args := range [][]string{{"--scenario", "nonsense"}, {"--broker", "rabbit"}, {"--nonsense"}} {
		if code := command(args, io.Discard); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
