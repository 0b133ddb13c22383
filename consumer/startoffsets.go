package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

// settleStartOffsets makes the group begin where it should if it has no
// offsets at all: it commits the source's start for every partition at once,
// before the first member joins. Whatever has no offset later on was added
// later, and is read from its beginning.
func (g *Group) settleStartOffsets(ctx context.Context) error {
	pauses := pause.Growing(200*time.Millisecond, 5*time.Second)
	for {
		err := g.trySettleStartOffsets(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g.log.Warn().Err(err).Msg("the group's offsets can't be settled yet")
		if !pause.For(ctx, pauses.NextBackOff()) {
			return ctx.Err()
		}
	}
}

func (g *Group) trySettleStartOffsets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	committed, err := g.committed(ctx)
	if err != nil || anyCommitted(committed) {
		return err
	}
	commits, err := g.adoptOffsets(ctx)
	if err != nil {
		return err
	}
	adopted := commits != nil
	if !adopted {
		starts, err := g.starts(ctx, len(committed))
		if err != nil {
			return err
		}
		commits = map[string][]kafka.OffsetCommit{}
		for i, offset := range starts {
			commits[g.cfg.Topics.Source] = append(commits[g.cfg.Topics.Source], kafka.OffsetCommit{Partition: i, Offset: offset})
		}
	}
	// Generation -1 and no member: the coordinator takes it only while the
	// group is empty. Otherwise a replica is here already.
	out, err := g.parts.Cluster.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: g.cfg.GroupID, GenerationID: -1, Topics: commits})
	if err != nil {
		return fmt.Errorf("commit where the group %s begins: %w", g.cfg.GroupID, err)
	}
	for _, p := range out.Topics[g.cfg.Topics.Source] {
		switch {
		case p.Error == nil:
		case errors.Is(p.Error, kafka.UnknownMemberId), errors.Is(p.Error, kafka.IllegalGeneration), errors.Is(p.Error, kafka.RebalanceInProgress):
			return nil
		default:
			return fmt.Errorf("commit where the group %s begins: %w", g.cfg.GroupID, p.Error)
		}
	}
	if !adopted {
		g.logStart(len(committed))
	}
	return nil
}

// settleTimeout bounds one try at settling where a group begins.
const settleTimeout = 15 * time.Second

// settleNewSource is settleStartOffsets for a source that comes to a group
// whose members still read another one, so that the group wasn't empty. Who is
// assigned the source's first partition settles the start of all of them; the
// others wait for it. It puts the starts into the assignments, and returns an
// error only when ctx ended or a commit was refused.
func (g *Group) settleNewSource(ctx context.Context, c commits, assigned []kafka.PartitionAssignment) error {
	if !slices.ContainsFunc(assigned, func(p kafka.PartitionAssignment) bool { return p.Offset < 0 }) {
		return nil
	}
	first := slices.ContainsFunc(assigned, func(p kafka.PartitionAssignment) bool { return p.ID == 0 })
	for {
		offsets, err := g.committed(ctx)
		known := err == nil && anyCommitted(offsets)
		if err == nil && !known && first {
			if offsets, err = g.starts(ctx, len(offsets)); err == nil {
				all := make(map[int]int64, len(offsets))
				for i, offset := range offsets {
					all[i] = offset
				}
				if err := c.CommitOffsets(map[string]map[int]int64{g.cfg.Topics.Source: all}); err != nil {
					return fmt.Errorf("commit where the group %s begins: %w", g.cfg.GroupID, err)
				}
				g.logStart(len(offsets))
				known = true
			}
		}
		if known {
			for i := range assigned {
				if p := &assigned[i]; p.Offset < 0 && p.ID < len(offsets) {
					p.Offset = offsets[p.ID] // -1 is a partition that was added later
				}
			}
			return nil
		}
		if err != nil && ctx.Err() == nil {
			g.log.Warn().Err(err).Msg("the group's offsets can't be settled yet")
		}
		if !pause.For(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// committed are the group's offsets of the source, by partition; negative
// where it has none.
func (g *Group) committed(ctx context.Context) ([]int64, error) {
	return g.committedBy(ctx, g.cfg.GroupID, g.cfg.Topics.Source)
}

// committedBy are a group's offsets of a topic, likewise.
func (g *Group) committedBy(ctx context.Context, group, topic string) ([]int64, error) {
	count, err := g.parts.Cluster.Count(ctx, topic)
	if err != nil {
		return nil, err
	}
	n, ok := count[topic]
	if !ok {
		return nil, fmt.Errorf("topic %s: %w", topic, kafka.UnknownTopicOrPartition)
	}
	partitions, offsets := make([]int, n), make([]int64, n)
	for i := range partitions {
		partitions[i], offsets[i] = i, -1
	}
	res, err := g.parts.Cluster.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err == nil && !errors.Is(res.Error, kafka.GroupIdNotFound) { // which has none
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of the group %s: %w", group, err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("read the offsets of the group %s: %w", group, p.Error)
		}
		if p.Partition >= 0 && p.Partition < n {
			offsets[p.Partition] = p.CommittedOffset
		}
	}
	return offsets, nil
}

func anyCommitted(offsets []int64) bool {
	return slices.ContainsFunc(offsets, func(offset int64) bool { return offset >= 0 })
}

// starts are where the source's partitions begin for a group without offsets.
func (g *Group) starts(ctx context.Context, n int) ([]int64, error) {
	partitions := make([]int, n)
	for i := range partitions {
		partitions[i] = i
	}
	at := kafka.LastOffset
	if g.cfg.StartEarliest {
		at = kafka.FirstOffset
	}
	return g.parts.Cluster.Offsets(ctx, g.cfg.Topics.Source, partitions, at)
}

func (g *Group) logStart(partitions int) {
	where := "at the end"
	if g.cfg.StartEarliest {
		where = "at the beginning"
	}
	g.log.Info().Str("group", g.cfg.GroupID).Str("topic", g.cfg.Topics.Source).Int("partitions", partitions).Msg("a group without offsets begins " + where + " of the topic")
}
