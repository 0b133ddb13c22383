package records

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// leaders are topics' partitions as a broker told of them. Topics that aren't there,
// or may not be seen, are absent.
type leaders map[string]lookup

// lookup is what a broker told of a topic.
type lookup struct {
	topic metadata.ResponseTopic
	at    time.Time
}

const (
	// recent is how old what is known of a topic may be: many shards ask at once.
	recent = 200 * time.Millisecond

	// metadataTimeout bounds a question, for which others wait.
	metadataTimeout = 5 * time.Second
)

// leaders asks a broker of topics, as far as it wasn't asked a moment ago. What kafka-go
// remembers is too old for who comes because of a leader that has moved. There is one
// question at a time: each takes a connection.
func (c *Cluster) leaders(ctx context.Context, topics ...string) (leaders, error) {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found := leaders{}
	q := &metadataQuestion{clientID: c.options.ClientID}
	for _, topic := range topics {
		if known, ok := c.recent[topic]; ok && time.Since(known.at) < recent {
			found[topic] = known
		} else {
			q.request.TopicNames = append(q.request.TopicNames, topic)
		}
	}
	if len(q.request.TopicNames) == 0 {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	res, err := c.transport().RoundTrip(ctx, c.Client.Addr, q)
	if err != nil {
		return nil, err
	}
	for _, t := range res.(*metadataAnswer).Topics {
		switch kafka.Error(t.ErrorCode) {
		case kafka.UnknownTopicOrPartition, kafka.TopicAuthorizationFailed:
			delete(c.recent, t.Name)
		default:
			found[t.Name] = lookup{t, time.Now()}
			c.recent[t.Name] = found[t.Name]
		}
	}
	return found, nil
}

// of is the number of a partition's leader. A partition without one is
// kafka.LeaderNotAvailable, an unknown one kafka.UnknownTopicOrPartition.
func (l leaders) of(topic string, partition int) (int, error) {
	t := l[topic].topic
	if t.ErrorCode != 0 {
		return 0, kafka.Error(t.ErrorCode)
	}
	i := slices.IndexFunc(t.Partitions, func(p metadata.ResponsePartition) bool { return int(p.PartitionIndex) == partition })
	switch {
	case i < 0:
		return 0, kafka.UnknownTopicOrPartition
	case t.Partitions[i].LeaderID < 0:
		return 0, kafka.LeaderNotAvailable
	}
	return int(t.Partitions[i].LeaderID), nil
}

// leader is the number of a partition's leader, as of a moment ago.
func (c *Cluster) leader(ctx context.Context, topic string, partition int) (id int, err error) {
	all, err := c.leaders(ctx, topic)
	if err == nil {
		id, err = all.of(topic, partition)
	}
	if err != nil {
		return 0, fmt.Errorf("find the leader of %s/%d: %w", topic, partition, err)
	}
	return id, nil
}

// Count is the number of partitions of each topic that exists, as a broker knows it now;
// topics that don't, or may not be seen, are absent.
func (c *Cluster) Count(ctx context.Context, topics ...string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	all, err := c.leaders(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read the metadata of %v: %w", topics, err)
	}
	n := make(map[string]int, len(all))
	for name, t := range all {
		if t.topic.ErrorCode != 0 {
			return nil, fmt.Errorf("read the metadata of topic %s: %w", name, kafka.Error(t.topic.ErrorCode))
		}
		n[name] = len(t.topic.Partitions)
	}
	return n, nil
}

// metadataQuestion asks a broker: kafka-go answers its own kind of question
// itself, out of what it remembers.
type metadataQuestion struct {
	clientID string
	request  metadata.Request
}

// metadataVersion is the first one that can't make a topic by asking.
const metadataVersion = 4

// ApiKey is of protocol.Message.
//
//nolint:staticcheck // the name is kafka-go's
func (q *metadataQuestion) ApiKey() protocol.ApiKey { return protocol.Metadata }

// Required is of protocol.RawExchanger.
func (q *metadataQuestion) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (q *metadataQuestion) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	res, err := protocol.RoundTrip(rw, metadataVersion, correlation.Add(1), q.clientID, &q.request)
	if err != nil {
		return nil, err
	}
	return &metadataAnswer{res.(*metadata.Response)}, nil
}

// metadataAnswer keeps kafka-go from taking the answer for one to a question of
// its own kind.
type metadataAnswer struct{ *metadata.Response }
