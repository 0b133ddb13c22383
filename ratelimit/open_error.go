package ratelimit

import (
	"fmt"
	"time"
)

// OpenError says that a region's circuit breaker lets nothing through now.
type OpenError struct {
	Region string
	// RetryAfter is how long the caller should hold before it asks again;
	// always positive.
	RetryAfter time.Duration
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("circuit breaker of region %q is open: ask again in %v", e.Region, e.RetryAfter.Round(time.Millisecond))
}
