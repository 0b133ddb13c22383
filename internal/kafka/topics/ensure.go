package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/connect"
)

// callTimeout bounds all that Ensure does.
const callTimeout = 15 * time.Second

// Sizes are what Ensure takes where a topic is missing.
type Sizes struct {
	Partitions  int // of the source, the others have as many as it has; 0: the source must be there
	Replication int // 0: the source's, or three as far as there are brokers
}

// Change is what Ensure did to a topic.
type Change struct {
	Topic       string
	Role        Role
	Partitions  int
	Replication int
	Done        Done
	// Differs are the settings of a topic that was there and isn't set as
	// Ensure sets one: "retention.ms is 5 (set on the topic), not 604800000".
	// Not all of them matter; Check says which do.
	Differs []string
	// Unread: it was there, and its settings may not be read.
	Unread bool
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

// Ensure creates the topics that are missing and adds partitions to those that
// have fewer than the source. It never removes anything and never changes a
// setting, so that it may be run again at any time; it tells what differs.
// With an error, the changes are those that were made before it; the error
// holds every topic that failed. The first spec is the source.
func Ensure(ctx context.Context, client *kafka.Client, specs []Spec, sizes Sizes) ([]Change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now, found, _, err := look(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	plan, err := planTopics(now, found, specs, sizes)
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

func planTopics(now cluster, found map[string]settings, specs []Spec, sizes Sizes) (*topicPlan, error) {
	source := now.topics[specs[0].Name]
	partitions := source.partitions
	if partitions == 0 {
		if partitions = sizes.Partitions; partitions < 1 {
			return nil, &Error{Topic: specs[0].Name, Op: "create", Err: errSourceMissing}
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
	largest, _ := found[specs[0].Name].whole("max.message.bytes")
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
		if change.Done != DoneCreated {
			change.Unread = found[spec.Name] == nil
			change.Differs = differences(spec.settings(is.replication, largest), found[spec.Name])
		}
		plan.changes = append(plan.changes, change)
	}
	return plan, nil
}

// topicConfig is how to create a topic.
func topicConfig(spec Spec, partitions, replication int, largest int64) kafka.TopicConfig {
	configs := spec.settings(replication, largest)
	topic := kafka.TopicConfig{Topic: spec.Name, NumPartitions: partitions, ReplicationFactor: replication}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: configs[name]})
	}
	return topic
}

// differences are the settings that aren't as wanted, of those that the
// brokers tell.
func differences(wanted map[string]string, is settings) (differ []string) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if got, ok := is[name]; ok && !sameSetting(got.value, wanted[name]) {
			differ = append(differ, is.is(name)+", not "+wanted[name])
		}
	}
	return differ
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
				failed[topic] = &Error{Topic: topic, Op: "create", Err: err}
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
				failed[topic] = &Error{Topic: topic, Op: "add partitions to", Err: err}
			}
		}
	}
	return failed, nil
}

var errSourceMissing = errors.New("the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run `engage-worker topics create`")

// Error is the error of one topic.
type Error struct {
	Topic string
	Op    string // "create", "add partitions to"
	Err   error
}

func (e *Error) Error() string {
	if errors.Is(e.Err, kafka.InvalidReplicationFactor) {
		return fmt.Sprintf("%s the topic %s: the cluster has too few brokers for this replication factor; give --replication-factor", e.Op, e.Topic)
	}
	return fmt.Sprintf("%s the topic %s: %s", e.Op, e.Topic, connect.Explain(e.Err))
}

func (e *Error) Unwrap() error { return e.Err }
