package topics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
)

// Leftovers are topics that hold records of ours which this configuration
// doesn't read: what the destinations' groups were reading of another source,
// and its retries and dead letters; the retries of a destination that was
// removed or renamed; the dead letters of a dead-letter topic that was another
// before. Their problems are no more than warnings. The error is one of
// reaching Kafka.
func Leftovers(ctx context.Context, client *kafka.Client, cfg *config.Config) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	l := leftovers{client: client, cfg: cfg, partitions: map[string][]kafka.Partition{}, found: map[string]leftover{}}
	specs := Of(cfg)
	for _, t := range meta.Topics {
		if t.Error == nil && !slices.ContainsFunc(specs, func(s Spec) bool { return s.Name == t.Name }) {
			l.partitions[t.Name] = t.Partitions
		}
	}
	if err := l.find(ctx); err != nil {
		return nil, err
	}
	if err := l.count(ctx); err != nil {
		return nil, err
	}
	var problems []Problem
	for topic, is := range l.found {
		switch {
		case is.records == 0:
		case is.group == "":
			problems = append(problems, Problem{Topic: topic, Message: fmt.Sprintf("up to %d records that this configuration doesn't read", is.records), WayOut: is.wayOut})
		default:
			problems = append(problems, Problem{Topic: topic, Message: fmt.Sprintf("%d records that the group %s hasn't read, and that this configuration doesn't", is.records, is.group), WayOut: is.wayOut})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Topic, b.Topic) })
	return problems, nil
}

// leftovers is one search.
type leftovers struct {
	client     *kafka.Client
	cfg        *config.Config
	partitions map[string][]kafka.Partition // of each topic that isn't configured
	found      map[string]leftover          // by topic
}

type leftover struct {
	wayOut    string
	group     string        // that has offsets in the topic; "" where none has
	committed map[int]int64 // its offsets, by partition
	records   int64
}

// find looks for topics by their names, and by where our groups have offsets.
func (l *leftovers) find(ctx context.Context) error {
	source := l.cfg.Kafka.Topic
	for topic := range l.partitions {
		if topic == source+".dlq" {
			l.found[topic] = leftover{wayOut: "set kafka.deadLetterTopic to it to look at them, or delete the topic"}
		}
		if from, destination := retryOf(topic); from == source {
			if err := l.readBy(ctx, topic, destination, "configure the destination "+destination+" again until they are read, or delete the topic: its deliveries are lost then"); err != nil {
				return err
			}
		}
	}
	for _, d := range l.cfg.Destinations {
		offsets, err := l.offsets(ctx, d.Name)
		if err != nil {
			return err
		}
		for topic, committed := range offsets {
			if l.partitions[topic] == nil {
				continue
			}
			former, _ := retryOf(topic)
			if former == "" {
				former = topic
				if dead := topic + ".dlq"; l.partitions[dead] != nil {
					l.found[dead] = leftover{wayOut: "set kafka.deadLetterTopic to it to look at them, or delete the topic"}
				}
			}
			l.found[topic] = leftover{
				group: l.cfg.GroupID(d.Name), committed: committed,
				wayOut: "set kafka.topic to " + former + " again until they are read, unless another configuration reads them; or delete the topic or the group's offsets there: what it holds isn't sent then",
			}
		}
	}
	return nil
}

// readBy notes a retry topic of a destination, and what its group has read.
func (l *leftovers) readBy(ctx context.Context, topic, destination, wayOut string) error {
	offsets, err := l.offsets(ctx, destination)
	is := leftover{wayOut: wayOut}
	if offsets[topic] != nil {
		is.group, is.committed = l.cfg.GroupID(destination), offsets[topic]
	}
	l.found[topic] = is
	return err
}

// offsets are a destination's group's in all topics; none where this user may
// not see them.
func (l *leftovers) offsets(ctx context.Context, destination string) (map[string]map[int]int64, error) {
	group := l.cfg.GroupID(destination)
	res, err := l.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of the group %s: %w", group, err)
	}
	offsets := map[string]map[int]int64{}
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error != nil || p.CommittedOffset < 0 {
				continue
			}
			if offsets[topic] == nil {
				offsets[topic] = map[int]int64{}
			}
			offsets[topic][p.Partition] = p.CommittedOffset
		}
	}
	return offsets, nil
}

// count counts the records that are found, behind what a group has read.
func (l *leftovers) count(ctx context.Context) error {
	req := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for topic := range l.found {
		for _, p := range l.partitions[topic] {
			req.Topics[topic] = append(req.Topics[topic], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	res, err := l.client.ListOffsets(ctx, req)
	if err != nil {
		return fmt.Errorf("look up what the topics hold: %w", err)
	}
	for topic, partitions := range res.Topics {
		is := l.found[topic]
		for _, p := range partitions {
			if p.Error == nil {
				is.records += max(0, p.LastOffset-max(p.FirstOffset, is.committed[p.Partition]))
			}
		}
		l.found[topic] = is
	}
	return nil
}

// retryOf are the source and the destination of a retry topic of that name; ""
// for another topic.
func retryOf(topic string) (source, destination string) {
	before, tier, retry := strings.Cut(topic, ".retry.")
	dot := strings.LastIndexByte(before, '.')
	if !retry || tier == "" || dot <= 0 || dot == len(before)-1 {
		return "", ""
	}
	return before[:dot], before[dot+1:]
}
