package actions

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions/twilio"
)

// Options are what a Destination needs from its process.
type Options struct {
	HTTP   *http.Client                                          // nil: a tuned client of its own
	Log    zerolog.Logger                                        // failures of look-ups, at debug
	Now    func() time.Time                                      // nil: time.Now
	Region func(region string) (twilioRegion, twilioEdge string) // nil: neither
}

// Destination is one set of settings with its compiled actions. It is safe
// for concurrent use.
type Destination struct{}

// New compiles a definition. With faults, the Destination is nil.
func New(def Definition, opts Options) (*Destination, []Fault) { panic("skeleton") }

// Close releases idle connections.
func (d *Destination) Close() {}

// Name is the destination's.
func (d *Destination) Name() string { return "" }

// Actions are the actions' names, in the order of configuration: a Matches
// bit i is the action i.
func (d *Destination) Actions() []string { return nil }

// Regions are the regions that deliveries may name as far as the definition
// tells: the settings' and those that mappings fix. Dynamic is true when a
// mapping computes a region from the event.
func (d *Destination) Regions() (names []string, dynamic bool) { return nil, false }

// Match is what triggers said of one value.
type Match struct {
	Actions   uint64 // bit i: action i wants the event
	Malformed error  // why the value is no JSON object, or nil; Actions is 0 then
	Tombstone bool   // a null or empty value... see Match
}

// Match asks each action's trigger about value, the raw bytes of an event.
// It neither decodes nor keeps value and allocates nothing. A nil value is a
// tombstone; an empty one is malformed.
func (d *Destination) Match(value []byte) Match { return Match{} }

// Event is a decoded event. It is immutable and may be prepared for several
// actions, concurrently.
type Event struct{}

// Decode decodes value once for all the actions that want it. value must not
// change afterwards.
func (d *Destination) Decode(value []byte) (*Event, error) { return nil, nil }

// MessageID is the event's messageId, or "".
func (e *Event) MessageID() string { return "" }

// UserID is the event's userId, or "".
func (e *Event) UserID() string { return "" }

// Prepare decides the delivery of ev under action i. It may look up a
// profile or a content template; ctx bounds that. It never sends.
func (d *Destination) Prepare(ctx context.Context, ev *Event, action int) Delivery {
	return Delivery{}
}

// Send makes one attempt at sending m: one request, no retry.
func (d *Destination) Send(ctx context.Context, m *twilio.Message) twilio.Result {
	return twilio.Result{}
}

// Find lists what Twilio accepted for m's recipient and sender since the
// given time (Twilio's clock), oldest first, over all pages.
func (d *Destination) Find(ctx context.Context, m *twilio.Message, since time.Time) ([]twilio.Candidate, error) {
	return nil, nil
}
