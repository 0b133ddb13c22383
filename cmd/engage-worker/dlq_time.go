package main

import (
	"time"

	"engage-worker/internal/letters"
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
		p.Time, err = letters.ParseTime(p.text, time.Now(), where)
	}
	return err
}

// zone is an option's time zone; the zero value is UTC.
type zone struct{ location *time.Location }

// UnmarshalText is how kong reads it.
func (z *zone) UnmarshalText(text []byte) (err error) {
	z.location, err = letters.ParseZone(string(text))
	return err
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

// shown is how times are shown: UTC, to the second.
func shown(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
