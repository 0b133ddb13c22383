package ratelimit

import (
	"fmt"
	"time"
)

// Purpose is what a message is for.
type Purpose uint8

const (
	// Marketing waits for Transactional, but for one message in ten.
	Marketing Purpose = iota + 1
	// Transactional goes first.
	Transactional
)

func (p Purpose) String() string {
	return [...]string{"", "marketing", "transactional"}[p]
}

// Request is what a permit is asked for.
type Request struct {
	// Flow is who sends, an action of a destination: the flows that wait take
	// turns, whatever the length of their queues. Purpose is Marketing or
	// Transactional, the same for all of a flow.
	Flow    string
	Purpose Purpose

	// Sender is one of Config.Senders, or anything else for a message that
	// counts for no sender. Uses is asked how much of the sender's rate the
	// message takes, at least 1, if the sender has one.
	Sender string
	Uses   func() int

	// Patience, if it isn't 0, is how long the message waits for its sender's
	// rate: where others wait there that will take longer, it is refused at
	// once with a *BusyError.
	Patience time.Duration
}

// BusyError says that a sender has more to send than fits into the caller's
// patience.
type BusyError struct {
	Region, Sender string
	Wait           time.Duration // at least
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("the sender %s of region %s has messages waiting for %v", e.Sender, e.Region, e.Wait.Round(time.Second))
}
