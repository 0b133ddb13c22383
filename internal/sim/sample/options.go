package sample

import (
	"math"
	"time"
)

// Options say what a Generator makes. The shares are parts of all events,
// from 0 to 1; what they leave is an event that both triggers and people
// want: an "Audience Entered" of a subscribed user with a working number.
// Shares that add up to more than 1 are scaled down. The zero value makes
// nothing but such events.
type Options struct {
	Users    int           // how many distinct ones; 0 means 10,000, more than MaxUsers means MaxUsers
	Audience string        // the audience's key; "" means high_value
	Start    time.Time     // the first event's timestamp; zero means 2026-01-05 09:00 UTC
	Interval time.Duration // from one event's timestamp to the next; 0 means 10 ms
	Europe   float64       // share of the users, not of the events, whose region is eu-west-1

	Exited        float64 // "Audience Exited"
	Unwanted      float64 // pages and identifies, which the default trigger doesn't want
	Unsubscribed  float64 // the recipient has unsubscribed
	InvalidStatus float64 // the subscription's status is no known word
	NoRecipient   float64 // no phone number at all
	WhatsApp      float64 // the number takes WhatsApp only
	BadNumber     float64 // Twilio's magic numbers that can't be reached
	OptedOut      float64 // Twilio's magic number that has replied STOP
	Malformed     float64 // not a JSON object
}

// Mix is what an ordinary topic may hold: mostly what can be sent, and some
// of everything else.
func Mix() Options {
	return Options{
		Europe:        0.35,
		Exited:        0.08,
		Unwanted:      0.06,
		Unsubscribed:  0.05,
		InvalidStatus: 0.005,
		NoRecipient:   0.02,
		WhatsApp:      0.04,
		BadNumber:     0.01,
		OptedOut:      0.01,
		Malformed:     0.005,
	}
}

func (o Options) withDefaults() Options {
	if o.Users <= 0 {
		o.Users = 10_000
	}
	o.Users = min(o.Users, MaxUsers)
	if o.Audience == "" {
		o.Audience = "high_value"
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)
	}
	if o.Interval <= 0 {
		o.Interval = 10 * time.Millisecond
	}
	return o
}

// share is a kind of event with its part of all events.
type share struct {
	kind Kind
	part float64
}

// shares are in a fixed order, so that a seed always draws the same.
func (o Options) shares() []share {
	all := []share{
		{Exited, o.Exited},
		{Unwanted, o.Unwanted},
		{Unsubscribed, o.Unsubscribed},
		{InvalidStatus, o.InvalidStatus},
		{NoRecipient, o.NoRecipient},
		{WhatsApp, o.WhatsApp},
		{BadNumber, o.BadNumber},
		{OptedOut, o.OptedOut},
		{Malformed, o.Malformed},
	}
	sum := 0.0
	for i := range all {
		if !(all[i].part > 0) { // also not a number
			all[i].part = 0
		}
		all[i].part = min(all[i].part, math.MaxFloat32)
		sum += all[i].part
	}
	for i := range all {
		all[i].part /= max(sum, 1)
	}
	return all
}
