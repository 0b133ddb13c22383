package consumer

import (
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
)

// commitUntil commits every interval until done. A commit that says that the
// generation is over calls stop.
func (gen *generation) commitUntil(done <-chan struct{}, stop func()) {
	ticker := time.NewTicker(gen.group.cfg.CommitInterval)
	defer ticker.Stop()
	watch := watchdog{gen: gen}
	lastPoll, lastPositions := time.Now(), time.Now()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if err := gen.commit(); err != nil && isOver(err) {
				stop()
			}
			watch.look(time.Now())
			if time.Since(lastPositions) >= positionsEvery {
				lastPositions = time.Now()
				gen.commitPositions()
			}
			if time.Since(lastPoll) >= partitionsPolled {
				lastPoll = time.Now()
				if gen.partitionsChanged() {
					stop()
				}
			}
		}
	}
}

// commit commits each stream's watermark and so renews the lease, and what is
// held under it, unless the group wants the shards back: it waits for what
// the lease allowed until then.
func (gen *generation) commit() error {
	if len(gen.shards) == 0 {
		return nil
	}
	offsets := map[string]map[int]int64{}
	for _, s := range gen.shards {
		for _, st := range s.streams {
			if offsets[st.Topic()] == nil {
				offsets[st.Topic()] = map[int]int64{}
			}
			offsets[st.Topic()][s.id] = st.Committable()
		}
	}
	start := time.Now()
	err := gen.commits.CommitOffsets(offsets)
	result := "ok"
	if err == nil {
		if gen.ended.Err() == nil {
			gen.lease.Extend(start, gen.group.cfg.SessionTimeout)
			gen.group.share.hold(gen.owned(), gen.total, gen.lease.Remaining(time.Now()))
		}
		for _, s := range gen.shards {
			for _, st := range s.streams {
				st.Committed(offsets[st.Topic()][s.id])
			}
		}
	} else {
		result = "failed"
		line, message := gen.group.log.Warn().Err(err).Int32("generation", gen.number), "a commit failed; sending goes on only while the lease lasts"
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			if gone := gen.group.missing(); len(gone) > 0 {
				line.Strs("missing", gone)
				message = "a commit failed, since a topic is gone; nothing is sent until it is there again: engage-worker topics create makes it"
			}
		}
		line.Msg(message)
	}
	gen.group.parts.Metrics.Commits.WithLabelValues(gen.group.cfg.Destination, result).Inc()
	return err
}

// isOver recognises the commit errors that say that this member has lost its shards.
func isOver(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}
