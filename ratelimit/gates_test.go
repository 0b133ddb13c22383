package ratelimit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

func TestGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := NewGates(map[string]Config{
			"us-west-2": {Rate: 100, Burst: 100, MaxInFlight: 128},
			"eu-west-1": {Rate: 50, Burst: 10, MaxInFlight: 16},
		}, Config{Rate: 10, Burst: 1, MaxInFlight: 4}, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
		gates.SetParts(func(region string) []Part {
			if region == "eu-west-1" {
				return []Part{{0, 1, forever}}
			}
			return []Part{{0, 0.5, forever}}
		}, true)
		eu := gates.Get("eu-west-1")
		gates.Get("moon") // gets the share of its region
		time.Sleep(2 * time.Second)
		want := []Snapshot{
			{Region: "eu-west-1", Breaker: Closed, Rate: 50, Home: 50, InFlightLimit: 16},
			{Region: "moon", Breaker: Closed, Rate: 5, Home: 5, InFlightLimit: 4},
			{Region: "us-west-2", Breaker: Closed, Rate: 50, Home: 50, InFlightLimit: 128},
		}
		if got := gates.Snapshots(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("snapshots\n%+v\nwant\n%+v", got, want)
		}
		gates.SetParts(func(region string) []Part {
			if region == "moon" {
				return []Part{{0.25, 0.5, forever}}
			}
			return nil
		}, true)
		for i, home := range []int{0, 3, 0} { // from 2.5 to 5 of 10: the slots 3, 4 and 5
			want[i].Rate, want[i].Home = float64(home), home
		}
		if got := gates.Snapshots(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("snapshots\n%+v\nwant\n%+v", got, want)
		}
		if again := gates.Get("eu-west-1"); again != eu {
			t.Error("a second Get gave another gate")
		}
	})
}
