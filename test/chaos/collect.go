package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/test/chaos/evidence"
)

// spans are what a topic holds, by partition.
func (r *run) spans(ctx context.Context, topic string) ([]records.Span, error) {
	count, err := r.broker.cluster.Count(ctx, topic)
	if err != nil {
		return nil, err
	}
	partitions := make([]int, count[topic])
	for p := range partitions {
		partitions[p] = p
	}
	return r.broker.cluster.AllBounds(ctx, topic, partitions)
}

// commits are where a destination's group stands in a topic.
func (r *run) commits(ctx context.Context, destination, topic string) (all []evidence.Commit, err error) {
	spans, err := r.spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	req := &kafka.OffsetFetchRequest{GroupID: r.cfg.GroupID(destination), Topics: map[string][]int{}}
	for _, span := range spans {
		all = append(all, evidence.Commit{Topic: topic, Partition: span.Partition, End: span.End})
		req.Topics[topic] = append(req.Topics[topic], span.Partition)
	}
	res, err := r.broker.client.OffsetFetch(ctx, req)
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("read the commits: %w", err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("read the commits: %w", p.Error)
		}
		all[p.Partition].Committed = max(0, p.CommittedOffset)
	}
	return all, nil
}

// read calls each for every record of a topic.
func (r *run) read(ctx context.Context, topic string, each func(kafka.Message)) error {
	spans, err := r.spans(ctx, topic)
	if err != nil {
		return err
	}
	scanner := records.Scanner{Cluster: r.broker.cluster, MaxBytes: 4 << 20}
	for _, span := range spans {
		if err := scanner.Scan(ctx, span, func(block []records.Record) error {
			for i := range block {
				each(block[i].Message(topic, span.Partition))
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// collect reads everything that the run left behind.
func (r *run) collect(ctx context.Context) (*evidence.History, error) {
	h := &evidence.History{Topic: r.topic, PerEvent: r.scenario.perEvent}
	r.mu.Lock()
	h.Faults = append(h.Faults, r.faults...)
	replicas := r.all
	r.mu.Unlock()
	h.Requests, h.Messages = r.vendor.history()
	refs := map[string]string{} // by position, for what has no messageId
	var errs []error
	errs = append(errs, r.read(ctx, r.topic, func(m kafka.Message) {
		rec := evidence.Record{Ref: evidence.RefOf(m.Value), At: m.Time, Place: place(m)}
		refs[deadletter.Origin(m.Topic, m.Partition, m.Offset)] = rec.Ref
		if replay, ok := deadletter.ParseReplayed(m.Headers); ok {
			rec.Replay = fmt.Sprintf("%s/%d", replay.ID, replay.Replays)
		}
		h.Records = append(h.Records, rec)
	}))
	errs = append(errs, r.collectDead(ctx, h))
	for _, d := range r.cfg.Destinations {
		errs = append(errs, r.collectOf(ctx, h, d.Name, refs))
	}
	for _, w := range replicas {
		owned, err := w.owned()
		errs = append(errs, err)
		h.Owners = append(h.Owners, owned...)
	}
	return h, errors.Join(errs...)
}

// collectOf reads what a destination left behind; refs are the events by their
// position.
func (r *run) collectOf(ctx context.Context, h *evidence.History, destination string, refs map[string]string) error {
	errs := []error{r.collectStatuses(ctx, h, destination)}
	if !r.withoutLedger {
		errs = append(errs, r.read(ctx, r.cfg.LedgerTopic(destination), func(m kafka.Message) {
			_, key, _ := strings.Cut(string(m.Key), "\x00")
			if ref := refs[key]; ref != "" {
				key = ref
			}
			e, err := ledger.ParseEntry(m.Value)
			if err != nil {
				errs = append(errs, err)
				return
			}
			h.Ledger = append(h.Ledger, evidence.Entry{Ref: key, At: e.Time, State: e.State.String(), SID: e.SID, Generation: e.Generation, Place: place(m)})
		}))
	}
	retries := r.cfg.RetryTopics(destination)
	topics := append([]string{r.topic}, retries[:]...)
	for _, topic := range topics {
		commits, err := r.commits(ctx, destination, topic)
		errs = append(errs, err)
		h.Commits = append(h.Commits, commits...)
		if topic == r.topic {
			continue
		}
		errs = append(errs, r.read(ctx, topic, func(m kafka.Message) {
			retry := evidence.Retry{Ref: evidence.RefOf(m.Value), At: m.Time, Place: place(m)}
			for _, header := range m.Headers {
				switch header.Key {
				case "engage.retry.not_before":
					retry.Due = string(header.Value)
				case "engage.retry.action":
					retry.Action = string(header.Value)
				case "engage.retry.reason":
					retry.Reason = string(header.Value)
				}
			}
			for _, c := range commits {
				retry.Done = retry.Done || c.Partition == m.Partition && m.Offset < c.Committed
			}
			h.Retries = append(h.Retries, retry)
		}))
	}
	return errors.Join(errs...)
}

func place(m kafka.Message) evidence.Place {
	return evidence.Place{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}
}
