package main

import (
	"context"
	"fmt"
	"time"

	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

const (
	// What is promised, see docs/guarantees.md, and what a busy machine may
	// add to it: the replicas, the broker, the vendor and the load share it.
	afterKill = sessionTimeout + 3*time.Second
	afterStop = 2 * time.Second
	othersP99 = 2 * time.Second
	tolerance = 2 * time.Second

	regionAway = 60 * time.Second
)

// handover is a moment at which shards lost their owner.
type handover struct {
	how    string
	at     time.Time
	shards []int
	limit  time.Duration
}

// takeovers kills and stops replicas, each after the group has come to rest.
func takeovers(r *run) {
	for range 3 {
		r.rest()
		w := r.some()
		r.handovers = append(r.handovers, handover{"kill -9", time.Now(), w.shards(), afterKill})
		r.kill(w)
		r.pause(afterKill + 2*tolerance)
		r.add()
		r.rest()
		w = r.some()
		r.handovers = append(r.handovers, handover{"SIGTERM", time.Now(), w.shards(), afterStop})
		r.stop(w)
		r.pause(afterStop + 2*tolerance)
		r.add()
	}
}

// rest waits until all shards are owned, by all replicas, and work goes on.
func (r *run) rest() {
	r.pause(3 * time.Second)
	r.await(30*time.Second, "the group at rest", func(ctx context.Context) error {
		for _, w := range r.live {
			if len(w.shards()) == 0 {
				return fmt.Errorf("%s owns no shard", w.name)
			}
		}
		return r.assigned(ctx)
	})
	r.pause(2 * time.Second)
}

// measureTakeovers tells when, after each handover, each shard had its first
// event sent that was produced after it.
func measureTakeovers(r *run, h *evidence.History) (grades, faults []string) {
	type source struct {
		partition int
		at        time.Time
	}
	from := map[string]source{}
	for _, rec := range h.Records {
		if _, ok := from[rec.Ref]; !ok {
			from[rec.Ref] = source{rec.Partition, rec.At}
		}
	}
	for _, o := range r.handovers {
		var worst time.Duration
		if len(o.shards) == 0 {
			faults = append(faults, o.how+" of a replica without shards measures nothing")
		}
		for _, shard := range o.shards {
			served := time.Duration(-1)
			for _, m := range h.Messages {
				if s := from[m.Ref]; s.partition == shard && s.at.After(o.at) {
					served = m.At.Sub(o.at)
					break
				}
			}
			if served < 0 {
				faults = append(faults, fmt.Sprintf("shard %d was never served again after %s", shard, o.how))
				continue
			}
			worst = max(worst, served)
		}
		grades = append(grades, fmt.Sprintf("after %s of the owner of %d shards: served again within %v (promised %v)", o.how, len(o.shards), worst.Round(10*time.Millisecond), o.limit))
		if worst > o.limit+tolerance {
			faults = append(faults, grades[len(grades)-1])
		}
	}
	return grades, faults
}

// regionDown has one region's vendor away.
func regionDown(r *run) {
	r.pause(5 * time.Second)
	r.behave("503 to everything of "+regions[0].name, usual, twiliosim.Scope{Senders: []string{regions[0].sender}, Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}})
	r.away = r.timed(regionAway)
	r.during("as usual", usual, 5*time.Second)
}

// measureRegions is the time from production to acceptance of the events of
// the region that was there, while the other was away.
func measureRegions(r *run, h *evidence.History) (grades, faults []string) {
	took := h.Took(r.away, regions[1].sender)
	if len(took) < 1000 {
		return nil, []string{fmt.Sprintf("only %d messages of the other region: nothing is shown", len(took))}
	}
	p99 := took[len(took)*99/100]
	grades = []string{fmt.Sprintf("one region away for %v: the other's %d messages took %v (p50), %v (p99), %v (longest) from production to acceptance; promised p99 %v",
		regionAway, len(took), took[len(took)/2].Round(time.Millisecond), p99.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), othersP99)}
	if p99 > othersP99 {
		faults = grades
	}
	return grades, faults
}
