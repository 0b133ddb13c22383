package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timePoint is an option's point in time.
type timePoint struct {
	time.Time
	text string // as given
}

// UnmarshalText is how kong reads it.
func (p *timePoint) UnmarshalText(text []byte) error {
	p.text = string(text)
	return p.in(time.UTC)
}

// in reads the time where that is told by no zone of its own.
func (p *timePoint) in(where *time.Location) (err error) {
	if p.text != "" {
		p.Time, err = parseTimePoint(p.text, time.Now(), where)
	}
	return err
}

// zone is an option's time zone; the zero value is UTC.
type zone struct{ location *time.Location }

// UnmarshalText is how kong reads it.
func (z *zone) UnmarshalText(text []byte) (err error) {
	name := string(text)
	if strings.EqualFold(name, "local") {
		name = "Local"
	}
	if z.location, err = time.LoadLocation(name); err != nil {
		return fmt.Errorf("%q is no time zone: write UTC, local, or a name as Europe/Berlin", name)
	}
	return nil
}

func (z zone) in() *time.Location {
	if z.location == nil {
		return time.UTC
	}
	return z.location
}

func (z zone) String() string { return z.in().String() }

// shown is how times are shown: to the second.
func (z zone) shown(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(z.in()).Format(time.DateTime)
}

// parseTimePoint reads a time ago (90s, 24h, 7d, 2w), a date, or a time with
// or without a zone; without one it is where's.
func parseTimePoint(s string, now time.Time, where *time.Location) (time.Time, error) {
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

// shown is how times are shown: UTC, to the second.
func shown(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// stamp is how times are written for programs: RFC 3339, to the millisecond.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
