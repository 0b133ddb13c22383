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

// recommitEvery is how often what didn't move is committed again. Kafka keeps the
// offsets of subscribed topics while the group has members (KIP-211, since 2.1); those
// of other topics, and other brokers' of all, end offsets.retention.minutes after
// they were last committed.
const recommitEvery = time.Hour

// offsets are positions by topic and shard.
type offsets map[string]map[int]int64

func (o offsets) put(topic string, shard int, at int64) {
	if o[topic] == nil {
		o[topic] = map[int]int64{}
	}
	o[topic][shard] = at
}

// has reports whether the position is there, and the same.
func (o offsets) has(topic string, shard int, at int64) bool {
	known, ok := o[topic][shard]
	return ok && known == at
}

// commit commits the watermarks that moved and so renews the lease, and what is
// held under it, unless the group wants the shards back: it waits for what
// the lease allowed until then. Where nothing moved, one watermark of each topic is
// committed again: the coordinator must answer for this generation, and a topic that
// is gone must be seen.
func (gen *generation) commit() error {
	if len(gen.shards) == 0 {
		return nil
	}
	if time.Since(gen.recommitted) >= recommitEvery {
		gen.recommitted, gen.accepted = time.Now(), offsets{}
	}
	due := offsets{}
	for _, s := range gen.shards {
		for _, st := range s.streams {
			if at := st.Committable(); due[st.Topic()] == nil || !gen.accepted.has(st.Topic(), s.id, at) {
				due.put(st.Topic(), s.id, at)
			}
		}
	}
	start := time.Now()
	err := gen.accept(due)
	result := "ok"
	if err == nil {
		if gen.ended.Err() == nil {
			gen.lease.Extend(start, gen.group.cfg.SessionTimeout)
			gen.group.share.hold(gen.owned(), gen.total, gen.lease.Remaining(time.Now()))
		}
		for _, s := range gen.shards {
			for _, st := range s.streams {
				if at, ok := due[st.Topic()][s.id]; ok {
					st.Committed(at)
				}
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

// accept has the coordinator take offsets, and notes that it has.
func (gen *generation) accept(due offsets) error {
	if err := gen.commits.CommitOffsets(due); err != nil {
		return err
	}
	for topic, of := range due {
		for shard, at := range of {
			gen.accepted.put(topic, shard, at)
		}
	}
	return nil
}

// isOver recognises the commit errors that say that this member has lost its shards.
func isOver(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}
