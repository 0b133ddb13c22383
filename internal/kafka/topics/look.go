package topics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"engage-worker/internal/kafka/connect"
)

// state is a topic as it is.
type state struct {
	partitions  int // 0: there is no such topic, as far as this user may see
	replication int // of the least replicated partition
	hidden      bool
	operations  int32 // a bit for each Operation that this user may do
}

// cluster is what the brokers say of the topics.
type cluster struct {
	brokers int
	topics  map[string]state
}

// describe asks a broker about the topics.
func describe(ctx context.Context, client *kafka.Client, specs []Spec) (cluster, error) {
	req := &metadata.Request{IncludeTopicAuthorizedOperations: true}
	for _, s := range specs {
		req.TopicNames = append(req.TopicNames, s.Name)
	}
	const version = 8 // since Kafka 2.3
	res, err := ask(ctx, client, &question{Message: req, version: version})
	if err != nil {
		return cluster{}, fmt.Errorf("look up the topics: %w", err)
	}
	meta := res.(*metadata.Response)
	c := cluster{brokers: len(meta.Brokers), topics: make(map[string]state, len(specs))}
	for _, t := range meta.Topics {
		switch err := kafka.Error(t.ErrorCode); {
		case errors.Is(err, kafka.UnknownTopicOrPartition):
			continue
		case errors.Is(err, kafka.TopicAuthorizationFailed):
			c.topics[t.Name] = state{hidden: true}
			continue
		case t.ErrorCode != 0 && !errors.Is(err, kafka.LeaderNotAvailable):
			return cluster{}, fmt.Errorf("look up the topic %s: %w", t.Name, err)
		}
		s := state{partitions: len(t.Partitions), operations: t.TopicAuthorizedOperations}
		for _, p := range t.Partitions {
			if s.replication == 0 || len(p.ReplicaNodes) < s.replication {
				s.replication = len(p.ReplicaNodes)
			}
		}
		c.topics[t.Name] = s
	}
	return c, nil
}

// look asks for the topics, and for the settings of those that are there. A topic
// whose settings can't be read is in denied, with the reason.
func look(ctx context.Context, client *kafka.Client, specs []Spec) (now cluster, found map[string]settings, denied map[string]error, err error) {
	if now, err = describe(ctx, client, specs); err != nil {
		return now, nil, nil, err
	}
	var there []string
	for _, spec := range specs {
		if now.topics[spec.Name].partitions > 0 {
			there = append(there, spec.Name)
		}
	}
	found, denied, err = describeConfigs(ctx, client, there)
	return now, found, denied, err
}

// question is a request that goes to a broker in a version of our choice.
// kafka-go answers its own metadata requests out of its memory, which may be
// old, and misunderstands some answers in the newest version that it speaks.
type question struct {
	protocol.Message
	version  int16
	clientID string
	answer   protocol.Message
}

// groupQuestion goes to the group's coordinator.
type groupQuestion struct {
	*question
	group string
}

var (
	_ protocol.RawExchanger = (*question)(nil)
	_ protocol.GroupMessage = groupQuestion{}
)

// Group is of protocol.GroupMessage.
func (q groupQuestion) Group() string { return q.group }

// ask returns the answer to a question.
func ask(ctx context.Context, client *kafka.Client, q *question) (protocol.Message, error) {
	return asked(ctx, client, q, q)
}

// askCoordinator asks the group's.
func askCoordinator(ctx context.Context, client *kafka.Client, group string, q *question) (protocol.Message, error) {
	return asked(ctx, client, q, groupQuestion{q, group})
}

func asked(ctx context.Context, client *kafka.Client, q *question, routed protocol.Message) (protocol.Message, error) {
	q.clientID = connect.ClientID(client)
	transport := client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	if _, err := transport.RoundTrip(ctx, client.Addr, routed); err != nil {
		return nil, err
	}
	return q.answer, nil
}

// Required is of protocol.RawExchanger.
func (q *question) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (q *question) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const correlation = 1 // the connection is ours alone
	if err := protocol.WriteRequest(rw, q.version, correlation, q.clientID, q.Message); err != nil {
		return nil, err
	}
	_, res, err := protocol.ReadResponse(rw, q.ApiKey(), q.version)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	q.answer = res
	return q, err // kafka-go would take a metadata.Response for one to its own request
}

// setting is one of a topic's.
type setting struct {
	value string
	from  origin
}

// origin is where a setting comes from, in Kafka's numbers.
type origin int8

func (o origin) String() string {
	switch o {
	case 1:
		return "set on the topic"
	case 2, 3, 4: // of one broker, of all, of the file
		return "set on the brokers"
	default:
		return "Kafka's default"
	}
}

// settings are a topic's, by name.
type settings map[string]setting

// describeConfigs asks for the settings of the topics, or says why not.
func describeConfigs(ctx context.Context, client *kafka.Client, topics []string) (found map[string]settings, denied map[string]error, err error) {
	found, denied = map[string]settings{}, map[string]error{}
	if len(topics) == 0 {
		return found, denied, nil
	}
	req := &kafka.DescribeConfigsRequest{}
	for _, topic := range topics {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic})
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
			s[entry.ConfigName] = setting{entry.ConfigValue, origin(entry.ConfigSource)}
		}
		found[r.ResourceName] = s
	}
	return found, denied, nil
}

// whole is a setting that is a whole number; false when it isn't known.
func (s settings) whole(name string) (int64, bool) {
	n, err := strconv.ParseInt(s[name].value, 10, 64)
	return n, err == nil
}

// is says what a setting is and why: "retention.ms is 5 (set on the topic)".
func (s settings) is(name string) string {
	return fmt.Sprintf("%s is %s (%s)", name, s[name].value, s[name].from)
}
