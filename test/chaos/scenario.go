package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

// scenario is a world and what is broken in it.
type scenario struct {
	name  string
	about string // in a few words
	seeds int    // runs of the full form; 0: one
	short bool   // part of the short form

	kafka    bool                // on Apache Kafka, not the embedded broker
	nodes    int                 // of the broker; 0: one
	replicas int                 // 0: three
	shards   int                 // 0: twelve
	load     load                // none: 150 events a second
	vendor   twiliosim.Behaviour // at the start; none: as usual

	// failureRatio is the breakers'; 0: 0.9, so that only outages open them.
	failureRatio float64

	// rate is the first region's, and senderRate the second one's sender's;
	// 0: far more than the load.
	rate, senderRate float64

	// sim is what the vendor is besides: what becomes of messages.
	sim twiliosim.Options

	// receivers of callbacks, which Twilio calls at one address; 0: it calls nobody.
	receivers int

	// breaks is the schedule of faults, while the load goes on; the load ends
	// when it returns.
	breaks func(r *run)

	// afterwards goes on once all faults are over and everything is settled. May
	// be nil.
	afterwards func(r *run)

	// measure judges more than what came of the events: what was measured,
	// in words, and what was wrong with it. May be nil.
	measure func(r *run, h *evidence.History) (grades, faults []string)

	// pardons are reasons for which events of any kind may die here; measure
	// bounds how many do, where that can be said.
	pardons []string
	// edit changes the configuration before anything starts. May be nil.
	edit func(text string) string

	// perEvent is how many messages a wanted event is worth; 0: one.
	perEvent int

	// overlay changes the worker that is built for it; nil: it is as it is.
	overlay *overlay

	// upgrade begins with replicas of the earlier version, and topics that it
	// made.
	upgrade bool

	// unsafe switches the ledger off: the checker must find doubles.
	unsafe bool
}

// regionLines are the regions' in the configuration.
func (s *scenario) regionLines() string {
	breaker := fmt.Sprintf("breaker: {failureRatio: %v, minRequests: 20, openFor: 2s, halfOpenRequests: 2}", cmp.Or(s.failureRatio, 0.9))
	rate, senders := cmp.Or(s.rate, 5000), ""
	if s.senderRate > 0 {
		senders = fmt.Sprintf(", senders: {%q: {rate: %v}}", regions[1].sender, s.senderRate)
	}
	return fmt.Sprintf("  %s: {rate: %v, maxInFlight: 64, %s}\n  %s: {rate: 5000, burst: 500, maxInFlight: 64, %s%s}\n",
		regions[0].name, rate, breaker, regions[1].name, breaker, senders)
}

// start starts its broker, which keeps its data in dir.
func (s *scenario) start(ctx context.Context, dir string) (*broker, error) {
	if s.kafka {
		return startKafka(ctx, dir, s.nodes)
	}
	return startEmbedded(dir, s.nodes)
}

// usual is the vendor on a usual day.
var usual = twiliosim.Behaviour{Latency: 30 * time.Millisecond, Jitter: 50 * time.Millisecond}

// ambiguous is a vendor that often doesn't say what it did.
var ambiguous = twiliosim.Behaviour{
	Latency: 30 * time.Millisecond, Jitter: 50 * time.Millisecond,
	AcceptedThen500: 0.02, AcceptedThenReset: 0.02, AcceptedThenSilence: 0.005, Garbled: 0.01, Late: 0.005,
	Failed: 0.02, Reset: 0.02, Silent: 0.005, Unavailable: 0.01, Slow: 0.005, SlowFor: 6 * time.Second, ListLag: 2 * time.Second,
}

// evasive is a vendor that seldom doesn't say what it did, so that watermarks
// move.
var evasive = twiliosim.Behaviour{
	Latency: 30 * time.Millisecond, Jitter: 50 * time.Millisecond, AcceptedThen500: 0.0003, AcceptedThenReset: 0.0003, Reset: 0.0003, ListLag: 2 * time.Second,
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario { //nolint:funlen // a list
	all := []scenario{
		{
			name: "kills-short", about: "kill -9, a few", short: true, seeds: -1,
			shards: 6, breaks: kills(6, 1200*time.Millisecond, 2200*time.Millisecond),
		},
		{
			name: "ambiguity-short", about: "the vendor doesn't say what it did, and a kill", short: true, seeds: -1,
			replicas: 2, shards: 6, vendor: ambiguous, breaks: kills(2, 3*time.Second, 4*time.Second),
		},
		{name: "kills", about: "kill -9 of random replicas, each replaced", seeds: 4, breaks: kills(25, 800*time.Millisecond, 4*time.Second)},
		{
			name: "kills-ambiguity", about: "kills, and a vendor that doesn't say what it did",
			vendor: ambiguous, breaks: kills(8, 4*time.Second, 7*time.Second),
		},
		{
			name: "segments", about: "kills, and ledgers that gather, join and close their segments all the time", overlay: smallSegments,
			vendor: ambiguous, breaks: kills(8, 4*time.Second, 7*time.Second),
		},
		{name: "freezes", about: "SIGSTOP past the session timeout, SIGCONT", breaks: freezes(6)},
		{name: "scaling", about: "rolling restart, replicas added and removed, partitions added", shards: 8, breaks: scaling},
		{
			name: "upgrade", about: "an earlier version, replaced one by one: one killed, one going back half way", upgrade: true,
			vendor: ambiguous, breaks: upgrade,
		},
		{
			name: "rolling", about: "an action is added, renamed and removed replica by replica: of each configuration one is killed, and one comes with a former",
			vendor: evasive, breaks: rolling, measure: measureRolling,
		},
		{
			name: "likes", about: "two destinations say the same to the same people; ambiguous answers, and kills", edit: twice, perEvent: 2, pardons: []string{unknown},
			vendor: ambiguous, breaks: kills(4, 4*time.Second, 7*time.Second),
		},
		{
			name: "settings", about: "sender, account, host, channel, request timeout: each changed with deliveries in doubt", pardons: []string{unknown},
			replicas: 2, load: load{rate: 100, users: 600, plain: true}, breaks: changedSettings,
		},
		{
			name: "replays", about: "trigger, action, names changed with letters replayed, deliveries in doubt and waiting", edit: withPoorBody, pardons: []string{unknown, noContent, gone},
			replicas: 2, load: load{rate: 100, users: 600, plain: true}, breaks: replaying, measure: measureReplays,
		},
		{
			name: "groups", about: "a second environment on the topic, and a rolling change of the group's prefix",
			replicas: 2, shards: 6, breaks: groups,
		},
		{
			name: "clocks", about: "replicas ten minutes ahead and behind, killed with deliveries in doubt; one two hours ahead", overlay: setClocks, edit: shortLived,
			replicas: 1, vendor: ambiguous, breaks: clocks,
		},
		{
			name: "vendor-ambiguity", about: "accepted, then 500, reset, silence; slow, late; list lagging 2 s",
			replicas: 2, vendor: ambiguous, breaks: quiet(40 * time.Second),
		},
		{name: "vendor-list", about: "ambiguous answers while the list fails", replicas: 2, vendor: ambiguous, breaks: listFails},
		{name: "vendor-outages", about: "429 storms, refused connections, 503, slowness, and kills", failureRatio: 0.5, breaks: outages},
		{
			name: "refused", about: "Twilio refuses the key, then one of two senders, while replicas are killed",
			breaks: refused, measure: measureRefused, pardons: []string{senderRejected},
		},
		{
			name: "two-topics", about: "one group in which replicas want two different topics, killed in turn",
			replicas: 2, shards: 6, breaks: twoTopics, measure: measureTwoTopics,
		},
		{name: "kafka-moves", about: "leaders and coordinators move, nodes go and come", nodes: 3, breaks: moves},
		{name: "kafka-writes", about: "acknowledgements lost, topics unwritable, and kills", breaks: badWrites},
		{name: "network", about: "connections cut, delayed, held: to Kafka and to the vendor", nodes: 3, breaks: network},
		{
			name: "takeover", about: "shards served again after kill -9 and after SIGTERM",
			shards: 6, load: load{rate: 150, users: 600}, breaks: takeovers, measure: measureTakeovers,
		},
		{
			name: "region-down", about: "one region away for 60 s", failureRatio: 0.5,
			replicas: 2, load: load{rate: 100, users: 1000}, breaks: regionDown, measure: measureRegions,
		},
		{
			name: "lending", about: "low rates and load that moves; kills, freezes and cuts while slots are lent",
			load: load{rate: 80, users: 960, moves: 5 * time.Second},
			rate: 60, senderRate: 25, breaks: lending, measure: measureLending,
		},
		{
			name: "status", about: "a third of the callbacks lost, the rest doubled, shuffled, a minute late, forged ones among them; kills; then replays", edit: swept,
			vendor: evasive, sim: fates(strange), receivers: 2,
			breaks: followed, afterwards: followAndReplay, measure: measureStatus,
		},
		{
			name: "status-sweep", about: "the same without a receiver: Twilio is asked", edit: swept,
			vendor: evasive, sim: fates(twiliosim.Course{}),
			breaks: followed, afterwards: followAndReplay, measure: measureStatus,
		},
		{
			name: "unsafe-kills", about: "kills without the ledger: doubles must be found", unsafe: true, short: true,
			shards: 6, breaks: kills(5, 1200*time.Millisecond, 2200*time.Millisecond),
		},
		{
			name: "unsafe-ambiguity", about: "ambiguity without the ledger: doubles must be found", unsafe: true,
			replicas: 2, shards: 6, vendor: ambiguous, breaks: quiet(10 * time.Second),
		},
		{name: "real-kills", about: "Apache Kafka: kills, and connections cut", kafka: true, breaks: killsAndCuts(12)},
		{name: "real-broker", about: "Apache Kafka of one node: killed, stopped and frozen, started again", kafka: true, breaks: brokerDies},
		{
			name: "real-brokers", about: "Apache Kafka of three nodes: each killed in turn, and replicas", kafka: true,
			nodes: 3, load: load{rate: 100, users: 300}, breaks: brokersDie,
		},
		{
			name: "real-status", about: "Apache Kafka: callbacks lost, doubled, shuffled, late and forged; kills; then replays", kafka: true, edit: swept,
			vendor: evasive, sim: fates(strange), receivers: 2,
			breaks: followed, afterwards: followAndReplay, measure: measureStatus,
		},
		{
			name: "real-clocks", about: "Apache Kafka, whose brokers tell the time: replicas ten minutes ahead and behind, killed with deliveries in doubt; one two hours ahead", overlay: setClocks, edit: shortLived,
			replicas: 1, vendor: ambiguous, breaks: clocks, kafka: true,
		},
		{
			name: "real-takeover", about: "Apache Kafka: shards served again after kill -9 and SIGTERM", kafka: true,
			shards: 6, load: load{rate: 150, users: 600}, breaks: takeovers, measure: measureTakeovers,
		},
	}
	for i := range all {
		s := &all[i]
		s.nodes, s.replicas, s.shards = cmp.Or(s.nodes, 1), cmp.Or(s.replicas, 3), cmp.Or(s.shards, 12)
		s.load, s.vendor = cmp.Or(s.load, load{rate: 150, users: 300}), cmp.Or(s.vendor, usual)
	}
	return all
}
