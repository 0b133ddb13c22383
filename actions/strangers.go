package actions

import (
	"strings"
	"sync"
	"time"

	"engage-worker/actions/twilio"
)

const (
	strangersEvery = time.Minute // between two lines of the log
	strangerShown  = 64          // bytes of a region's name in a line
)

// strangers counts the events that name a region which the configuration
// doesn't, and says so in the log once a minute. It is safe for concurrent use.
type strangers struct {
	mu    sync.Mutex
	said  time.Time
	since int // events since then
}

// met takes in an event's region.
func (s *strangers) met(d *Destination, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since++
	if now := time.Now(); s.said.IsZero() || now.Sub(s.said) >= strangersEvery {
		d.log.Warn().Str("destination", d.name).Str("named", strangerName(region)).Str("region", d.region).Int("events", s.since).
			Msg("events name a region that the configuration doesn't: they go through the destination's own")
		s.said, s.since = now, 0
	}
}

// strangerName is a region's name as the log may show it: an event may have put
// anything there, a phone number too.
func strangerName(region string) string {
	if len(region) > strangerShown {
		region = strings.ToValidUTF8(region[:strangerShown], "")
	}
	digits := 0
	for _, r := range region {
		if r >= '0' && r <= '9' || r > 127 {
			digits++
		}
	}
	if digits >= 5 {
		return twilio.Mask(region)
	}
	return region
}
