// Package acked writes records to chosen partitions of Kafka topics and
// returns only when all in-sync replicas have them.
package acked

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// lingering is how long a record waits for company. Someone waits for
	// each: it is small beside a round trip to all replicas.
	lingering = 5 * time.Millisecond

	// batchBytes bounds a batch of small records, and decides which are
	// small. The broker measures a whole batch against max.message.bytes
	// and refuses all of it, so records that come near it travel alone.
	batchBytes = 256 << 10

	// largestRequest is there only because kafka-go wants a limit; how
	// large a record may be is the broker's to say.
	largestRequest = 256 << 20

	// WriteTimeout is how long one attempt may take.
	WriteTimeout = 10 * time.Second
)

// Writer puts records into chosen partitions, acknowledged by all in-sync
// replicas, one attempt each. It is safe for concurrent use; concurrent calls
// share requests.
type Writer struct {
	topic string // "": each record names its own
	small *kafka.Writer
	large *kafka.Writer
}

// NewWriter makes a Writer for a topic, or with "" for those that the records
// name. It connects when first used, through transport (nil: without TLS or
// SASL), whose idle connections are its owner's to close.
func NewWriter(addr net.Addr, transport kafka.RoundTripper, topic string) *Writer {
	base := func() *kafka.Writer {
		return &kafka.Writer{
			Addr:         addr,
			Topic:        topic,
			Transport:    transport,
			RequiredAcks: kafka.RequireAll,
			Balancer:     kafka.BalancerFunc(ChosenPartition),
			BatchTimeout: lingering,
			WriteTimeout: WriteTimeout,
			ReadTimeout:  WriteTimeout,
			MaxAttempts:  1, // retrying is the caller's, who knows what it holds up
		}
	}
	w := &Writer{topic: topic, small: base(), large: base()}
	w.small.BatchBytes = batchBytes
	w.small.Compression = kafka.Lz4
	w.large.BatchBytes = largestRequest
	w.large.BatchSize = 1
	// A large event was probably compressed well by its producer, and
	// max.message.bytes holds for what is compressed.
	w.large.Compression = kafka.Zstd
	return w
}

// Write returns nil once all in-sync replicas have m in the partition, or in
// one that its key chooses if the topic has no such partition. The error is a
// *WriteError. m's memory must stay as it is, also after an error.
func (w *Writer) Write(ctx context.Context, m kafka.Message, partition int) error {
	m.WriterData = partition
	to := w.small
	if size(m) > batchBytes/2 {
		to = w.large
	}
	err := to.WriteMessages(ctx, m)
	if err == nil {
		return nil
	}
	return &WriteError{Topic: w.topicOf(m), Partition: partition, Err: first(err)}
}

// WriteAll writes messages of one topic into one partition, in their order.
func (w *Writer) WriteAll(ctx context.Context, messages []kafka.Message, partition int) error {
	for len(messages) > 0 {
		// Runs of small ones go together; a large one waits for them.
		n := 0
		for n < len(messages) && size(messages[n]) <= batchBytes/2 {
			messages[n].WriterData = partition
			n++
		}
		if n == 0 {
			if err := w.Write(ctx, messages[0], partition); err != nil {
				return err
			}
			messages = messages[1:]
			continue
		}
		if err := w.small.WriteMessages(ctx, messages[:n]...); err != nil {
			return &WriteError{Topic: w.topicOf(messages[0]), Partition: partition, Err: first(err)}
		}
		messages = messages[n:]
	}
	return nil
}

// first is the error of the first message that failed.
func first(err error) error {
	if each, ok := errors.AsType[kafka.WriteErrors](err); ok {
		for _, err := range each {
			if err != nil {
				return err
			}
		}
	}
	return err
}

// Close waits for what is under way, at most about a WriteTimeout.
func (w *Writer) Close() error { return errors.Join(w.small.Close(), w.large.Close()) }

func (w *Writer) topicOf(m kafka.Message) string {
	if w.topic != "" {
		return w.topic
	}
	return m.Topic
}

// size is about what m takes in a batch, uncompressed.
func size(m kafka.Message) int {
	n := len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// ChosenPartition is a kafka.BalancerFunc: the partition in WriterData, where Write
// puts it, or if the topic has no such partition, one that the key chooses.
func ChosenPartition(m kafka.Message, partitions ...int) int {
	p, ok := m.WriterData.(int)
	if ok && slices.Contains(partitions, p) {
		return p
	}
	h := fnv.New32a()
	h.Write(m.Key)
	return partitions[int(h.Sum32()%uint32(len(partitions)))]
}

// WriteError is a record that was not acknowledged. It may have been written
// all the same: readers fold records by their id.
type WriteError struct {
	Topic     string
	Partition int
	Err       error
}

func (e *WriteError) Error() string {
	at := fmt.Sprintf("write to %s, partition %d", e.Topic, e.Partition)
	if e.TooLarge() {
		return fmt.Sprintf("%s: %v: raise the topic's max.message.bytes above the source topic's, as topics create does: headers are added", at, e.Err)
	}
	return fmt.Sprintf("%s: %v", at, e.Err)
}

func (e *WriteError) Unwrap() error { return e.Err }

// TooLarge reports that the topic refuses a record of this size.
func (e *WriteError) TooLarge() bool {
	var local kafka.MessageTooLargeError
	return errors.Is(e.Err, kafka.MessageSizeTooLarge) || errors.Is(e.Err, kafka.RecordListTooLarge) || errors.As(e.Err, &local)
}

// Temporary reports that another attempt may succeed without anybody
// changing anything. A cancelled context and lost connections count as such;
// what the broker refuses for good, by size or permission, doesn't.
func (e *WriteError) Temporary() bool {
	if e.TooLarge() {
		return false
	}
	if broker, ok := errors.AsType[kafka.Error](e.Err); ok {
		return broker.Temporary()
	}
	return true
}
