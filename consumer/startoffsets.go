package consumer

import (
	"context"
	"errors"
	"fmt"
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
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	count, err := g.parts.Cluster.Count(ctx, g.cfg.Topics.Source)
	if err != nil {
		return err
	}
	n, ok := count[g.cfg.Topics.Source]
	if !ok {
		return fmt.Errorf("topic %s: %w", g.cfg.Topics.Source, kafka.UnknownTopicOrPartition)
	}
	partitions := make([]int, n)
	for i := range partitions {
		partitions[i] = i
	}
	res, err := g.parts.Cluster.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: g.cfg.GroupID, Topics: map[string][]int{g.cfg.Topics.Source: partitions}})
	if err == nil && !errors.Is(res.Error, kafka.GroupIdNotFound) { // which has none
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("read the offsets of the group %s: %w", g.cfg.GroupID, err)
	}
	for _, p := range res.Topics[g.cfg.Topics.Source] {
		if p.Error != nil {
			return fmt.Errorf("read the offsets of the group %s: %w", g.cfg.GroupID, p.Error)
		}
		if p.CommittedOffset >= 0 {
			return nil
		}
	}
	commits := make([]kafka.OffsetCommit, n)
	for i := range commits {
		first, end, err := g.parts.Cluster.Bounds(ctx, g.cfg.Topics.Source, i)
		if err != nil {
			return err
		}
		commits[i] = kafka.OffsetCommit{Partition: i, Offset: end}
		if g.cfg.StartEarliest {
			commits[i].Offset = first
		}
	}
	// Generation -1 and no member: the coordinator takes it only while the
	// group is empty. Otherwise another replica is here and has done it.
	out, err := g.parts.Cluster.Client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: g.cfg.GroupID, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{g.cfg.Topics.Source: commits}})
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
	where := "at the end"
	if g.cfg.StartEarliest {
		where = "at the beginning"
	}
	g.log.Info().Str("group", g.cfg.GroupID).Str("topic", g.cfg.Topics.Source).Int("partitions", n).Msg("a group without offsets begins " + where + " of the topic")
	return nil
}
