package consumer

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

// adoptPoll is how often it is asked whether an adopted group is empty.
const adoptPoll = time.Second

// awaitAdopted waits until the groups that this one goes on for have no
// members: whoever is one may send. It is false when ctx ended first.
func (g *Group) awaitAdopted(ctx context.Context) bool {
	for _, group := range g.cfg.Adopted {
		for said := false; ; {
			described, err := g.describe(ctx, group)
			members := len(described.Members)
			if err == nil && members == 0 {
				break
			}
			if !said && ctx.Err() == nil {
				said = true
				g.log.Warn().Err(err).Str("group", group).Int("members", members).Msg("the group that ledger.adopt names has members, or can't be asked; nothing is begun until they have stopped")
			}
			if !pause.For(ctx, adoptPoll) {
				return false
			}
		}
	}
	return true
}

// adoptOffsets are the offsets at which an adopted group has stopped, by topic;
// nil where none has any.
func (g *Group) adoptOffsets(ctx context.Context) (map[string][]kafka.OffsetCommit, error) {
	for _, group := range g.cfg.Adopted {
		all := map[string][]kafka.OffsetCommit{}
		topics := []string{g.cfg.Topics.Source}
		for _, t := range g.cfg.Topics.Retry {
			topics = append(topics, t.Topic)
		}
		for _, topic := range topics {
			offsets, err := g.committedBy(ctx, group, topic)
			if err != nil {
				return nil, err
			}
			for partition, offset := range offsets {
				if offset >= 0 {
					all[topic] = append(all[topic], kafka.OffsetCommit{Partition: partition, Offset: offset})
				}
			}
		}
		if len(all[g.cfg.Topics.Source]) > 0 {
			g.log.Info().Str("group", g.cfg.GroupID).Str("from", group).Msg("a group without offsets begins where the group stopped that ledger.adopt names")
			return all, nil
		}
	}
	return nil, nil
}
