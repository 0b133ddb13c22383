package kafka

import (
	"context"
	"time"
)

// TB is what Start uses of a testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// startTime is how long a start may take: the first one fetches the jars.
const startTime = 5 * time.Minute

// Start runs a cluster for the time of one test, or fails it; it never skips
// it. A test that fails shows the ends of the brokers' logs.
func Start(tb TB, opts Options) *Cluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c, err := Run(ctx, opts)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, n := range c.Nodes {
				tb.Logf("end of the log of broker %d:\n%s", n.ID, n.LogTail())
			}
		}
		if err := c.Close(); err != nil {
			tb.Errorf("end Kafka: %v", err)
		}
	})
	return c
}
