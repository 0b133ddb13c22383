package consumer

import (
	"context"
	"time"

	"engage-worker/consumer/intake"
	"engage-worker/internal/pause"
)

// endsAsked is how old what a stream knows of its log's end may be.
const endsAsked = 10 * time.Second

// followEnds keeps the lag of streams true that don't fetch, because they wait
// for room: during an outage it must be seen to grow. It asks for all of a
// topic's streams at once, until ctx ends.
func (gen *generation) followEnds(ctx context.Context, every time.Duration) {
	for pause.For(ctx, every) {
		streams, partitions := map[string][]*intake.Stream{}, map[string][]int{}
		for _, s := range gen.shards {
			for _, st := range s.streams {
				if topic := st.Topic(); st.EndIsOld(every) {
					streams[topic], partitions[topic] = append(streams[topic], st), append(partitions[topic], s.id)
				}
			}
		}
		for topic := range streams {
			ends, err := gen.group.parts.Cluster.Ends(ctx, topic, partitions[topic])
			if err != nil {
				continue // what is wrong with the brokers, reading and commits tell; the next time is soon
			}
			for i, st := range streams[topic] {
				st.EndsAt(ends[i])
			}
		}
	}
}
