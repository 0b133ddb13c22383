package lookup

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what an answer may ask for; no documented limit of
// Twilio's or Segment's lasts longer.
const maxRetryAfter = time.Hour

// RetryAfter reads the Retry-After header: seconds, or an HTTP date, which is
// measured against the answer's own Date where it has one, so that the two
// clocks needn't agree, and against now otherwise. It is never negative and at
// most an hour; 0 means that nothing was asked for.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) { // NaN too
			return 0
		}
		if seconds > maxRetryAfter.Seconds() {
			return maxRetryAfter
		}
		return time.Duration(seconds * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
