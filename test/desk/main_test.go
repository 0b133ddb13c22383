// Package desk looks at the desk's pages in a real browser: on the embedded
// broker, or on real Apache Kafka with ENGAGE_TEST_BROKER=kafka. It needs
// Chromium and axe-core (make install-deps), so it runs where it is asked for,
// by make test-desk, and there nothing of it may be skipped.
package desk

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"engage-worker/test/kafka"
)

// browser is the one of this run, nil where none is asked for. Each test has a
// tab of its own.
var browser context.Context

// clusterBrokers are those of a real Kafka, or nil: then each test has a broker of
// its own in this process.
var clusterBrokers []string

// wanted skips where nobody asked for a browser: make test needs Go alone.
func wanted(t *testing.T) {
	t.Helper()
	if browser == nil {
		t.Skip("needs ENGAGE_TEST_BROWSER=1 (make test-desk)")
	}
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv("ENGAGE_TEST_BROWSER") == "" {
			return m.Run()
		}
		path, err := findBrowser()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		var stop func()
		if browser, stop, err = startBrowser(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if os.Getenv("ENGAGE_TEST_BROKER") == "kafka" {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			cluster, err := kafka.Run(ctx, kafka.Options{})
			if err != nil {
				fmt.Fprintln(os.Stderr, "start Apache Kafka:", err)
				return 1
			}
			defer cluster.Close()
			clusterBrokers = cluster.Brokers()
		}
		code := m.Run()
		stop()
		if clusterBrokers != nil {
			return code
		}
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}
