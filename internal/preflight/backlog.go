package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/records"
)

const (
	// mostEvents bounds how many records of a source, and then of a ledger, are
	// looked at.
	mostEvents = 100_000
	// lateAfter is how old an event may be that waits to be read and is no news.
	lateAfter = 10 * time.Minute
	// clocks is how far apart the clocks of those may be who write a source and
	// a ledger.
	clocks = 10 * time.Minute

	backlogBytes = 1 << 20 // of one answer
)

// Backlog says how many people each action of each destination would text of
// the events that its group hasn't read yet, which may be many when offsets
// were moved back or an action was added. What the ledger knows as sent and
// what is too old is left out. It is a warning where there are such events
// of more than ten minutes ago. The error is one of reaching Kafka.
func Backlog(ctx context.Context, client *kafka.Client, cfg *config.Config) (results []Result, err error) {
	cluster := records.NewCluster(client, records.Options{})
	defer cluster.Close()
	for _, d := range cfg.Destinations {
		destination, faults := actions.New(d.Definition, actions.Options{Log: zerolog.Nop(), Region: cfg.TwilioRegion, Regions: cfg.RegionNames()})
		if len(faults) > 0 {
			return results, fmt.Errorf("destination %s: %s: %s", d.Name, faults[0].Path, faults[0].Message)
		}
		b := backlog{cluster: cluster, cfg: cfg, name: d.Name, actions: destination, now: time.Now(), open: map[string]*open{}, texts: make([]int, len(d.Actions))}
		err := b.look(ctx)
		destination.Close()
		if err != nil {
			return results, err
		}
		results = append(results, b.result())
	}
	return results, nil
}

// backlog is one destination's.
type backlog struct {
	cluster *records.Cluster
	cfg     *config.Config
	name    string
	actions *actions.Destination
	now     time.Time

	events, looked int64
	open           map[string]*open // by the keys that the ledger may know a delivery by
	texts          []int            // how many would be made, by action
	sent, tooOld   int
	oldest         time.Time // of those that would be made
}

// open is a delivery that would be made.
type open struct {
	action int
	sent   bool // or would, if it weren't sent already
}

// look reads what the group hasn't read.
func (b *backlog) look(ctx context.Context) error {
	topic, group := b.cfg.Kafka.Topic, b.cfg.GroupID(b.name)
	res, err := b.cluster.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group})
	if err != nil {
		return fmt.Errorf("read the offsets of the group %s: %w", group, err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil || p.CommittedOffset < 0 {
			continue
		}
		first, end, err := b.cluster.Bounds(ctx, topic, p.Partition)
		if err != nil {
			return err
		}
		if from := max(first, p.CommittedOffset); from < end {
			b.events += end - from
			if err := b.partition(ctx, p.Partition, from, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// errEnough ends a reading.
var errEnough = errors.New("enough")

// partition finds what would be done of a span of the source's partition.
func (b *backlog) partition(ctx context.Context, partition int, from, end int64) error {
	clear(b.open)
	scanner := records.Scanner{Cluster: b.cluster, MaxBytes: backlogBytes}
	var earliest time.Time
	err := scanner.Scan(ctx, records.Span{Topic: b.cfg.Kafka.Topic, Partition: partition, From: from, End: end}, func(block []records.Record) error {
		for i := range block {
			if b.looked++; b.looked > mostEvents {
				return errEnough
			}
			r := &block[i]
			if earliest.IsZero() || r.Time.Before(earliest) {
				earliest = r.Time
			}
			b.event(r, partition)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if len(b.open) == 0 {
		return nil
	}
	return b.leaveOutSent(ctx, partition, earliest.Add(-clocks))
}

// event notes what would be done of a record.
func (b *backlog) event(r *records.Record, partition int) {
	wants := b.actions.Match(r.Value).Actions
	if wants == 0 {
		return
	}
	m := r.Message(b.cfg.Kafka.Topic, partition)
	decoded, err := b.actions.Decode(m.Value)
	if err != nil {
		return
	}
	o := intake.SourceOrigin(&m)
	for i, action := range b.actions.Actions() {
		if wants&(1<<i) == 0 || o.Replayed && !o.Replay.Wants(b.name, action) {
			continue
		}
		id := o.IdempotencyKey(decoded.MessageID())
		key := func(name string) string { return string(ledger.AppendKey(nil, name, id)) }
		if b.open[key(action)] != nil {
			continue // the same event again
		}
		if limit := b.cfg.Delivery.MaxEventAge; limit > 0 && b.now.Sub(m.Time) > limit {
			b.tooOld++
			continue
		}
		if b.oldest.IsZero() || m.Time.Before(b.oldest) {
			b.oldest = m.Time
		}
		b.texts[i]++
		delivery := &open{action: i}
		for _, name := range append([]string{action}, b.actions.FormerNames()[i]...) {
			b.open[key(name)] = delivery
		}
	}
}

// leaveOutSent takes what the ledger knew as sent before this began out of
// what would be done. Nothing was recorded of an event before its time.
func (b *backlog) leaveOutSent(ctx context.Context, partition int, since time.Time) error {
	topic := b.cfg.LedgerTopic(b.name)
	from, err := b.cluster.Offsets(ctx, topic, []int{partition}, since.UnixMilli())
	if err != nil || from[0] < 0 {
		return err
	}
	_, end, err := b.cluster.Bounds(ctx, topic, partition)
	if err != nil || from[0] >= end {
		return err
	}
	looked := 0
	scanner := records.Scanner{Cluster: b.cluster, MaxBytes: backlogBytes}
	err = scanner.Scan(ctx, records.Span{Topic: topic, Partition: partition, From: from[0], End: end}, func(block []records.Record) error {
		for _, r := range block {
			if looked++; looked > mostEvents {
				return errEnough
			}
			delivery := b.open[string(r.Key)]
			if delivery == nil || delivery.sent {
				continue
			}
			if e, err := ledger.ParseEntry(r.Value); err == nil && e.State == ledger.Sent && e.Time.Before(b.now) {
				delivery.sent = true
				b.texts[delivery.action]--
				b.sent++
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// result puts it into words.
func (b *backlog) result() Result {
	what := fmt.Sprintf("%s: %d events that its group hasn't read", b.name, b.events)
	var would []string
	for i, action := range b.actions.Actions() {
		if n := b.texts[i]; n > 0 {
			would = append(would, fmt.Sprintf("%s up to %d people", action, n))
		}
	}
	if b.events > 0 {
		what += fmt.Sprintf(" (%d deliveries are sent already, %d too old)", b.sent, b.tooOld)
	}
	if b.looked > mostEvents {
		what += fmt.Sprintf(", of the first %d", mostEvents)
	}
	if len(would) == 0 || b.now.Sub(b.oldest) < lateAfter {
		return ok(what)
	}
	return Result{
		What: what, Status: StatusWarning, Problem: fmt.Sprintf("would text, for events since %s: %s", b.oldest.UTC().Format(time.RFC3339), strings.Join(would, ", ")),
		WayOut: "if they aren't meant any more, stop all replicas and lower delivery.maxEventAge, or move the group's offsets forward",
	}
}
