package records

import (
	"slices"
	"time"
)

const (
	// answerBytes is about what one answer of a broker's has.
	answerBytes = 8 << 20

	// maxFetches bounds the fetches of what is there: a second one, for those that have
	// read all they had, while the first one's answer still comes.
	maxFetches = 2

	// leastRoom is what there must be of heldBytes for a fetch to begin.
	leastRoom = 512 << 10

	// A broker that asked for a pause is paced for a while after it, with answers
	// of a second's bytes, and leastAnswer at least.
	pacing      = 30 * time.Second
	leastAnswer = 16 << 10

	// quotaWindow is what Kafka measures a quota over, quota.window.num less the
	// one that has begun, of quota.window.size.seconds each.
	quotaWindow = 10 * time.Second

	// fetchPlaces bounds the partitions of a fetch of what is there; an answer
	// has room for few.
	fetchPlaces = 256

	// maxPolls bounds the long polls of a broker. The first has all partitions
	// that are at their end then; those that get there while it waits are in
	// the next ones, which are shorter and end with it, so that all wait
	// together again.
	maxPolls      = 3
	pollWait      = time.Second
	calmPollWait  = 5 * time.Second // after one that had nothing, with no other beside it
	shortPollWait = 200 * time.Millisecond

	// gather is how long a poll waits for others to come along, which bounds
	// the polls of partitions that get a record now and then.
	gather = 5 * time.Millisecond
)

// broker asks one broker, for all the Logs whose partitions it leads. Its
// fields are guarded by the Cluster's mu.
//
// A place that waits is in one of two queues: ready, when there is something
// to read as far as is known, and quiet, when its log ended there. Fetches, one or
// two at a time, go through ready and come back at once; polls wait at the broker
// for all that is quiet.
type broker struct {
	cluster *Cluster
	id      int

	ready, quiet []place
	fetches      int        // under way
	gathering    bool       // a poll is about to begin
	polls        int        // that wait at the broker
	calm         bool       // the last poll had nothing, and was alone
	together     time.Time  // when they all end
	paused       time.Time  // until then the broker wants no fetch
	lately       int        // bytes of the last answer
	recent       []received // within quotaWindow
	rate         float64    // bytes per second that the quota allows, as far as is known
	pacedUntil   time.Time  // and until when it counts
}

// received is an answer.
type received struct {
	bytes int
	at    time.Time
}

// put puts a place where it belongs.
func (b *broker) put(p place) {
	if p.seat.end < 0 || p.offset < p.seat.end {
		b.ready = append(b.ready, p)
	} else {
		b.quiet = append(b.quiet, p)
	}
}

// kick begins what there is to ask and isn't asked.
func (b *broker) kick() {
	c := b.cluster
	if c.closed {
		return
	}
	if len(b.ready) > 0 && (b.fetches == 0 || b.fetches < maxFetches && !b.paced(time.Now())) {
		b.fetches++
		c.work.Go(b.fetch)
	}
	if len(b.quiet) > 0 && !b.gathering && b.polls < maxPolls {
		b.gathering = true
		c.work.Go(b.poll)
	}
}

// fetch asks for what is there.
func (b *broker) fetch() {
	c := b.cluster
	c.mu.Lock()
	b.waitPause()
	q := b.question(0)
	q.maxBytes = min(b.pace(time.Now()), heldBytes-c.held)
	if heldBytes-c.held < leastRoom {
		c.starved = true // whoever gives memory back kicks
		b.fetches--
		c.mu.Unlock()
		return
	}
	q.places, b.ready = choose(b.ready, fetchPlaces)
	q.rack = b.rackFor(q.places)
	c.held += q.maxBytes
	c.mu.Unlock()

	empty, served, err := c.ask(q)

	c.mu.Lock()
	defer c.mu.Unlock()
	b.fetches--
	c.release(q.maxBytes)
	b.settle(q, empty, served, err)
}

// poll waits at the broker for what isn't there yet.
func (b *broker) poll() {
	c := b.cluster
	c.sleep(gather)
	c.mu.Lock()
	b.waitPause()
	b.gathering = false
	b.polls++
	q := b.question(b.patience(time.Now()))
	q.maxBytes = min(b.pace(time.Now()), answerBytes/8)
	q.places, b.quiet = choose(b.quiet, len(b.quiet))
	q.rack = b.rackFor(q.places)
	c.mu.Unlock()

	empty, served, err := c.ask(q)

	c.mu.Lock()
	defer c.mu.Unlock()
	b.polls--
	b.calm = err == nil && !served && b.polls == 0
	b.settle(q, empty, served, err)
}

// patience is how long a poll that begins now waits.
func (b *broker) patience(now time.Time) time.Duration {
	if rest := b.together.Sub(now); rest > 0 && b.polls > 1 {
		return max(time.Millisecond, min(rest, shortPollWait))
	}
	wait := pollWait
	if b.calm {
		wait = calmPollWait
	}
	b.together = now.Add(wait)
	return wait
}

// heed notes what pause a broker asked for with its answer to a question, and
// learns the quota from it. What used it up in the broker's window comes out of the
// window all at once, which would be read as fast, and then be waited for: so
// for a while answers are small, and each is waited for at the quota's rate.
func (b *broker) heed(q *question, now time.Time) {
	b.recent = slices.DeleteFunc(b.recent, func(r received) bool { return now.Sub(r.at) > quotaWindow })
	if q.bytes > 0 {
		b.recent = append(b.recent, received{q.bytes, now})
	}
	switch {
	case q.throttle > 0:
		b.cluster.throttled(q.throttle)
		b.paused = now.Add(q.throttle)
		// The pause is until the window's bytes, and those that the broker holds
		// back, are within the quota. Who is paced is near it: a little less will do.
		if b.paced(now) {
			b.rate *= 0.93
		} else {
			b.rate = max(1, float64(b.total()+min(b.lately, q.maxBytes))/(quotaWindow+q.throttle).Seconds())
		}
		b.pacedUntil = b.paused.Add(pacing)
	case q.bytes > 0 && b.paced(now):
		b.paused = now.Add(time.Duration(float64(q.bytes) / b.rate * float64(time.Second)))
		b.rate *= 1.03
	}
	if q.bytes > 0 {
		b.lately = q.bytes
	}
}

// total is what came in the window.
func (b *broker) total() (n int) {
	for _, r := range b.recent {
		n += r.bytes
	}
	return n
}

// paced reports whether the quota counts: then there is one fetch at a time.
func (b *broker) paced(now time.Time) bool { return now.Before(b.pacedUntil) }

// pace is how large an answer may be.
func (b *broker) pace(now time.Time) int {
	if b.paced(now) {
		return min(max(leastAnswer, int(b.rate)), answerBytes)
	}
	return answerBytes
}

// waitPause waits, without the lock, as long as the broker asked for.
func (b *broker) waitPause() {
	for wait := time.Until(b.paused); wait > 0 && !b.cluster.closed; wait = time.Until(b.paused) {
		b.cluster.mu.Unlock()
		b.cluster.sleep(wait)
		b.cluster.mu.Lock()
	}
}

func (b *broker) question(wait time.Duration) *question {
	return &question{clientID: b.cluster.options.ClientID, broker: b.id, wait: wait}
}

// refuse ends the waiting of all, once the Cluster is closed.
func (b *broker) refuse() {
	for _, p := range slices.Concat(b.ready, b.quiet) {
		if p.waits() {
			p.seat.reply(answer{}, errClosed)
		}
	}
	b.ready, b.quiet = nil, nil
}

// choose takes up to n places that still wait from the front of a queue, and
// orders them by topic, as the protocol has them: topics and partitions in the
// order in which they began to wait. A partition is asked for once in a question,
// as the answer names partitions only: whoever else reads it waits for the next.
func choose(queue []place, n int) (chosen, rest []place) {
	chosen = make([]place, 0, min(n, len(queue)))
	type partition struct {
		topic string
		id    int32
	}
	asked := make(map[partition]bool, cap(chosen))
	var again []place
	for len(queue) > 0 && len(chosen) < n {
		p := queue[0]
		queue = queue[1:]
		if !p.waits() {
			continue
		}
		if of := (partition{p.seat.topic, p.seat.partition}); asked[of] {
			again = append(again, p)
		} else {
			asked[of] = true
			chosen = append(chosen, p)
		}
	}
	if len(again) > 0 {
		queue = append(again, queue...)
	}
	rank := map[string]int{}
	for _, p := range chosen {
		if _, known := rank[p.seat.topic]; !known {
			rank[p.seat.topic] = len(rank)
		}
	}
	if len(rank) > 1 {
		slices.SortStableFunc(chosen, func(x, y place) int { return rank[x.seat.topic] - rank[y.seat.topic] })
	}
	if len(queue) == 0 {
		queue = nil
	}
	return chosen, queue
}

// waits reports whether the seat still waits for this place.
func (p *place) waits() bool { return p.seat.waiting && p.seat.turn == p.turn }

// settle makes those wait on that got nothing. Those that the answer had no
// room for go to the front.
func (b *broker) settle(q *question, empty []place, served bool, err error) {
	c := b.cluster
	b.heed(q, time.Now())
	var front []place
	b.quiet = slices.Grow(b.quiet, len(empty))
	for _, p := range empty {
		p.done, p.tried = false, false
		switch behind := p.offset < p.seat.end; {
		case !p.waits():
		case behind && served, behind && q.wait > 0:
			front = append(front, p)
		default:
			// At its end. Or nobody got anything though there is some: a poll
			// comes back at once when there is.
			b.quiet = append(b.quiet, p)
		}
	}
	for _, p := range q.places {
		switch {
		case p.done || !p.waits():
		case err != nil && p.seat.near.follower && !c.closed:
			c.leave(p)
		case err == nil:
			front = append(front, p)
		case p.tried:
			p.seat.broker = nil
			p.seat.reply(answer{}, err)
		default:
			p.tried = true
			front = append(front, p)
		}
	}
	b.ready = append(front, b.ready...)
	if c.closed {
		b.refuse()
	}
	b.kick()
}
