package fleet

import "time"

// View is how the fleet does. What it holds isn't changed afterwards.
type View struct {
	Told  bool      // whether anybody's address is known; else all of it is empty
	At    time.Time // of the newest answers; zero while nobody was asked yet
	Since time.Time // from when on samples are kept: what is counted is counted from here
	Cut   int       // series that were left out, as there are too many

	Replicas     []Replica     // by address
	Regions      []Region      // by name
	Destinations []Destination // by name
	Asking       *Region       // the requests by which Twilio is asked what became of messages; nil if nobody says
}

// Replica is one process, or an address that doesn't lead to one.
type Replica struct {
	Address string // host:port, or the name that can't be resolved
	Up      bool   // its metrics were read
	Ready   bool
	Why     string // it isn't up, or isn't ready: in words, of one or more lines
	Version string
	Since   time.Time // from when on it is away, unready or fine
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

// Region is what the fleet does through a region now. Rates are in messages
// per second.
type Region struct {
	Name          string
	Allowed       float64
	Used          float64 // of late, by the requests that ended
	Waiting       int
	InFlight      int
	InFlightLimit int
	Breaker       Breaker
	BreakerOpen   int       // replicas whose breaker is open or half-open
	BreakerSince  time.Time // from when on it isn't closed; zero while it is
	Throttled     int       // answers of the last hour by which Twilio asked to slow down
	Senders       []Sender  // those with a rate of their own, by name
}

// Sender is a sender's rate, in segments of an SMS or messages of anything
// else per second.
type Sender struct {
	Name    string
	Allowed float64 // what the replicas hold of it together
	Wanted  float64 // what they could use
	Waiting int
}

// Destination is what is read for a destination now, and what became of it.
type Destination struct {
	Name          string
	Lag           int           // records of the source that aren't done
	LagBefore     int           // a quarter of an hour ago
	LagKnown      bool          // whether LagBefore is known
	LagAge        time.Duration // of the oldest of them
	OldestOpen    time.Duration // age of the oldest event of the source that is open
	Retrying      int           // records in the retry topics, those that aren't due yet included
	Shards        int
	Unowned       time.Time // from when on nobody owns a shard; zero while somebody does
	Stuck         int       // shards with open events and no progress
	StandingBy    int       // replicas that have another configuration than those that own the shards
	Held          []Count   // by cause
	Unwritable    time.Time // from when on some are held as a dead-letter or retry topic can't be written; zero while none is
	AccountClosed time.Time // from when on Twilio refuses its account; zero if it doesn't
	SendersClosed int
	SendersSince  time.Time
	Pending       int // accepted messages without a final status
	OldestPending time.Duration
	Windows       []Window // the last hour, day and week
	Flow          Flow
}

// Count is a number of something that has a name.
type Count struct {
	Name string
	N    int
}

// Window is what became of events in a span that ends now.
type Window struct {
	Span    time.Duration
	Since   time.Time // its begin, or that of the samples where these are younger
	Read    int       // records of the source
	Matched int       // deliveries: an event counts for each action that wants it
	Sent    int
	Retried int
	Dead    int
	Skipped []Count // by reason, the largest first; no_match is events that no action wants
	Failed  []Count // dead letters by reason
	Status  []Count // messages by status that they reached
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
