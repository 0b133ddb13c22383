package ratelimit

import "time"

// Config is a region's.
type Config struct {
	// Rate is in messages per second, for the whole fleet. Zero or less
	// lets nothing through.
	Rate float64
	// Burst is how many messages of the fleet may leave at the same instant
	// after the region was idle, within the rate of that second. A replica
	// takes its share of it, at least 1.
	Burst int
	// MaxInFlight is how many requests one replica may have in flight, at
	// least 1.
	MaxInFlight int
	Breaker     BreakerConfig
	// Senders are those that have a rate of their own, by what Request.Sender
	// says of them.
	Senders map[string]SenderRate
}

// BreakerConfig is a region's circuit breaker.
type BreakerConfig struct {
	// FailureRatio of the requests that ended within the last 10 s opens
	// the breaker, once there were MinRequests of them. MinRequests faults
	// in a row open it as well, however slowly they came.
	FailureRatio float64
	MinRequests  uint32
	// OpenFor is how long an open breaker refuses everything.
	OpenFor time.Duration
	// HalfOpenRequests is how many probes are let through then. The
	// breaker closes when all of them succeeded and opens at the first fault.
	HalfOpenRequests uint32
}
