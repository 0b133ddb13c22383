package connect

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"

	"engage-worker/internal/config"
)

// A Transport is a pool of connections for kafka.Writer and kafka.Client. Its
// errors know the brokers, for Explain. Whoever made it calls
// CloseIdleConnections in the end.
type Transport struct {
	*kafka.Transport
	login  bool
	looked atomic.Int64 // when it looked again, Unix ns
}

// NewTransport makes a pool. It connects when first used.
func NewTransport(cfg config.Kafka) (*Transport, error) {
	dial, err := newDialer(cfg)
	if err != nil {
		return nil, err
	}
	return &Transport{
		Transport: &kafka.Transport{
			ClientID:    clientIDOf(cfg),
			DialTimeout: dialTimeout,
			MetadataTTL: metadataTTL,
			Dial:        dial.dial,
		},
		login: dial.login != nil,
	}, nil
}

// RoundTrip is kafka.Transport's; an error is a *ClusterError. After a failure the pool
// looks again at who the brokers are and what they lead. What it doesn't know itself, as
// of a topic that was made since, is asked again then.
func (t *Transport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	res, err := t.Transport.RoundTrip(ctx, addr, req)
	switch {
	case unknown(res, err):
		t.lookAgain(ctx, addr)
		res, err = t.Transport.RoundTrip(ctx, addr, req)
	case err != nil || refused(res):
		t.lookAgain(ctx, addr)
	}
	if err != nil {
		return res, &ClusterError{Brokers: addr.String(), Login: t.login, Err: err}
	}
	return res, nil
}

// unknown reports whether the pool answered by itself that it knows no such topic,
// partition or leader, so that nothing was sent.
func unknown(res kafka.Response, err error) bool {
	if told, _ := res.(*metadata.Response); told != nil {
		return slices.ContainsFunc(told.Topics, func(t metadata.ResponseTopic) bool { return t.ErrorCode != 0 })
	}
	return errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoLeader)
}

// refused reports whether a partition didn't take what was written into it.
func refused(res kafka.Response) bool {
	written, _ := res.(*produce.Response)
	return written != nil && slices.ContainsFunc(written.Topics, func(t produce.ResponseTopic) bool {
		return slices.ContainsFunc(t.Partitions, func(p produce.ResponsePartition) bool { return p.ErrorCode != 0 })
	})
}

// lookEvery is the time between two looks, and what one takes at most.
const lookEvery = time.Second

// lookAgain returns once the pool has read the metadata, unless it did so just now.
func (t *Transport) lookAgain(ctx context.Context, addr net.Addr) {
	last, now := t.looked.Load(), time.Now().UnixNano()
	if now-last < int64(lookEvery) || !t.looked.CompareAndSwap(last, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	_, _ = t.Transport.RoundTrip(ctx, addr, look{}) // whoever fails next looks again
}

// look makes a kafka.Transport read the metadata: it does so after topics were made, and at
// nobody's request. Nothing of it goes to a broker.
type look struct{}

// ApiKey is of protocol.Message.
//
//nolint:staticcheck // the name is kafka-go's
func (look) ApiKey() protocol.ApiKey { return protocol.CreateTopics }

// Required is of protocol.RawExchanger.
func (look) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange is of protocol.RawExchanger.
func (look) RawExchange(io.ReadWriter) (protocol.Message, error) {
	return &createtopics.Response{}, nil
}
