package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/twiliosim"
)

// step is a part of a schedule.
type step func(ctx context.Context, r *run) error

// steps carries them out one after the other.
func steps(ctx context.Context, r *run, all ...step) error {
	for _, s := range all {
		if err := s(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// between is a random time.
func (r *run) between(from, to time.Duration) time.Duration {
	return from + time.Duration(r.rng.Int64N(int64(to-from)))
}

// quiet lets the load go on for a while.
func quiet(d time.Duration) func(context.Context, *run) error {
	return func(ctx context.Context, _ *run) error { return pause(ctx, d) }
}

// kills kills n replicas, with a pause before each, and replaces them, now
// and then two at once.
func kills(n int, from, to time.Duration) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		for done := 0; done < n; {
			if err := pause(ctx, r.between(from, to)); err != nil {
				return err
			}
			at := 1
			if r.rng.IntN(6) == 0 && done+1 < n {
				at = 2
			}
			for range at {
				w, err := r.busy(ctx)
				if err != nil {
					return err
				}
				r.kill(w)
				done++
			}
			for range at {
				if err := r.add(); err != nil {
					return err
				}
			}
		}
		return pause(ctx, 2*time.Second)
	}
}

// busy waits for replicas that own shards, lets them get to work, and picks
// one of them, or any if there is none for long.
func (r *run) busy(ctx context.Context) (*replica, error) {
	for attempt := range 100 {
		if err := r.supervise(); err != nil {
			return nil, err
		}
		var owners []*replica
		for _, w := range r.live {
			if len(w.shards()) > 0 {
				owners = append(owners, w)
			}
		}
		if len(owners) > 0 {
			if attempt > 0 { // only just assigned
				if err := pause(ctx, r.between(300*time.Millisecond, 1500*time.Millisecond)); err != nil {
					return nil, err
				}
			}
			return owners[r.rng.IntN(len(owners))], nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return r.some(), nil
}

// replace kills a replica that owns shards and starts another.
func (r *run) replace(ctx context.Context) error {
	w, err := r.busy(ctx)
	if err != nil {
		return err
	}
	r.kill(w)
	return r.add()
}

// freezes freezes n replicas past the session timeout.
func freezes(n int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		for range n {
			if err := pause(ctx, r.between(time.Second, 3*time.Second)); err != nil {
				return err
			}
			w, err := r.busy(ctx)
			if err != nil {
				return err
			}
			if err := r.freeze(ctx, w, r.between(sessionTimeout+time.Second, 3*sessionTimeout)); err != nil {
				return err
			}
		}
		return pause(ctx, 2*time.Second)
	}
}

// scaling restarts, adds and removes replicas and adds partitions.
func scaling(ctx context.Context, r *run) error {
	rolling := func(ctx context.Context, r *run) error {
		for _, w := range append([]*replica(nil), r.live...) {
			if err := errors.Join(r.add(), pause(ctx, time.Second), r.stop(w), pause(ctx, time.Second)); err != nil {
				return err
			}
		}
		return nil
	}
	widen := func(to int) step {
		return func(ctx context.Context, r *run) error {
			r.note("the source gets %d partitions", to)
			res, err := r.broker.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: r.topic, Count: int32(to)}}})
			if err == nil {
				err = res.Errors[r.topic]
			}
			if err != nil {
				return err
			}
			r.mu.Lock()
			r.width = to
			r.mu.Unlock()
			return pause(ctx, 8*time.Second)
		}
	}
	more := func(ctx context.Context, r *run) error {
		return errors.Join(r.add(), r.add(), pause(ctx, 4*time.Second))
	}
	fewer := func(ctx context.Context, r *run) error {
		return errors.Join(r.stop(r.some()), r.stop(r.some()), pause(ctx, 3*time.Second))
	}
	return steps(ctx, r, rolling, more, widen(11), fewer, widen(12), rolling)
}

// listFails has the vendor's list fail, at times and then for good, with ambiguous answers.
func listFails(ctx context.Context, r *run) error {
	some, none := ambiguous, ambiguous
	some.ListErrors, none.ListErrors = 0.3, 1
	return steps(ctx, r,
		quiet(3*time.Second),
		func(ctx context.Context, r *run) error {
			return errors.Join(r.behave("a third of the lists fail", some), pause(ctx, 15*time.Second))
		},
		func(ctx context.Context, r *run) error {
			return errors.Join(r.behave("all lists fail", none), pause(ctx, 10*time.Second))
		},
		func(ctx context.Context, r *run) error {
			return errors.Join(r.behave("lists work", ambiguous), pause(ctx, 5*time.Second))
		})
}

// outages has the vendor be away in every way, with a kill in each.
func outages(ctx context.Context, r *run) error {
	during := func(what string, b twiliosim.Behaviour) step {
		return func(ctx context.Context, r *run) error {
			if err := errors.Join(r.behave(what, b), pause(ctx, r.between(2*time.Second, 4*time.Second))); err != nil {
				return err
			}
			if err := r.replace(ctx); err != nil {
				return err
			}
			return errors.Join(pause(ctx, r.between(2*time.Second, 4*time.Second)), r.behave("as usual", usual), pause(ctx, 3*time.Second))
		}
	}
	storm, busy, slow, away := usual, usual, usual, usual
	storm.Storm, storm.RetryAfter = true, time.Second
	busy.Rate = 40
	slow.Latency, slow.Jitter = 2*time.Second, time.Second
	away.Outage = twiliosim.Unavailable
	refused := func(ctx context.Context, r *run) error {
		r.note("vendor: connections are refused")
		r.vendor.proxy.refuse()
		err := pause(ctx, r.between(3*time.Second, 6*time.Second))
		r.note("vendor: connections are accepted")
		return errors.Join(err, r.vendor.proxy.accept(), pause(ctx, 3*time.Second))
	}
	return steps(ctx, r, during("429 to everything", storm), during("429 above 40 a second", busy), during("slow", slow), during("503 to everything", away), refused)
}

// workerTopics are those that the replicas write to.
func (r *run) workerTopics() []string {
	retries := r.cfg.RetryTopics(destination)
	return append([]string{r.cfg.LedgerTopic(destination), r.cfg.DeadLetterTopic()}, retries[:]...)
}

// moves moves leaders and coordinators, and takes a node away.
func moves(ctx context.Context, r *run) error {
	fake := r.broker.fake
	addrs := fake.ListenAddrs() // of the nodes in their order
	for range 6 {
		r.note("all leaders move")
		fake.ShufflePartitionLeaders()
		if err := pause(ctx, r.between(time.Second, 3*time.Second)); err != nil {
			return err
		}
		r.note("coordinators move")
		fake.RehashCoordinators()
		if err := pause(ctx, r.between(time.Second, 3*time.Second)); err != nil {
			return err
		}
	}
	for node, addr := range addrs {
		_, text, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		r.note("node %d goes", node)
		if err := fake.RemoveNode(int32(node)); err != nil {
			return err
		}
		if err := pause(ctx, r.between(2*time.Second, 4*time.Second)); err != nil {
			return err
		}
		if r.rng.IntN(2) == 0 {
			if err := r.replace(ctx); err != nil {
				return err
			}
		}
		r.note("node %d comes back", node)
		if _, _, err := fake.AddNode(int32(node), port); err != nil {
			return err
		}
		if err := pause(ctx, r.between(2*time.Second, 4*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// badWrites lets the replicas' writes be acknowledged badly or not at all.
func badWrites(ctx context.Context, r *run) error {
	during := func(what string, d time.Duration, faults ...kfake.Fault) step {
		return func(ctx context.Context, r *run) error {
			r.note("%s", what)
			h := r.broker.fake.Fault(faults...)
			err := pause(ctx, d/2)
			err = errors.Join(err, r.replace(ctx), pause(ctx, d/2))
			h.Remove()
			r.note("no more: %s", what)
			if h.Hits() == 0 {
				err = errors.Join(err, errors.New("the fault met nothing: "+what))
			}
			return errors.Join(err, pause(ctx, 2*time.Second))
		}
	}
	writes := func(err *kerr.Error, part float64) []kfake.Fault {
		rng := rand.New(rand.NewPCG(r.seed, 3))
		var all []kfake.Fault
		for _, topic := range r.workerTopics() {
			all = append(all, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: -1, When: func(kmsg.Request) bool { return rng.Float64() < part }})
		}
		return all
	}
	ledger := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.cfg.LedgerTopic(destination), Err: kerr.NotEnoughReplicas, Count: -1}
	dead := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: r.cfg.DeadLetterTopic(), Err: kerr.NotEnoughReplicas, Count: -1}
	commits := kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.cfg.GroupID(destination), Err: kerr.RequestTimedOut, Count: -1}
	return steps(ctx, r, quiet(2*time.Second),
		during("a third of all acknowledgements of writes are lost", 12*time.Second, writes(kerr.RequestTimedOut, 0.3)...),
		during("a third of all writes are applied without enough replicas", 8*time.Second, writes(kerr.NotEnoughReplicasAfterAppend, 0.3)...),
		during("the ledger is unwritable", 6*time.Second, ledger),
		during("the dead-letter topic is unwritable", 6*time.Second, dead),
		during("a third of all writes are refused", 8*time.Second, writes(kerr.NotEnoughReplicas, 0.3)...),
		during("acknowledgements of commits are lost", 8*time.Second, commits))
}

// network breaks connections to Kafka and to the vendor.
func network(ctx context.Context, r *run) error {
	for range 2 {
		for _, one := range r.rng.Perm(7) {
			if err := pause(ctx, r.between(time.Second, 2*time.Second)); err != nil {
				return err
			}
			if err := breakNetwork(ctx, r, one); err != nil {
				return err
			}
		}
	}
	return pause(ctx, 2*time.Second)
}

func breakNetwork(ctx context.Context, r *run, how int) error {
	toKafka := r.broker.network
	toVendor := func(do func(*proxy)) { do(r.vendor.proxy) }
	held := func(what string, all func(func(*proxy)), fraction float64, d time.Duration) error {
		r.note("%s held for %v", what, d)
		all(func(p *proxy) { p.hold(fraction, r.rng) })
		err := pause(ctx, d)
		all((*proxy).release)
		r.note("%s released", what)
		return err
	}
	switch how {
	case 0:
		r.note("half of the connections to Kafka are cut")
		toKafka(func(p *proxy) { p.cut(0.5, r.rng) })
	case 1:
		r.note("all connections to Kafka are cut")
		toKafka(func(p *proxy) { p.cut(1, r.rng) })
	case 2:
		r.note("all connections to the vendor are cut")
		toVendor(func(p *proxy) { p.cut(1, r.rng) })
	case 3:
		return held("half of the connections to Kafka", toKafka, 0.5, r.between(sessionTimeout/2, 2*sessionTimeout))
	case 4:
		return held("all connections to Kafka", toKafka, 1, r.between(sessionTimeout/2, 2*sessionTimeout))
	case 5:
		return held("half of the connections to the vendor", toVendor, 0.5, r.between(time.Second, requestTimeout+2*time.Second))
	case 6:
		r.note("everything is 150 ms slower")
		toKafka(func(p *proxy) { p.slow(75 * time.Millisecond) })
		toVendor(func(p *proxy) { p.slow(75 * time.Millisecond) })
		err := pause(ctx, 4*time.Second)
		toKafka(func(p *proxy) { p.slow(0) })
		toVendor(func(p *proxy) { p.slow(0) })
		return err
	}
	return nil
}

// killsAndCuts kills n replicas, and cuts connections between.
func killsAndCuts(n int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		for range n {
			if err := pause(ctx, r.between(time.Second, 3*time.Second)); err != nil {
				return err
			}
			if r.rng.IntN(2) == 0 {
				r.note("half of the connections to Kafka are cut")
				r.broker.network(func(p *proxy) { p.cut(0.5, r.rng) })
			}
			if err := r.replace(ctx); err != nil {
				return err
			}
		}
		return pause(ctx, 2*time.Second)
	}
}

// brokerDies ends and starts the only node.
func brokerDies(ctx context.Context, r *run) error {
	node := r.broker.real.Nodes[0]
	starts := func(ctx context.Context, r *run) error {
		err := node.Start(ctx)
		r.note("the broker is back")
		return errors.Join(err, pause(ctx, 8*time.Second))
	}
	return steps(ctx, r, quiet(5*time.Second),
		func(ctx context.Context, r *run) error { r.note("kill -9 the broker"); return node.Kill() }, quiet(2*time.Second), starts,
		func(ctx context.Context, r *run) error { r.note("stop the broker"); return node.Stop() }, quiet(5*time.Second), starts,
		func(ctx context.Context, r *run) error {
			r.note("freeze the broker for 8 s")
			err := errors.Join(node.Pause(), pause(ctx, 8*time.Second), node.Resume())
			r.note("the broker thaws")
			return errors.Join(err, pause(ctx, 6*time.Second))
		},
		func(ctx context.Context, r *run) error {
			r.note("kill -9 the broker")
			err := node.Kill()
			r.kill(r.some())
			return err
		}, starts,
		func(ctx context.Context, r *run) error { return errors.Join(r.add(), pause(ctx, 6*time.Second)) })
}

// brokersDie kills the three nodes in turn, and replicas.
func brokersDie(ctx context.Context, r *run) error {
	for i, node := range r.broker.real.Nodes {
		if err := pause(ctx, 6*time.Second); err != nil {
			return err
		}
		r.note("kill -9 broker %d", i+1)
		if err := errors.Join(node.Kill(), pause(ctx, 6*time.Second)); err != nil {
			return err
		}
		if err := errors.Join(r.replace(ctx), pause(ctx, 3*time.Second)); err != nil {
			return err
		}
		err := node.Start(ctx)
		r.note("broker %d is back", i+1)
		if err := errors.Join(err, pause(ctx, 6*time.Second)); err != nil {
			return err
		}
	}
	return nil
}
