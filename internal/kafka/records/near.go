package records

import "time"

// A cluster may have brokers in several racks (availability zones) and let
// consumers read from the nearest replica (KIP-392): asked with the reader's
// rack, a leader answers with the number of the replica to read from, and
// nothing else. From then on that follower is asked, until its lease ends, as
// who is nearest may change, or until it fails; then the leader is asked again.
// What a follower says of a position that it hasn't yet is no word on the log:
// only the leader's counts.

const (
	// nearFor is how long a follower is asked before the leader is again.
	nearFor = 5 * time.Minute
	// farFor is how long the leader is read from after a follower failed.
	farFor = time.Minute
)

// nearness is whom a seat reads from. It is guarded by the Cluster's mu.
type nearness struct {
	follower bool      // the seat's broker is one, until
	until    time.Time // then; or, after one failed, until when the leader's records are wanted
}

// stale reports whether the leader is to be asked who is nearest.
func (n *nearness) stale(now time.Time) bool { return n.follower && now.After(n.until) }

// rackFor is the rack to tell in a question about places: none while a follower
// has failed for one of them, so that the leader gives records.
func (b *broker) rackFor(places []place) string {
	now := time.Now()
	for _, p := range places {
		if n := &p.seat.near; !n.follower && now.Before(n.until) {
			return ""
		}
	}
	return b.cluster.options.Rack
}

// moveTo has a seat read from a replica from now on. It reports whether its
// place waits there, as nothing came.
func (c *Cluster) moveTo(replica int, p place, a answer) (waits bool) {
	p.seat.broker = c.broker(replica)
	p.seat.near = nearness{follower: true, until: time.Now().Add(nearFor)}
	if len(a.batches) > 0 {
		return false
	}
	p.done, p.tried = false, false
	p.seat.broker.put(p)
	p.seat.broker.kick()
	return true
}

// leave has a place wait for its leader, as a follower failed.
func (c *Cluster) leave(p place) {
	p.seat.broker = nil
	p.seat.near = nearness{until: time.Now().Add(farFor)}
	p.done, p.tried = false, false
	c.find(p)
}
