package consumer

import (
	"context"
	"slices"
	"time"
)

// metadataTimeout bounds a look at the topics' partitions.
const metadataTimeout = 10 * time.Second

// shardsOfAll is the number of shards of the whole group, and that of the
// source's partitions, which may have grown ahead of the other topics.
func (g *Group) shardsOfAll(ctx context.Context) (shards, source int, err error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	topics := g.topics()
	count, err := g.parts.Cluster.Count(ctx, topics...)
	if err != nil {
		return 0, 0, err
	}
	source = count[g.cfg.Topics.Source]
	shards = source
	for _, t := range topics {
		shards = min(shards, count[t])
	}
	return shards, source, nil
}

// missing are the group's topics that don't exist, as far as that can be had
// before the next commit.
func (g *Group) missing() (topics []string) {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.CommitInterval)
	defer cancel()
	all := g.topics()
	count, err := g.parts.Cluster.Count(ctx, all...)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(topic string) bool { return count[topic] > 0 })
}

// partitionsChanged reports that there are more or fewer shards than when the
// generation began, or than its leader saw when it assigned them, so that the
// group has to assign them anew. Where only the source has grown, it first has
// the other topics grow along. Where the source is gone, the shards are given
// up, so that a new topic of its name isn't read from the old one's offsets.
func (gen *generation) partitionsChanged() bool {
	g := gen.group
	total, source, err := g.shardsOfAll(gen.intake)
	if err != nil {
		return false
	}
	if source == 0 && len(gen.shards) > 0 {
		gen.sourceMissed++
		if gen.sourceMissed < missedBeforeGone {
			return false
		}
		g.log.Error().Str("topic", g.cfg.Topics.Source).Msg("the source topic is gone; its shards are given up until there is one: run engage-worker topics create, and restore what it held")
		return true
	}
	gen.sourceMissed = 0
	if total == 0 {
		return false // topics in the making
	}
	if total < source && g.parts.Grow != nil {
		ctx, cancel := context.WithTimeout(gen.intake, metadataTimeout)
		err := g.parts.Grow(ctx)
		cancel()
		if err != nil {
			g.failures.Error().Err(err).Int("partitions", source).Int("shards", total).
				Msg("the source topic has more partitions than the retry and ledger topics, so the new ones aren't read; run engage-worker topics create")
		} else if total, _, err = g.shardsOfAll(gen.intake); err != nil {
			return false
		}
	}
	if gen.total == unknown {
		gen.total = total
		return false
	}
	if total != gen.total {
		g.log.Info().Int("shards", total).Int("before", gen.total).Msg("the number of partitions changed; assigning anew")
		return true
	}
	return false
}

// missedBeforeGone is how often in a row the source must be missing: a broker
// that has just started may not know it yet.
const missedBeforeGone = 2
