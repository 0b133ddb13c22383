package delivery

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions/outcome"
)

const (
	// keptSkips is how many of the last skips are kept for each reason.
	keptSkips = 10

	// saySkips is how often the log tells of skips for one reason.
	saySkips = time.Second
)

// Skip is an event that an action's trigger wanted and that wasn't sent.
type Skip struct {
	Time      time.Time `json:"time"` // of the decision
	Action    string    `json:"action"`
	MessageID string    `json:"messageId"`
	Topic     string    `json:"topic"` // where the event is in the source, also after retries
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Other     string    `json:"other,omitempty"` // where the event is whose message was sent under the same messageId
}

// Skips are a destination's last skips, of which the log has samples. It is
// safe for concurrent use.
type Skips struct {
	log zerolog.Logger

	mu       sync.Mutex
	byReason map[outcome.Reason]*skipped // guarded by mu
}

// skipped are those for one reason.
type skipped struct {
	last   []Skip // the oldest first
	said   time.Time
	unsaid int
}

// NewSkips makes the Skips of a destination, which all its shards share.
func NewSkips(log zerolog.Logger) *Skips {
	return &Skips{log: log, byReason: map[outcome.Reason]*skipped{}}
}

// Last returns the last skips by reason, the oldest first.
func (s *Skips) Last() map[string][]Skip {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]Skip{}
	for reason, of := range s.byReason {
		all[reason.String()] = append([]Skip(nil), of.last...)
	}
	return all
}

// add keeps a skip, and tells of it unless that was just done for its reason.
func (s *Skips) add(reason outcome.Reason, skip Skip) {
	s.mu.Lock()
	of := s.byReason[reason]
	if of == nil {
		of = &skipped{}
		s.byReason[reason] = of
	}
	if len(of.last) == keptSkips {
		of.last = append(of.last[:0], of.last[1:]...)
	}
	of.last = append(of.last, skip)
	of.unsaid++
	say := skip.Time.Sub(of.said) >= saySkips
	n := of.unsaid
	if say {
		of.said, of.unsaid = skip.Time, 0
	}
	s.mu.Unlock()
	if !say {
		return
	}
	event := s.log.Info()
	message := "a matching event isn't sent"
	switch reason {
	case outcome.ReasonNoRecipient, outcome.ReasonInvalidSubscriptionStatus:
		event = s.log.Warn() // the events aren't as the mapping wants them
	case outcome.ReasonDuplicateDiffers:
		event = s.log.Warn().Str("other", skip.Other)
		message = "a matching event isn't sent: its messageId was another event's, whose message, for another recipient or with another text, was sent"
	}
	event.Str("reason", reason.String()).Str("action", skip.Action).Str("messageId", skip.MessageID).Str("topic", skip.Topic).
		Int("partition", skip.Partition).Int64("offset", skip.Offset).Int("skipped", n).Msg(message)
}
