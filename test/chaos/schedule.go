package main

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/twiliosim"
)

// during is a time in which the vendor behaves in a way.
func (r *run) during(what string, b twiliosim.Behaviour, d time.Duration) {
	r.behave(what, b)
	r.pause(d)
}

// between is a random time.
func (r *run) between(from, to time.Duration) time.Duration {
	return from + time.Duration(r.rng.Int64N(int64(to-from)))
}

// quiet lets the load go on for a while.
func quiet(d time.Duration) func(*run) {
	return func(r *run) { r.pause(d) }
}

// kills kills n replicas, with a pause before each, and replaces them, now
// and then two at once.
func kills(n int, from, to time.Duration) func(*run) {
	return func(r *run) {
		for done := 0; done < n; {
			r.pause(r.between(from, to))
			at := 1
			if r.rng.IntN(6) == 0 && done+1 < n {
				at = 2
			}
			for range at {
				r.kill(r.busy())
				done++
			}
			for range at {
				r.add()
			}
		}
		r.pause(2 * time.Second)
	}
}

// busy waits for replicas that own shards, lets them get to work, and picks
// one of them, or any if there is none for long.
func (r *run) busy() *replica {
	for attempt := range 100 {
		r.supervise()
		var owners []*replica
		for _, w := range r.live {
			if len(w.shards()) > 0 {
				owners = append(owners, w)
			}
		}
		if len(owners) > 0 {
			if attempt > 0 { // only just assigned
				r.pause(r.between(300*time.Millisecond, 1500*time.Millisecond))
			}
			return owners[r.rng.IntN(len(owners))]
		}
		r.pause(100 * time.Millisecond)
	}
	return r.some()
}

// replace kills a replica that owns shards and starts another, which has a while
// to take over.
func (r *run) replace(while time.Duration) {
	r.kill(r.busy())
	r.add()
	r.pause(while)
}

// freezes freezes n replicas past the session timeout.
func freezes(n int) func(*run) {
	return func(r *run) {
		for range n {
			r.pause(r.between(time.Second, 3*time.Second))
			r.freeze(r.busy(), r.between(sessionTimeout+time.Second, 3*sessionTimeout))
		}
		r.pause(2 * time.Second)
	}
}

// scaling restarts, adds and removes replicas and adds partitions.
func scaling(r *run) {
	rolling := func() {
		for _, w := range slices.Clone(r.live) {
			r.add()
			r.pause(time.Second)
			r.stop(w)
			r.pause(time.Second)
		}
	}
	rolling()
	r.addTwo()
	r.pause(4 * time.Second)
	r.widen(11)
	r.stop(r.some())
	r.stop(r.some())
	r.pause(3 * time.Second)
	r.widen(12)
	rolling()
}

// widen gives the source more partitions.
func (r *run) widen(to int) {
	r.note("the source gets %d partitions", to)
	res, err := r.broker.client.CreatePartitions(r.ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: r.topic, Count: int32(to)}}})
	must(err)
	must(res.Errors[r.topic])
	r.mu.Lock()
	r.width = to
	r.mu.Unlock()
	r.pause(8 * time.Second)
}

// listFails has the vendor's list fail, at times and then for good, with ambiguous answers.
func listFails(r *run) {
	some, none := ambiguous, ambiguous
	some.ListErrors, none.ListErrors = 0.3, 1
	r.pause(3 * time.Second)
	r.during("a third of the lists fail", some, 15*time.Second)
	r.during("all lists fail", none, 10*time.Second)
	r.during("lists work", ambiguous, 5*time.Second)
}

// outages has the vendor be away in every way, with a kill in each.
func outages(r *run) {
	storm, busy, slow, away := usual, usual, usual, usual
	storm.Storm, storm.RetryAfter = true, time.Second
	busy.Rate = 40
	slow.Latency, slow.Jitter = 2*time.Second, time.Second
	away.Outage = twiliosim.Unavailable
	for _, trouble := range []struct {
		what string
		is   twiliosim.Behaviour
	}{{"429 to everything", storm}, {"429 above 40 a second", busy}, {"slow", slow}, {"503 to everything", away}} {
		r.during(trouble.what, trouble.is, r.between(2*time.Second, 4*time.Second))
		r.replace(0)
		r.pause(r.between(2*time.Second, 4*time.Second))
		r.during("as usual", usual, 3*time.Second)
	}
	r.note("vendor: connections are refused")
	r.vendor.proxy.refuse()
	r.pause(r.between(3*time.Second, 6*time.Second))
	r.note("vendor: connections are accepted")
	must(r.vendor.proxy.accept())
	r.pause(3 * time.Second)
}

// workerTopics are those that the replicas write to.
func (r *run) workerTopics() []string {
	retries := r.cfg.RetryTopics(destination)
	return append([]string{r.cfg.LedgerTopic(destination), r.cfg.DeadLetterTopic()}, retries[:]...)
}

// moves moves leaders and coordinators, and takes a node away.
func moves(r *run) {
	fake := r.broker.fake
	addrs := fake.ListenAddrs() // of the nodes in their order
	for range 6 {
		r.note("all leaders move")
		fake.ShufflePartitionLeaders()
		r.pause(r.between(time.Second, 3*time.Second))
		r.note("coordinators move")
		fake.RehashCoordinators()
		r.pause(r.between(time.Second, 3*time.Second))
	}
	for node, addr := range addrs {
		at, err := netip.ParseAddrPort(addr)
		must(err)
		r.note("node %d goes", node)
		must(fake.RemoveNode(int32(node)))
		r.pause(r.between(2*time.Second, 4*time.Second))
		if r.rng.IntN(2) == 0 {
			r.replace(0)
		}
		r.note("node %d comes back", node)
		_, _, err = fake.AddNode(int32(node), int(at.Port()))
		must(err)
		r.pause(r.between(2*time.Second, 4*time.Second))
	}
}

// badWrites lets the replicas' writes be acknowledged badly or not at all.
func badWrites(r *run) {
	during := func(what string, d time.Duration, faults ...kfake.Fault) {
		r.note("%s", what)
		h := r.broker.fake.Fault(faults...)
		r.pause(d / 2)
		r.replace(d / 2)
		h.Remove()
		r.note("no more: %s", what)
		if h.Hits() == 0 {
			must(errors.New("the fault met nothing: " + what))
		}
		r.pause(2 * time.Second)
	}
	writes := func(err *kerr.Error, part float64) []kfake.Fault {
		rng := rand.New(rand.NewPCG(r.seed, 3))
		var all []kfake.Fault
		for _, topic := range r.workerTopics() {
			all = append(all, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: -1, When: func(kmsg.Request) bool { return rng.Float64() < part }})
		}
		return all
	}
	unwritable := func(topic string) kfake.Fault {
		return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1}
	}
	r.pause(2 * time.Second)
	during("a third of all acknowledgements of writes are lost", 12*time.Second, writes(kerr.RequestTimedOut, 0.3)...)
	during("a third of all writes are applied without enough replicas", 8*time.Second, writes(kerr.NotEnoughReplicasAfterAppend, 0.3)...)
	during("the ledger is unwritable", 6*time.Second, unwritable(r.cfg.LedgerTopic(destination)))
	during("the dead-letter topic is unwritable", 6*time.Second, unwritable(r.cfg.DeadLetterTopic()))
	during("a third of all writes are refused", 8*time.Second, writes(kerr.NotEnoughReplicas, 0.3)...)
	during("acknowledgements of commits are lost", 8*time.Second,
		kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.cfg.GroupID(destination), Err: kerr.RequestTimedOut, Count: -1})
}

// network breaks connections to Kafka and to the vendor.
func network(r *run) {
	toKafka := r.broker.network
	toVendor := func(do func(*proxy)) { do(r.vendor.proxy) }
	ways := []func(){
		func() { r.cut("half of the connections to Kafka", toKafka, 0.5) },
		func() { r.cut("all connections to Kafka", toKafka, 1) },
		func() { r.cut("all connections to the vendor", toVendor, 1) },
		func() {
			r.hold("half of the connections to Kafka", toKafka, 0.5, r.between(sessionTimeout/2, 2*sessionTimeout))
		},
		func() {
			r.hold("all connections to Kafka", toKafka, 1, r.between(sessionTimeout/2, 2*sessionTimeout))
		},
		func() {
			r.hold("half of the connections to the vendor", toVendor, 0.5, r.between(time.Second, requestTimeout+2*time.Second))
		},
		func() {
			r.note("everything is 150 ms slower")
			slow := func(by time.Duration) {
				toKafka(func(p *proxy) { p.slow(by) })
				toVendor(func(p *proxy) { p.slow(by) })
			}
			slow(75 * time.Millisecond)
			r.pause(4 * time.Second)
			slow(0)
		},
	}
	for range 2 {
		for _, one := range r.rng.Perm(len(ways)) {
			r.pause(r.between(time.Second, 2*time.Second))
			ways[one]()
		}
	}
	r.pause(2 * time.Second)
}

// cut resets a part of the connections through some proxies.
func (r *run) cut(what string, through func(func(*proxy)), part float64) {
	r.note("%s are cut", what)
	through(func(p *proxy) { p.cut(part, r.rng) })
}

// hold lets nothing through a part of the connections for a while.
func (r *run) hold(what string, through func(func(*proxy)), part float64, d time.Duration) {
	r.note("%s held for %v", what, d)
	through(func(p *proxy) { p.hold(part, r.rng) })
	r.pause(d)
	through((*proxy).release)
	r.note("%s released", what)
}

// killsAndCuts kills n replicas, and cuts connections between.
func killsAndCuts(n int) func(*run) {
	return func(r *run) {
		for range n {
			r.pause(r.between(time.Second, 3*time.Second))
			if r.rng.IntN(2) == 0 {
				r.cut("half of the connections to Kafka", r.broker.network, 0.5)
			}
			r.replace(0)
		}
		r.pause(2 * time.Second)
	}
}

// brokerDies ends and starts the only node.
func brokerDies(r *run) {
	node := r.broker.real.Nodes[0]
	starts := func() {
		must(node.Start(r.ctx))
		r.note("the broker is back")
		r.pause(8 * time.Second)
	}
	r.pause(5 * time.Second)
	r.note("kill -9 the broker")
	must(node.Kill())
	r.pause(2 * time.Second)
	starts()
	r.note("stop the broker")
	must(node.Stop())
	r.pause(5 * time.Second)
	starts()
	r.note("freeze the broker for 8 s")
	must(node.Pause())
	r.pause(8 * time.Second)
	must(node.Resume())
	r.note("the broker thaws")
	r.pause(6 * time.Second)
	r.note("kill -9 the broker")
	must(node.Kill())
	r.kill(r.some())
	starts()
	r.add()
	r.pause(6 * time.Second)
}

// brokersDie kills the three nodes in turn, and replicas.
func brokersDie(r *run) {
	for i, node := range r.broker.real.Nodes {
		r.pause(6 * time.Second)
		r.note("kill -9 broker %d", i+1)
		must(node.Kill())
		r.pause(6 * time.Second)
		r.replace(3 * time.Second)
		must(node.Start(r.ctx))
		r.note("broker %d is back", i+1)
		r.pause(6 * time.Second)
	}
}
