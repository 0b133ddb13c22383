package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// Sizes are what EnsureTopics takes where a topic is missing.
type Sizes struct {
	Partitions  int // of the source, the others have as many as it has; 0: the source must be there
	Replication int // 0: the source's, or three as far as there are brokers
}

// Change is what EnsureTopics did to a topic.
type Change struct {
	Topic       string
	Role        Role
	Partitions  int
	Replication int
	Done        Done
}

// Done is what was done to a topic.
type Done uint8

const (
	DoneNothing Done = iota + 1 // it was there
	DoneCreated
	DoneGrown // partitions were added
)

func (d Done) String() string {
	return [...]string{"", "exists", "created", "partitions added"}[d]
}

// EnsureTopics creates the topics that are missing and adds partitions to
// those that have fewer than the source. It never removes anything and never
// changes a setting, so that it may be run again at any time. With an error,
// the changes are those that were made before it; the error holds every topic
// that failed. The first spec is the source.
func EnsureTopics(ctx context.Context, client *kafka.Client, specs []Spec, sizes Sizes) ([]Change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, err := describe(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	plan, err := planTopics(ctx, client, now, specs, sizes)
	if err != nil {
		return nil, err
	}
	failed, err := plan.carryOut(ctx, client)
	if err != nil {
		return nil, err
	}
	var done []Change
	var errs []error
	for _, change := range plan.changes {
		if err := failed[change.Topic]; err != nil {
			errs = append(errs, err)
			continue
		}
		done = append(done, change)
	}
	return done, errors.Join(errs...)
}

// topicPlan is what is to be done, a change for each spec.
type topicPlan struct {
	changes []Change
	create  []kafka.TopicConfig
	grow    []kafka.TopicPartitionsConfig
}

func planTopics(ctx context.Context, client *kafka.Client, now cluster, specs []Spec, sizes Sizes) (*topicPlan, error) {
	source := now.topics[specs[0].Name]
	partitions := source.partitions
	if partitions == 0 {
		if partitions = sizes.Partitions; partitions < 1 {
			return nil, &TopicError{Topic: specs[0].Name, Op: "create", Err: errSourceMissing}
		}
	}
	replication := sizes.Replication
	switch {
	case replication > 0:
	case source.replication > 0:
		replication = source.replication
	default:
		const usual = 3
		replication = max(1, min(usual, now.brokers))
	}
	largest, err := largestRecord(ctx, client, specs[0].Name, source)
	if err != nil {
		return nil, err
	}
	plan := &topicPlan{}
	for _, spec := range specs {
		is := now.topics[spec.Name]
		change := Change{Topic: spec.Name, Role: spec.Role, Partitions: is.partitions, Replication: is.replication, Done: DoneNothing}
		switch {
		case is.partitions == 0:
			change.Partitions, change.Replication, change.Done = partitions, replication, DoneCreated
			plan.create = append(plan.create, topicConfig(spec, partitions, replication, largest))
		case is.partitions < partitions:
			change.Partitions, change.Done = partitions, DoneGrown
			plan.grow = append(plan.grow, kafka.TopicPartitionsConfig{Name: spec.Name, Count: int32(partitions)})
		}
		plan.changes = append(plan.changes, change)
	}
	return plan, nil
}

// largestRecord is what the source takes in one batch, or 0 when that isn't
// known: it doesn't exist, or its settings may not be read.
func largestRecord(ctx context.Context, client *kafka.Client, source string, is state) (int64, error) {
	if is.partitions == 0 {
		return 0, nil
	}
	found, _, err := describeConfigs(ctx, client, []string{source}, "max.message.bytes")
	if err != nil {
		return 0, err
	}
	largest, _ := found[source].whole("max.message.bytes")
	return largest, nil
}

// defaultLargestRecord is Kafka's max.message.bytes.
const defaultLargestRecord = 1048588

// topicConfig is how to create a topic.
func topicConfig(spec Spec, partitions, replication int, largest int64) kafka.TopicConfig {
	configs := map[string]string{}
	maps.Copy(configs, spec.Configs)
	if spec.Role != RoleSource {
		const durable = 3
		if replication >= durable {
			// Two replicas hold a record before it counts as written, and
			// one broker may be away.
			configs["min.insync.replicas"] = "2"
		}
		if spec.Role != RoleLedger {
			// The record is the source's and the worker's headers.
			configs["max.message.bytes"] = strconv.FormatInt(max(largest, defaultLargestRecord)+headroom, 10)
		}
	}
	topic := kafka.TopicConfig{Topic: spec.Name, NumPartitions: partitions, ReplicationFactor: replication}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: configs[name]})
	}
	return topic
}

// carryOut returns an error for each topic that failed, or one for all.
func (p *topicPlan) carryOut(ctx context.Context, client *kafka.Client) (map[string]error, error) {
	failed := map[string]error{}
	if len(p.create) > 0 {
		res, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: p.create})
		if err != nil {
			return nil, fmt.Errorf("create the topics: %w", err)
		}
		for topic, err := range res.Errors {
			if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) { // someone else's run was faster
				failed[topic] = &TopicError{Topic: topic, Op: "create", Err: err}
			}
		}
	}
	if len(p.grow) > 0 {
		res, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: p.grow})
		if err != nil {
			return nil, fmt.Errorf("add partitions: %w", err)
		}
		for topic, err := range res.Errors {
			if err != nil {
				failed[topic] = &TopicError{Topic: topic, Op: "add partitions to", Err: err}
			}
		}
	}
	return failed, nil
}

var errSourceMissing = errors.New("the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run `engage-worker topics create`")

// TopicError is one topic's.
type TopicError struct {
	Topic string
	Op    string // "create", "add partitions to"
	Err   error
}

func (e *TopicError) Error() string {
	if errors.Is(e.Err, kafka.InvalidReplicationFactor) {
		return fmt.Sprintf("%s the topic %s: the cluster has too few brokers for this replication factor; give --replication-factor", e.Op, e.Topic)
	}
	return fmt.Sprintf("%s the topic %s: %s", e.Op, e.Topic, Explain(e.Err))
}

func (e *TopicError) Unwrap() error { return e.Err }
