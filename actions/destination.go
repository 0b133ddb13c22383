package actions

import (
	"context"
	"maps"
	"net/http"
	"slices"
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
	// Regions are those that an event may choose where a mapping computes the
	// region, beside those that the definition names.
	Regions []string
	// Lookup, which may be nil, is told of each look-up: kind is "profile" or
	// "content", result "ok", "hit", "merged" or "error".
	Lookup func(kind, result string)
}

// Destination is one set of settings with its compiled actions. It is safe
// for concurrent use.
type Destination struct {
	name     string
	region   string // the settings', or the default
	actions  []*action
	triggers []sharedTrigger
	callback *callback // nil without a webhook

	settings     Settings
	twilioRegion func(region string) (twilioRegion, twilioEdge string)
	endpoints    map[string]endpoints // of the regions that deliveries may go through
	strangers    strangers            // regions that events name and nothing else does

	http   *http.Client
	twilio *twilio.Client
	former []former // accesses

	fingerprint uint64

	log zerolog.Logger
}

// endpoints are Twilio's for one region.
type endpoints struct {
	api     string // scheme://host[:port]
	content string
}

// DefaultRegion is the hosted destination's.
const DefaultRegion = "us-west-2"

// MaxActions is how many actions fit into Match.Actions.
const MaxActions = 64

// Close releases idle connections.
func (d *Destination) Close() { d.http.CloseIdleConnections() }

// Name is the destination's.
func (d *Destination) Name() string { return d.name }

// Actions are the actions' names, in the order of configuration: a Matches
// bit i is the action i.
func (d *Destination) Actions() []string {
	names := make([]string, len(d.actions))
	for i, a := range d.actions {
		names[i] = a.name
	}
	return names
}

// FormerNames are what each of the actions was called before.
func (d *Destination) FormerNames() [][]string {
	names := make([][]string, len(d.actions))
	for i, a := range d.actions {
		names[i] = a.formerNames
	}
	return names
}

// Disabled reports whether action i is switched off.
func (d *Destination) Disabled(i int) bool { return d.actions[i].disabled }

// Regions are those that deliveries may go through, sorted: the settings',
// those that mappings fix and, where a mapping computes one from the event,
// those of Options.
func (d *Destination) Regions() []string { return slices.Sorted(maps.Keys(d.endpoints)) }

// SeveralSenders reports whether the actions send from more than one sender, as
// far as the mappings say: one that takes the sender from the event may.
func (d *Destination) SeveralSenders() bool {
	type sender struct{ number, service, messenger string }
	senders := map[sender]bool{}
	for _, a := range d.actions {
		if a.isDynamic(fieldFrom) || a.isDynamic(fieldService) || a.isDynamic(fieldFromMessenger) {
			return true
		}
		senders[sender{a.static.from, a.static.message.service, a.static.message.fromMessenger}] = true
	}
	return len(senders) > 1
}

// Hosts are those of Twilio's API that deliveries may go to, as
// scheme://host[:port], sorted.
func (d *Destination) Hosts() []string {
	hosts := map[string]bool{}
	for _, e := range d.endpoints {
		hosts[e.api] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}

// newEndpoints are the hosts of a region.
func (d *Destination) newEndpoints(region string) (e endpoints, err error) {
	var twilioRegion, twilioEdge string
	if d.twilioRegion != nil {
		twilioRegion, twilioEdge = d.twilioRegion(region)
	}
	if e.api, err = twilio.BaseURL(d.settings.TwilioHostname, twilioRegion, twilioEdge, "api"); err != nil {
		return endpoints{}, err
	}
	e.content, err = twilio.BaseURL(d.settings.ContentHostname, twilioRegion, twilioEdge, "content")
	return e, err
}

// Send makes one attempt at sending m: one request, no retry.
func (d *Destination) Send(ctx context.Context, m *twilio.Message, leave func() error) twilio.Result {
	return d.twilio.Send(ctx, m, leave)
}

// Find lists what Twilio accepted for m's recipient and sender since the
// given time (Twilio's clock), oldest first, over all pages.
func (d *Destination) Find(ctx context.Context, m *twilio.Message, since time.Time) ([]twilio.Candidate, error) {
	if m.Access > 0 {
		return d.former[m.Access-1].twilio.List(ctx, m, since)
	}
	return d.twilio.List(ctx, m, since)
}
