package intake

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/internal/metrics"
)

// sayEnvelopes is how often the log tells of envelopes.
const sayEnvelopes = time.Minute

// Envelopes counts a destination's events that nobody wants because of what
// they are wrapped in, and tells of them in the log, once a minute. It is safe
// for concurrent use.
type Envelopes struct {
	counters [actions.NumEnvelopes]prometheus.Counter
	log      zerolog.Logger

	mu    sync.Mutex
	said  time.Time                 // guarded by mu
	since [actions.NumEnvelopes]int // since then; guarded by mu
}

// NewEnvelopes makes the Envelopes of a destination, which all its streams share.
func NewEnvelopes(destination string, m *metrics.Metrics, log zerolog.Logger) *Envelopes {
	e := &Envelopes{log: log}
	for _, kind := range actions.Envelopes() {
		e.counters[kind] = m.Enveloped.WithLabelValues(destination, kind.String())
	}
	return e
}

// add counts what a stream has passed over up to an offset.
func (e *Envelopes) add(passed [actions.NumEnvelopes]int, topic string, before int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for kind, n := range passed {
		if n > 0 {
			e.counters[kind].Add(float64(n))
			e.since[kind] += n
		}
	}
	if !e.said.IsZero() && time.Since(e.said) < sayEnvelopes {
		return
	}
	for kind, n := range e.since {
		if n > 0 {
			e.log.Warn().Stringer("envelope", actions.Envelope(kind)).Int("events", n).Str("topic", topic).Int64("before", before).
				Msg("no trigger wants them: " + actions.Envelope(kind).Advice())
		}
	}
	e.said, e.since = time.Now(), [actions.NumEnvelopes]int{}
}
