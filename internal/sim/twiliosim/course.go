package twiliosim

import (
	"errors"
	"slices"
	"time"
)

// Course is what becomes of messages once they are accepted, and how their
// status callbacks come. The zero value delivers each, reads none, and loses
// no callback. Ratios are between 0 and 1. What becomes of a message is drawn
// when it is accepted, from Seed and its Seq.
type Course struct {
	Seed uint64 `yaml:"seed,omitempty"`

	Failed           float64       `yaml:"failed,omitempty"`           // never sent
	Undelivered      float64       `yaml:"undelivered,omitempty"`      // sent, not delivered
	FailedCodes      []int         `yaml:"failedCodes,omitempty"`      // one is drawn; default 30001
	UndeliveredCodes []int         `yaml:"undeliveredCodes,omitempty"` // one is drawn; default 30003
	FailAfter        time.Duration `yaml:"failAfter,omitempty"`        // from acceptance; default as DeliveredAfter
	Read             float64       `yaml:"read,omitempty"`             // of the WhatsApp messages that are delivered
	ReadAfter        time.Duration `yaml:"readAfter,omitempty"`        // from acceptance; default 2 s after the delivery

	// Status callbacks. They go to loopback addresses, and to Options.CallbackHosts.
	Lost     float64       `yaml:"lost,omitempty"`     // never posted
	Doubled  float64       `yaml:"doubled,omitempty"`  // posted twice
	Shuffled float64       `yaml:"shuffled,omitempty"` // posted only after the one that follows it
	Delay    time.Duration `yaml:"delay,omitempty"`    // up to this is added to each
}

func (c *Course) validate() error {
	var errs []error
	for _, ratio := range []float64{c.Failed, c.Undelivered, c.Failed + c.Undelivered, c.Read, c.Lost, c.Doubled, c.Shuffled} {
		if !(ratio >= 0 && ratio <= 1+1e-9) {
			errs = append(errs, errors.New("course: ratios are between 0 and 1, and failed and undelivered add up to 1 at most"))
			break
		}
	}
	if min(c.FailAfter, c.ReadAfter, c.Delay) < 0 {
		errs = append(errs, errors.New("course: times can't be negative"))
	}
	return errors.Join(errs...)
}

// SetCourse replaces the course, for messages that are accepted from now on.
func (s *Sim) SetCourse(c Course) error {
	if err := c.validate(); err != nil {
		return err
	}
	c.FailedCodes, c.UndeliveredCodes = slices.Clone(c.FailedCodes), slices.Clone(c.UndeliveredCodes)
	s.course.Store(&c)
	return nil
}

// Course is the present one.
func (s *Sim) Course() Course { return *s.course.Load() }

// The statuses that a message goes through.
const (
	statusAccepted    = "accepted" // a messaging service's, first
	statusQueued      = "queued"
	statusSent        = "sent"
	statusDelivered   = "delivered"
	statusRead        = "read"
	statusUndelivered = "undelivered"
	statusFailed      = "failed"
	statusReceived    = "received" // an inbound one's
)

// fate is what becomes of a message, by the times at which it does: since
// acceptance, or never.
type fate struct {
	sent, delivered, read, failed time.Duration
	code                          int // of a failure
}

const never time.Duration = -1

// draws numbers what is drawn for one message.
const (
	drawFate = iota
	drawCode
	drawRead
	drawCallbacks   // and those that follow, four for each callback
	drawsPerMessage = drawCallbacks + 4*4
)

// drawn is the n-th of a message's random numbers.
func (c *Course) drawn(seq uint64, n int) uint64 {
	return scatter(c.Seed + odd*(seq*drawsPerMessage+uint64(n)))
}

// fateOf draws what becomes of the message with a Seq.
func (s *Sim) fateOf(c *Course, seq uint64, to string) fate {
	f := fate{sent: s.opts.SentAfter, delivered: max(s.opts.DeliveredAfter, s.opts.SentAfter), read: never, failed: never}
	failAfter := c.FailAfter
	if failAfter == 0 {
		failAfter = f.delivered
	}
	pick := func(codes []int, standard int) int {
		if len(codes) == 0 {
			return standard
		}
		return codes[c.drawn(seq, drawCode)%uint64(len(codes))]
	}
	switch u := unit(c.drawn(seq, drawFate)); {
	case u < c.Failed:
		f.sent, f.delivered, f.failed, f.code = never, never, failAfter, pick(c.FailedCodes, 30001)
	case u < c.Failed+c.Undelivered:
		f.delivered, f.failed, f.code = never, max(failAfter, f.sent), pick(c.UndeliveredCodes, 30003)
	default:
		if channel, _ := address(to); channel == whatsApp && unit(c.drawn(seq, drawRead)) < c.Read {
			f.read = max(c.ReadAfter, f.delivered)
			if c.ReadAfter == 0 {
				f.read = f.delivered + 2*time.Second
			}
		}
	}
	return f
}

// end is the name of the status in which the message ends.
func (f *fate) end() string {
	switch {
	case f.failed >= 0 && f.sent < 0:
		return statusFailed
	case f.failed >= 0:
		return statusUndelivered
	case f.read >= 0:
		return statusRead
	}
	return statusDelivered
}

// at is the message's status so long after its acceptance, and since when.
func (f *fate) at(age time.Duration, first string) (status string, since time.Duration) {
	status = first
	for _, step := range f.steps() {
		if step.after <= age {
			status, since = step.status, step.after
		}
	}
	return status, since
}

// step is a change of status.
type step struct {
	status string
	after  time.Duration
}

// steps are the changes after the first status, in their order.
func (f *fate) steps() []step {
	var steps []step
	for _, s := range []step{{statusSent, f.sent}, {statusDelivered, f.delivered}, {statusRead, f.read}} {
		if s.after >= 0 {
			steps = append(steps, s)
		}
	}
	if f.failed >= 0 {
		steps = append(steps, step{f.end(), f.failed})
	}
	return steps
}
