// Package clock measures how far this machine's clock is off, against the
// brokers' and Twilio's, and corrects it where a wrong time would do harm.
//
// Both tell the time in what they answer anyway: a broker in the answer to a
// write into a topic whose records it dates, Twilio in the header Date. Which of
// them is believed: the broker's, as events and ledgers are dated by it or
// beside it, and it is asked every minute; Twilio's where no broker tells. Of
// Twilio's last three answers the one with the smallest difference counts, so
// that a single machine of theirs with a wrong clock changes nothing.
package clock

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

const (
	// Tolerated is what the clock may be off without a word.
	Tolerated = time.Minute
	// Unready is from where on the replica isn't ready.
	Unready = 5 * time.Minute

	longest  = 20 * time.Second       // a round trip of which the middle says nothing
	believed = 10 * time.Minute       // how long a broker's word counts
	noise    = 2 * time.Second        // that is no difference
	recent   = 3                      // of Twilio's answers
	noting   = 100 * time.Millisecond // between those that are looked at, so that they are of several machines
)

// Clock is this machine's. It is safe for concurrent use; a nil Clock is right.
type Clock struct {
	gauge *prometheus.GaugeVec // against: broker, twilio
	log   zerolog.Logger

	begun time.Time
	next  atomic.Int64 // when an answer's Date is looked at again, in ns since begun

	mu      sync.Mutex
	broker  time.Duration // that this clock is ahead
	heard   time.Time     // when a broker told last
	refused bool          // a broker didn't take a record for its time
	twilio  []time.Duration
	warned  bool
}

// New makes a clock that is right until somebody says otherwise. The gauge's
// label is against.
func New(gauge *prometheus.GaugeVec, log zerolog.Logger) *Clock {
	for _, against := range []string{"broker", "twilio"} {
		gauge.WithLabelValues(against)
	}
	return &Clock{gauge: gauge, log: log, begun: time.Now()}
}

// Broker notes what a broker's clock said between two moments of this one's.
func (c *Clock) Broker(theirs, asked, answered time.Time) {
	if ahead, ok := difference(theirs, asked, answered); ok {
		c.mu.Lock()
		c.broker, c.heard, c.refused = ahead, answered, false
		c.mu.Unlock()
		c.tell("broker", ahead)
	}
}

// Refused notes that a broker doesn't take records with this clock's time.
func (c *Clock) Refused() {
	c.mu.Lock()
	c.refused = true
	c.mu.Unlock()
	c.warn()
}

// Twilio notes what Twilio's clock said, to the second.
func (c *Clock) Twilio(theirs, asked, answered time.Time) {
	ahead, ok := difference(theirs.Add(time.Second/2), asked, answered)
	if !ok {
		return
	}
	c.mu.Lock()
	c.twilio = append(c.twilio, ahead)
	c.twilio = c.twilio[max(0, len(c.twilio)-recent):]
	ahead = least(c.twilio)
	c.mu.Unlock()
	c.tell("twilio", ahead)
}

// difference is by how much this clock is ahead of theirs.
func difference(theirs, asked, answered time.Time) (ahead time.Duration, ok bool) {
	took := answered.Sub(asked)
	if took > longest || theirs.IsZero() {
		return 0, false
	}
	return asked.Add(took / 2).Sub(theirs).Round(time.Millisecond), true
}

func least(all []time.Duration) time.Duration {
	least := all[0]
	for _, d := range all {
		if d.Abs() < least.Abs() {
			least = d
		}
	}
	return least
}

func (c *Clock) tell(against string, ahead time.Duration) {
	c.gauge.WithLabelValues(against).Set(ahead.Seconds())
	c.warn()
}

// Ahead is by how much this clock is ahead, negative where it is behind; 0 as
// long as nobody has told.
func (c *Clock) Ahead() time.Duration {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ahead, _ := c.ahead()
	return ahead
}

// ahead also says of whom. The caller holds mu.
func (c *Clock) ahead() (time.Duration, string) {
	ahead, of := time.Duration(0), "the broker's"
	switch {
	case !c.heard.IsZero() && time.Since(c.heard) < believed:
		ahead = c.broker
	case len(c.twilio) > 0:
		ahead, of = least(c.twilio), "Twilio's"
	}
	if ahead.Abs() < noise {
		ahead = 0
	}
	return ahead, of
}

// Now is the time, corrected.
func (c *Clock) Now() time.Time { return time.Now().Add(-c.Ahead()) }

// Err says what is wrong with the clock, or nil while it is at most five
// minutes off.
func (c *Clock) Err() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong(Unready)
}

// wrong says what is wrong if it is more than some. The caller holds mu.
func (c *Clock) wrong(than time.Duration) error {
	if ahead, of := c.ahead(); ahead.Abs() > than {
		word := "ahead of"
		if ahead < 0 {
			word = "behind"
		}
		return fmt.Errorf("this machine's clock is %v %s %s: set it right, by NTP", ahead.Abs().Round(time.Second), word, of)
	}
	if c.refused {
		return fmt.Errorf("the broker refuses records with the time of this machine's clock: set it right, by NTP")
	}
	return nil
}

// warn says once that the clock is off, and that it is right again.
func (c *Clock) warn() {
	c.mu.Lock()
	err := c.wrong(Tolerated)
	changed := c.warned != (err != nil)
	c.warned = err != nil
	c.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		c.log.Warn().Err(err).Msg("the clock is off: ages and Twilio's list are corrected, Kafka's records and the log are not")
	default:
		c.log.Info().Msg("the clock is right again")
	}
}
