package connect

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
)

// Role is what a topic is to the worker.
type Role uint8

const (
	RoleSource     Role = iota + 1 // the producer's; the worker only reads it
	RoleDeadLetter                 // deliveries that can't be made
	RoleRetry                      // deliveries to try again later
	RoleLedger                     // what was sent
)

func (r Role) String() string {
	return [...]string{"", "source", "dead letter", "retry", "ledger"}[r]
}

// Spec is a topic as the worker wants it. Its partitions are always as many as
// the source's.
type Spec struct {
	Name    string
	Role    Role
	Configs map[string]string // as CreateTopics takes them; nothing for the source
	// Configs that depend on the cluster (min.insync.replicas,
	// max.message.bytes) are added when the topic is made.
}

const (
	deadLetterRetention = 30 * 24 * time.Hour
	retryRetention      = 7 * 24 * time.Hour
	ledgerRetention     = 7 * 24 * time.Hour
	compactionLag       = time.Hour
	// ledgerSegment bounds what a new owner reads beyond the live records:
	// Kafka neither compacts nor deletes the active segment.
	ledgerSegment = 6 * time.Hour
	// headroom is what the worker's headers may add to a record of the
	// source's largest size.
	headroom = 64 << 10
)

// Topics are the topics of a configuration: the source first, then the dead
// letters, then each destination's.
func Topics(cfg *config.Config) []Spec {
	specs := []Spec{
		{Name: cfg.Kafka.Topic, Role: RoleSource},
		{Name: cfg.DeadLetterTopic(), Role: RoleDeadLetter, Configs: map[string]string{
			"cleanup.policy":   "delete",
			"compression.type": "producer",
			"retention.ms":     milliseconds(deadLetterRetention),
		}},
	}
	for _, d := range cfg.Destinations {
		for _, topic := range cfg.RetryTopics(d.Name) {
			specs = append(specs, Spec{Name: topic, Role: RoleRetry, Configs: map[string]string{
				"cleanup.policy":   "delete",
				"compression.type": "producer",
				"retention.ms":     milliseconds(retryRetention),
			}})
		}
		specs = append(specs, Spec{Name: cfg.LedgerTopic(d.Name), Role: RoleLedger, Configs: map[string]string{
			"cleanup.policy":        "compact,delete",
			"compression.type":      "producer",
			"min.compaction.lag.ms": milliseconds(compactionLag),
			"retention.ms":          milliseconds(ledgerRetention),
			"segment.ms":            milliseconds(ledgerSegment),
		}})
	}
	return specs
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// state is a topic as it is.
type state struct {
	partitions  int // 0: there is no such topic
	replication int // of the least replicated partition
}

// cluster is what the brokers say of the topics, at most MetadataTTL old.
type cluster struct {
	brokers int
	topics  map[string]state
}

func describe(ctx context.Context, client *kafka.Client, specs []Spec) (cluster, error) {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return cluster{}, fmt.Errorf("look up the topics: %w", err)
	}
	c := cluster{brokers: len(meta.Brokers), topics: make(map[string]state, len(specs))}
	for _, t := range meta.Topics {
		if errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			continue
		}
		if t.Error != nil && !errors.Is(t.Error, kafka.LeaderNotAvailable) {
			return cluster{}, fmt.Errorf("look up the topic %s: %w", t.Name, t.Error)
		}
		s := state{partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			if s.replication == 0 || len(p.Replicas) < s.replication {
				s.replication = len(p.Replicas)
			}
		}
		c.topics[t.Name] = s
	}
	return c, nil
}

// settings are a topic's configuration; nil when they may not be read.
type settings map[string]string

// describeConfigs asks for the settings of the topics. A topic whose settings
// can't be read is in denied, with the reason.
func describeConfigs(ctx context.Context, client *kafka.Client, topics []string, names ...string) (found map[string]settings, denied map[string]error, err error) {
	found, denied = map[string]settings{}, map[string]error{}
	if len(topics) == 0 {
		return found, denied, nil
	}
	req := &kafka.DescribeConfigsRequest{}
	for _, topic := range topics {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic,
			ResourceName: topic,
			ConfigNames:  names,
		})
	}
	res, err := client.DescribeConfigs(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("look up the topics' settings: %w", err)
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			denied[r.ResourceName] = r.Error
			continue
		}
		s := settings{}
		for _, entry := range r.ConfigEntries {
			s[entry.ConfigName] = entry.ConfigValue
		}
		found[r.ResourceName] = s
	}
	return found, denied, nil
}

// whole is a setting that is a whole number; false when it isn't known.
func (s settings) whole(name string) (int64, bool) {
	n, err := strconv.ParseInt(s[name], 10, 64)
	return n, err == nil
}
