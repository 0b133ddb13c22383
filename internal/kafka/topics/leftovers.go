package topics

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Leftovers are topics beside the source that look like ours, hold records,
// and that this configuration doesn't read: the retries and dead letters of
// a destination that was removed or renamed, or of a dead-letter topic that was
// another before. Their problems are no more than warnings. The error is one
// of reaching Kafka.
func Leftovers(ctx context.Context, client *kafka.Client, specs []Spec) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	req := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for _, t := range meta.Topics {
		known := slices.ContainsFunc(specs, func(s Spec) bool { return s.Name == t.Name })
		if known || t.Error != nil || leftover(specs[0].Name, t.Name) == "" {
			continue
		}
		for _, p := range t.Partitions {
			req.Topics[t.Name] = append(req.Topics[t.Name], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	if len(req.Topics) == 0 {
		return nil, nil
	}
	res, err := client.ListOffsets(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("look up what the topics hold: %w", err)
	}
	var problems []Problem
	for topic, partitions := range res.Topics {
		records := int64(0)
		for _, p := range partitions {
			if p.Error == nil {
				records += p.LastOffset - p.FirstOffset
			}
		}
		if records == 0 {
			continue
		}
		problems = append(problems, Problem{Topic: topic,
			Message: fmt.Sprintf("up to %d records that this configuration doesn't read", records), WayOut: leftover(specs[0].Name, topic)})
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Topic, b.Topic) })
	return problems, nil
}

// leftover is what to do with a topic of this name, or "" if it isn't one of
// the source's.
func leftover(source, topic string) string {
	rest, ours := strings.CutPrefix(topic, source+".")
	destination, tier, retry := strings.Cut(rest, ".retry.")
	switch {
	case !ours:
		return ""
	case rest == "dlq":
		return "set kafka.deadLetterTopic to it to look at them, or delete the topic"
	case retry && destination != "" && !strings.Contains(destination, ".") && tier != "":
		return "configure the destination " + destination + " again until they are read, or delete the topic: its deliveries are lost then"
	}
	return ""
}
