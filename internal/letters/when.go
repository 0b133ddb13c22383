package letters

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Zone is a time zone that may be given as text; the zero value is UTC.
type Zone struct{ location *time.Location }

// UnmarshalText is ParseZone.
func (z *Zone) UnmarshalText(text []byte) (err error) {
	z.location, err = ParseZone(string(text))
	return err
}

// Location is the zone, never nil.
func (z Zone) Location() *time.Location {
	if z.location == nil {
		return time.UTC
	}
	return z.location
}

func (z Zone) String() string { return z.Location().String() }

// Shown is how times are shown to people: to the second, "" for none.
func (z Zone) Shown(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(z.Location()).Format(time.DateTime)
}

// ParseZone reads a time zone: UTC, local, or a name as Europe/Berlin.
func ParseZone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "local") {
		name = "Local"
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: write UTC, local, or a name as Europe/Berlin", name)
	}
	return zone, nil
}

// ParseTime reads a time ago (90s, 24h, 7d, 2w), a date, or a time with or
// without a zone; without one it is where's.
func ParseTime(s string, now time.Time, where *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, where); err == nil {
			return t.UTC(), nil
		}
	}
	if ago, ok := parseAgo(s); ok {
		return now.Add(-ago).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 24h, 7d, 2026-03-01, or 2026-03-01T10:00:00Z", s)
}

// parseAgo reads a duration above 0, in Go's units or in days or weeks.
func parseAgo(s string) (time.Duration, bool) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.Atoi(digits)
			return time.Duration(n) * length, err == nil && n > 0 && n <= 3650
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}
