package pages

import (
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"engage-worker/actions/twilio"
	"engage-worker/internal/config"
	"engage-worker/internal/desk/fleet"
	"engage-worker/internal/desk/guard"
	"engage-worker/internal/desk/query"
	"engage-worker/internal/desk/replays"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/desk/traces"
	"engage-worker/internal/letters"
	"engage-worker/internal/preview"
)

// Parts are what the pages are made of.
type Parts struct {
	Config  *config.Config
	Unmask  bool // numbers and mail are shown whole
	Log     zerolog.Logger
	Letters *letters.Desk
	Store   *store.Store
	Replays *replays.Manager
	Fleet   *fleet.Fleet
	Preview *preview.Previewer
	Traces  *traces.Traces
}

const (
	mostLookups = 4 // requests that render or read a topic, at a time
	mostExports = 2 // likewise

	// EventBytes is how long an event may be that is tried.
	EventBytes = 1 << 20

	// Time is how long a page may take, and an export for a thousand letters.
	Time = 30 * time.Second
)

// Pages are all of them. Make them with New; they are safe for concurrent use.
type Pages struct {
	cfg     *config.Config
	unmask  bool
	log     zerolog.Logger
	letters *letters.Desk
	store   *store.Store
	replays *replays.Manager
	fleet   *fleet.Fleet
	preview *preview.Previewer
	traces  *traces.Traces
	now     func() time.Time

	lookups, exports *semaphore.Weighted
}

// New makes the pages of parts, which stay the caller's to close.
func New(p Parts) *Pages {
	return &Pages{
		cfg: p.Config, unmask: p.Unmask, log: p.Log, letters: p.Letters, store: p.Store, replays: p.Replays, fleet: p.Fleet,
		preview: p.Preview, traces: p.Traces, now: time.Now,
		lookups: semaphore.NewWeighted(mostLookups), exports: semaphore.NewWeighted(mostExports),
	}
}

// Page is what is shown of a view.
type Page struct {
	Title   string
	Section string // of the navigation
	Live    bool   // it asks for itself again when something changes
	Refresh int    // it does so after so many seconds, without script
	Status  int    // of the answer; 0: fine
	View    any    // what the page itself shows, and /api as JSON
}

// who is whose request it is.
func who(r *http.Request) string { return guard.Of(r.Context()).Who }

// parse reads what an address, or a form, asks of dead letters.
func (p *Pages) parse(values url.Values, others ...string) (*query.Query, error) {
	q, err := query.Parse(values, p.now(), others...)
	if err != nil {
		return nil, bad(err.Error())
	}
	return q, nil
}

// veiled masks numbers and mail, unless they are shown.
func (p *Pages) veiled(text string) string {
	if p.unmask {
		return text
	}
	return letters.Masked(text)
}

// masked is a number for whom may see it.
func (p *Pages) masked(number string) string {
	if p.unmask {
		return number
	}
	return twilio.Mask(number)
}
