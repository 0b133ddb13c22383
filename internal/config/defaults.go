package config

import (
	"time"

	"engage-worker/actions"
)

// Default is the configuration of an empty file: everything that has a
// default, no destination.
func Default() *Config {
	return &Config{
		Kafka: Kafka{
			Brokers:        []string{"localhost:9092"},
			Topic:          "audience-events",
			GroupPrefix:    "engage-worker",
			StartOffset:    StartLatest,
			SessionTimeout: 10 * time.Second,
			CommitInterval: time.Second,
		},
		HTTP:            HTTP{Listen: ":8080"},
		Log:             Log{Level: "info", Format: LogJSON},
		ShutdownTimeout: 20 * time.Second,
		Delivery: Delivery{
			MaxEventAge:    24 * time.Hour,
			Attempts:       3,
			Backoff:        Backoff{Initial: 200 * time.Millisecond, Max: 10 * time.Second},
			RequestTimeout: 30 * time.Second,
			UnknownOutcome: UnknownDeadLetter,
			MaxUncommitted: 10000,
		},
		Regions: map[string]Region{},
	}
}

func defaultRegion() Region {
	const rate = 100
	return Region{
		Rate:        rate,
		Burst:       defaultBurst(rate),
		MaxInFlight: 128,
		Breaker: Breaker{
			FailureRatio:     0.5,
			MinRequests:      20,
			OpenFor:          30 * time.Second,
			HalfOpenRequests: 5,
		},
	}
}

// defaultBurst is a second's messages: the rate holds in every second anyway.
func defaultBurst(rate float64) int { return max(1, int(rate)) }

// defaultSettings are the hosted destination's.
func defaultSettings() actions.Settings {
	return actions.Settings{
		ConnectionOverrides: "rp=all&rc=5",
		Region:              "us-west-2",
	}
}
