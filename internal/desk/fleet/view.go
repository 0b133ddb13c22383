package fleet

import "time"

// View is how the fleet does, as the overview and /api show it. What it holds isn't
// changed afterwards.
type View struct {
	Told  bool      `json:"told"`           // whether anybody's address is known; else all of it is empty
	Since time.Time `json:"since,omitzero"` // from when on samples are kept: what is counted is counted from here
	At    time.Time `json:"at,omitzero"`    // of the newest answers; zero while nobody was asked yet

	Replicas     []Replica     `json:"replicas"` // by address
	Regions      []Region      `json:"regions"`  // by name
	Destinations []Destination `json:"waiting"`  // likewise
}

// Replica is one process, or an address that doesn't lead to one.
type Replica struct {
	Address string    `json:"address"` // host:port, or the name that can't be resolved
	Up      bool      `json:"up"`      // its metrics were read
	Ready   bool      `json:"ready"`
	Why     string    `json:"why,omitempty"` // it isn't up, or isn't ready: in words, of one or more lines
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"-"` // from when on it is away, unready or fine
}

// Breaker is the state of a region's circuit breaker, the worst of the replicas'.
type Breaker int

// Zero is no replica that says it.
const (
	BreakerClosed Breaker = iota + 1
	BreakerHalfOpen
	BreakerOpen
)

func (b Breaker) String() string { return [...]string{"unknown", "closed", "half-open", "open"}[b] }

// MarshalText has JSON say it in words.
func (b Breaker) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Region is what the fleet does through a region now. Rates are in messages
// per second.
type Region struct {
	Name          string    `json:"name"`
	Used          float64   `json:"usedPerSecond"` // of late, by the requests that ended
	Allowed       float64   `json:"allowedPerSecond"`
	Waiting       int       `json:"waiting"`
	InFlight      int       `json:"inFlight"`
	InFlightLimit int       `json:"inFlightLimit"`
	Breaker       Breaker   `json:"breaker"`
	BreakerSince  time.Time `json:"breakerSince,omitzero"` // from when on it isn't closed
	Throttled     int       `json:"throttled"`             // answers of the last hour by which Twilio asked to slow down
	Senders       []Sender  `json:"senders,omitempty"`     // those with a rate of their own, by name
}

// Sender is a sender's rate, in segments of an SMS or messages of anything
// else per second.
type Sender struct {
	Name    string  `json:"name"`
	Allowed float64 `json:"allowedPerSecond"` // what the replicas hold of it together
	Waiting int     `json:"waiting"`
}

// Destination is what is read for a destination now, and what became of it.
type Destination struct {
	Name          string        `json:"destination"`
	Lag           int           `json:"lag"` // records of the source that aren't done
	LagBefore     int           `json:"-"`   // a quarter of an hour ago
	LagKnown      bool          `json:"-"`   // whether LagBefore is known
	OldestOpen    time.Duration `json:"-"`   // age of the oldest event of the source that is open
	OldestSeconds float64       `json:"oldestOpenSeconds"`
	Retrying      int           `json:"retrying"`                    // records in the retry topics, those that aren't due yet included
	Unowned       time.Time     `json:"-"`                           // from when on nobody owns a shard; zero while somebody does
	Stuck         int           `json:"-"`                           // shards with open events and no progress
	Held          []Count       `json:"held,omitempty"`              // by cause
	Unwritable    time.Time     `json:"-"`                           // from when on some are held as a dead-letter or retry topic can't be written; zero while none is
	Pending       int           `json:"pending"`                     // messages at Twilio without a final status
	AccountClosed time.Time     `json:"accountClosedSince,omitzero"` // from when on Twilio refuses its account
	SendersClosed int           `json:"sendersClosed,omitempty"`
	SendersSince  time.Time     `json:"-"`
	Windows       Windows       `json:"-"`
	Flow          Flow          `json:"-"`
}

// Count is a number of something that has a name.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// Windows are those of the last hour, day and week, by their spans.
type Windows map[time.Duration]Window

// Window is what became of events in a span that ends now.
type Window struct {
	Since   time.Time // its begin, or that of the samples where these are younger
	Read    int       // records of the source
	Matched int       // deliveries: an event counts for each action that wants it
	Skipped []Count   // by reason, the largest first; no_match is events that no action wants
}

// Flow is what became of a destination's messages lately, for Needs. It is
// known from the replicas' metrics, or more surely from the topics.
type Flow struct {
	Destination  string
	Dead         []Count // dead letters of the last half hour, by reason
	Settled      int     // messages sent, and dead letters, of the last half hour
	Accepted     int     // messages that Twilio accepted in the half hour that ended a quarter of an hour ago
	Further      int     // messages that came further in the last half hour
	Delivered    int     // of Ended
	Ended        int     // messages that ended in the last half hour: delivered, undelivered, failed
	DayDelivered int     // of DayEnded
	DayEnded     int     // as Ended, of the last day
}
