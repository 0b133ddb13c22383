package deadletter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
)

// Confirmer tells from the record of replays whether a source record is the
// replayed dead letter that its headers say. Headers are anybody's to write, so
// they only say where to look. It is safe for concurrent use.
//
// What it keeps is bounded, and so is what a record costs that isn't what it
// says: two requests, and an answer of at most confirmSpan records.
type Confirmer struct {
	Cluster *records.Cluster
	Topic   string // of the record of replays

	mu    sync.Mutex
	spans []*confirmed // what was read lately, the latest last
	count int          // of the record's partitions
	since time.Time    // it was as many
}

const (
	// confirmSpan is how many records are looked through from where a header
	// says. It is above 1 because compaction may have taken that very record
	// away: then the one that says how it went follows, behind what is left of
	// its own chunk of intents and of a few others.
	confirmSpan = 8 * maxChunk

	// keptSpans is how many spans are kept: replays go partition by partition.
	keptSpans = 4

	// forgetful is how long a broker that has just started may not know the record.
	forgetful = 10 * time.Second
)

// confirmed is a part of a partition of the record.
type confirmed struct {
	partition int
	from, end int64
	replays   map[planKey]Audit
}

// planKey is one replay under its plan.
type planKey struct {
	replayKey
	plan string
}

// Confirm reports whether the record, of the source, is a replay, and which. It
// is one if the record of replays says that this very event was about to be
// published, as what its headers say, at its offset or before.
//
// An error is Kafka's: then nobody knows.
func (c *Confirmer) Confirm(ctx context.Context, m *kafka.Message) (r Replayed, ok bool, err error) {
	said, ok := parseClaim(m.Headers)
	if !ok || said.offset < 0 {
		return Replayed{}, false, nil
	}
	a, ok, err := c.find(ctx, said)
	if err != nil {
		return Replayed{}, false, fmt.Errorf("read the replays' record: %w", err)
	}
	if !ok || a.Destination != said.Destination || a.Action != said.Action || a.SourceEnd > m.Offset || a.Event != fingerprint(m.Value) {
		return Replayed{}, false, nil
	}
	return a.replayed(), true, nil
}

// replayed is what the record says of a replay.
func (a Audit) replayed() Replayed {
	return Replayed{ID: a.ID, Destination: a.Destination, Action: a.Action, Origin: a.Origin, Replays: a.Replay, Permission: a.Permission}
}

// find is what the record says of a claim's replay, if anything.
func (c *Confirmer) find(ctx context.Context, said claim) (Audit, bool, error) {
	key := planKey{replayKey{said.ID, said.Origin, said.Replays}, said.plan}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if span.partition == said.partition && span.from <= said.offset && said.offset < span.end {
			if a, ok := span.replays[key]; ok {
				return a, true, nil
			}
		}
	}
	span, err := c.read(ctx, said)
	if span == nil || err != nil {
		return Audit{}, false, err
	}
	c.spans = append(slices.Delete(c.spans, 0, max(0, len(c.spans)+1-keptSpans)), span)
	a, ok := span.replays[key]
	return a, ok, nil
}

// read reads the record from where a claim says, nil where there is no such place.
func (c *Confirmer) read(ctx context.Context, said claim) (*confirmed, error) {
	counts, err := c.Cluster.Count(ctx, c.Topic)
	if err != nil {
		return nil, err
	}
	if n := counts[c.Topic]; n >= c.count || time.Since(c.since) > forgetful {
		c.count, c.since = n, time.Now()
	}
	switch {
	case said.partition >= c.count:
		return nil, nil
	case said.partition >= counts[c.Topic]:
		return nil, kafka.UnknownTopicOrPartition // which will be known in a moment
	}
	first, end, err := c.Cluster.Bounds(ctx, c.Topic, said.partition)
	if err != nil || said.offset >= end {
		return nil, err
	}
	from := max(first, said.offset)
	span := &confirmed{partition: said.partition, from: said.offset, end: min(end, from+confirmSpan), replays: map[planKey]Audit{}}
	scanner := records.Scanner{Cluster: c.Cluster, MaxBytes: fetchBytes}
	err = scanner.Scan(ctx, records.Span{Topic: c.Topic, Partition: said.partition, From: from, End: span.end}, func(block []records.Record) error {
		for i := range block {
			a, err := DecodeAudit(block[i].Value)
			if err != nil || a.OfSeries() {
				continue // it confirms nothing
			}
			switch key := (planKey{a.key(), a.Plan}); a.State {
			case Intended, Published:
				span.replays[key] = a
			case Abandoned: // surely not published
				delete(span.replays, key)
			}
		}
		return nil
	})
	return span, err
}
