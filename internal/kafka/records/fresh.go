package records

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// CountNow is Count of one topic as a broker knows it now, 0 where there is
// none: kafka-go tells for seconds that a new topic isn't there.
func (c *Cluster) CountNow(ctx context.Context, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	res, err := c.transport().RoundTrip(ctx, c.Client.Addr, &metadataQuestion{
		clientID: c.options.ClientID, request: metadata.Request{TopicNames: []string{topic}},
	})
	if err != nil {
		return 0, fmt.Errorf("read the metadata of topic %s: %w", topic, err)
	}
	for _, t := range res.(*metadataAnswer).Topics {
		switch err := kafka.Error(t.ErrorCode); {
		case t.Name != topic, t.ErrorCode != 0 && errors.Is(err, kafka.UnknownTopicOrPartition):
		case t.ErrorCode != 0:
			return 0, fmt.Errorf("read the metadata of topic %s: %w", topic, err)
		default:
			return len(t.Partitions), nil
		}
	}
	return 0, nil
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
