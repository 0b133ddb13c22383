package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// What was measured; docs/performance.md and the tests named here have it.
const (
	// costs is the processor time of a message: 7,867 messages a second on two
	// cores, which also ran the broker and the simulated Twilio
	// (BenchmarkDelivery, 512 in flight). The worker's own part is less.
	costs = 2.0 / 7867

	// remembered is a delivery's memory in the ledger, bytes
	// (docs/operations.md, capacity), recorded that of its two records in the
	// topic, and restores how many records a core reads in a second
	// (BenchmarkRestore).
	remembered, recorded, restores = 16.0, 200.0, 717_000.0

	// base is a replica's memory without the ledger, bytes: 173 MiB at most
	// with 300,000 events waiting.
	base = 173 << 20

	// gathers is for how long records for one partition gather into one
	// request: the writer's 5 ms and a round trip. A burst's gather longer: 4,000
	// messages at once took 0.09 produce requests each in 12 partitions and
	// 0.27 in 96, 200 messages in 96 partitions 1.9 each (TestRequestsToKafka).
	gathers = 0.010

	// inLedger are a message's records in the ledger: intent and outcome;
	// statuses those in the status topic: accepted, sent, delivered (package
	// consumer/status), reported the callbacks, where they are used: sent, delivered.
	inLedger, statuses, reported = 2.0, 3.0, 2.0

	// A replica at rest (TestRequestsToKafka): one long poll of each broker,
	// a commit and a heartbeat or two a second for each destination.
	polls, commits, heartbeats = 1.0, 1.0, 2.0

	// Lending (TestNotesOfALargeFleet): who lacks slots or borrows some asks
	// every 0.75 s, and each lender answers it as often. Notes of 104 bytes,
	// and Kafka's own in batches.
	asks, note = 1 / 0.75, 107.0
	atOnce     = 4 // borrowers of a lender, where there are many

	// drains is how long a stopped replica's shards are away (chaos,
	// takeover: 0.2 s).
	drains = 0.2

	topics = 8 // of a destination: source, dead letters, three retry tiers, ledger, callbacks, status
	copies = 3 // replication
)

// What machines bear: taken, not measured. Put your own in their place.
const (
	coresEach   = 2.0      // of a replica
	memoryEach  = 4 << 30  // of a replica, bytes
	brokerAsked = 10_000.0 // produce requests a second of a broker
	brokerBears = 4_000.0  // partitions of a broker, copies included
	brokerSends = 100e6    // bytes a second, of one partition's leader, for lending
	inFlightMax = 512.0    // requests of a replica
	begins      = 15.0     // seconds from a container's start until it is ready and the next one goes
)

// plan is a fleet.
type plan struct {
	Rate                                        float64 // messages a second at the peak
	Replicas, Partitions, Brokers, Destinations int
	Answer                                      time.Duration // of Twilio
	Busy                                        time.Duration // of a day at the peak
	Days                                        int           // that the ledger remembers
}

// result is what a plan comes to.
type result struct {
	cores, inFlight, memory, ledger     float64 // of a replica
	produce, fetch, commits, heartbeats float64 // of the fleet, a second
	written, statuses                   float64
	notes, notesRead, partitions        float64
	restart                             time.Duration
	first                               string // what breaks first as the rate grows
	firstAt                             float64
}

// work works a plan out.
func (p plan) work() result {
	f := p.figures()
	f.first, f.firstAt = p.breaks()
	return f
}

func (p plan) figures() (f result) {
	replicas := float64(p.Replicas)
	f.cores = p.Rate * costs / replicas
	f.inFlight = p.Rate * p.Answer.Seconds() / replicas
	entries := p.Rate * p.Busy.Seconds() * float64(p.Days)
	f.ledger = entries * remembered / replicas
	f.memory = base + f.ledger
	f.statuses = statuses * p.Rate
	for _, each := range []float64{inLedger, statuses, reported} { // records a message, in three topics
		rate := each * p.Rate
		f.produce += rate / (1 + gathers*rate/float64(p.Partitions*p.Destinations))
	}
	f.fetch = replicas * float64(p.Brokers) * polls
	f.commits = replicas * float64(p.Destinations) * commits
	f.heartbeats = replicas * float64(p.Destinations) * heartbeats
	f.written = p.Rate * recorded
	f.notes = p.lending()
	f.notesRead = f.notes * note * replicas
	f.partitions = float64(p.Partitions*topics*copies*p.Destinations) / float64(p.Brokers)
	each := drains + begins + entries/replicas/restores/coresEach
	f.restart = time.Duration(replicas * each * float64(time.Second))
	return f
}

// lending is how many notes replicas write a second while a campaign's load is
// uneven: half of it in a tenth of the partitions.
func (p plan) lending() float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	load := make([]float64, p.Replicas)
	hot := max(1, p.Partitions/10)
	for i, partition := range rng.Perm(p.Partitions) {
		part := 0.5 / float64(p.Partitions)
		if i < hot {
			part += 0.5 / float64(hot)
		}
		load[partition%p.Replicas] += 1.2 * p.Rate * part // somewhat more than the rate: a backlog
	}
	fair, home := level(p.Rate, load), p.Rate/float64(p.Replicas)
	lacking, borrowers, spares := 0.0, 0.0, []float64(nil)
	for _, l := range load {
		due := min(l, fair)
		if l > fair {
			lacking++ // has a backlog, and asks
		}
		switch {
		case due-home >= 1:
			borrowers++
		case home-due >= 1:
			spares = append(spares, home-due)
		}
	}
	pairs := 0.0
	for _, s := range spares {
		pairs += min(math.Floor(s), borrowers, atOnce)
	}
	return asks * (max(lacking, borrowers) + pairs)
}

// level is how much each has at most when a rate is divided by need.
func level(rate float64, needs []float64) float64 {
	sorted := slices.Sorted(slices.Values(needs))
	for i, need := range sorted {
		if equal := rate / float64(len(sorted)-i); equal <= need {
			return equal
		}
		rate -= need
	}
	return math.Inf(1)
}

// breaks is what the fleet runs into first when the rate grows and nothing else
// does, and at what rate.
func (p plan) breaks() (what string, at float64) {
	at = math.Inf(1)
	for _, limit := range []struct {
		what string
		of   func(result) float64
		most float64
	}{
		{"processor", func(f result) float64 { return f.cores }, coresEach},
		{"ledger's memory", func(f result) float64 { return f.memory }, memoryEach},
		{"in flight", func(f result) float64 { return f.inFlight }, inFlightMax},
		{"produce requests", func(f result) float64 { return f.produce / float64(p.Brokers) }, brokerAsked},
		{"lending's reads", func(f result) float64 { return f.notesRead }, brokerSends},
		{"partitions", func(f result) float64 { return f.partitions }, brokerBears},
	} {
		low, high := 0.0, 1e9
		for range 60 {
			q := p
			q.Rate = (low + high) / 2
			if limit.of(q.figures()) > limit.most {
				high = q.Rate
			} else {
				low = q.Rate
			}
		}
		if high < at {
			what, at = limit.what, high
		}
	}
	return what, at
}
