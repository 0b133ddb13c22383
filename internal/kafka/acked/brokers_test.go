package acked

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/embedded"
)

const parts = 6

// onBrokers is an Appender at three brokers.
func onBrokers(t *testing.T) (*embedded.Broker, *kafka.Client, *Appender) {
	t.Helper()
	broker, err := embedded.Start(kfake.NumBrokers(3), kfake.SeedTopics(parts, "ledger", "status"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	for p := range int32(parts) {
		for _, topic := range []string{"ledger", "status"} {
			if err := broker.MoveTopicPartition(topic, p, p%3); err != nil {
				t.Fatal(err)
			}
		}
	}
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport, Timeout: 10 * time.Second}
	a := NewAppender(client, "tester", func(ctx context.Context, topic string, partition int) (int, error) {
		meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return 0, err
		}
		for _, p := range meta.Topics[0].Partitions {
			if p.ID == partition {
				return p.Leader.ID, nil
			}
		}
		return 0, kafka.UnknownTopicOrPartition
	})
	t.Cleanup(a.Close)
	return broker, client, a
}

// persist appends until it works.
func persist(t *testing.T, a *Appender, topic string, partition int, records ...Record) (base int64) {
	for {
		base, err := a.Append(t.Context(), topic, partition, records)
		if err == nil || t.Context().Err() != nil {
			return base
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestBrokersTakeWhatIsAppended: records of two topics' partitions are where it is
// said, null and empty as they were, while a leader moves and moves again, and
// one partition refuses for a while. Several partitions share a request.
func TestBrokersTakeWhatIsAppended(t *testing.T) {
	broker, client, a := onBrokers(t)
	var requests, batches, refused atomic.Int64
	broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		r := req.(*kmsg.ProduceRequest)
		requests.Add(1)
		sole := false
		for _, topic := range r.Topics {
			batches.Add(int64(len(topic.Partitions)))
			sole = len(r.Topics) == 1 && len(topic.Partitions) == 1 && topic.Topic == "status" && topic.Partitions[0].Partition == 5
		}
		if r.Acks != -1 || r.TimeoutMillis != int32(inSyncTime.Milliseconds()) {
			t.Error("the request wants ", r.Acks, " acknowledgements in ", r.TimeoutMillis, " ms")
		}
		if sole && refused.Add(1) <= 3 {
			res := r.ResponseKind().(*kmsg.ProduceResponse)
			res.Topics = []kmsg.ProduceResponseTopic{{Topic: "status", Partitions: []kmsg.ProduceResponseTopicPartition{{Partition: 5, ErrorCode: kerr.NotEnoughReplicas.Code}}}}
			return res, nil, true
		}
		return nil, nil, false
	})
	const rounds = 50
	var writers sync.WaitGroup
	for _, topic := range []string{"ledger", "status"} {
		for p := range parts {
			writers.Go(func() {
				for i := range int64(rounds) {
					key := fmt.Appendf(nil, "%s/%d/%d", topic, p, i)
					if base := persist(t, a, topic, p, Record{Key: key, Time: time.UnixMilli(1000 + i)}, Record{Value: []byte{}}); base != 2*i {
						t.Errorf("%s is at %d", key, base)
					}
				}
			})
		}
	}
	for i := range int32(4) {
		if err := broker.MoveTopicPartition("ledger", 0, (i+1)%3); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	writers.Wait()
	if requests.Load() >= batches.Load() {
		t.Errorf("%d requests for %d batches", requests.Load(), batches.Load())
	}
	t.Logf("%d requests for %d batches", requests.Load(), batches.Load())
	res, err := client.Fetch(t.Context(), &kafka.FetchRequest{Topic: "status", Partition: 5, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(rounds) {
		at := time.UnixMilli(1000 + i)
		first, err1 := res.Records.ReadRecord()
		if err1 != nil || first.Value != nil || !first.Time.Equal(at) || first.Offset != 2*i {
			t.Fatal(i, first, err1)
		}
		key, _ := kafka.ReadAll(first.Key)
		second, err2 := res.Records.ReadRecord()
		if err2 != nil || second.Key != nil || second.Value == nil || second.Value.Len() != 0 || string(key) != fmt.Sprintf("status/5/%d", i) {
			t.Fatal(i, string(key), second, err2)
		}
	}
}

// TestErrorsAreTheBrokers: what a broker says of a partition, and what it leaves out.
func TestErrorsAreTheBrokers(t *testing.T) {
	broker, _, a := onBrokers(t)
	answer := func(fill func(res *kmsg.ProduceResponse)) {
		broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			res := req.ResponseKind().(*kmsg.ProduceResponse)
			fill(res)
			return res, nil, true
		})
	}
	answer(func(res *kmsg.ProduceResponse) {
		res.Topics = []kmsg.ProduceResponseTopic{{Topic: "ledger", Partitions: []kmsg.ProduceResponseTopicPartition{{Partition: 1, ErrorCode: kerr.MessageTooLarge.Code}}}}
	})
	if _, err := a.Append(t.Context(), "ledger", 1, []Record{{}}); !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Error(err)
	}
	answer(func(*kmsg.ProduceResponse) {})
	if _, err := a.Append(t.Context(), "ledger", 1, []Record{{}}); !errors.Is(err, errNotAnswered) {
		t.Error(err)
	}
	if _, err := a.Append(t.Context(), "ledger", parts, []Record{{}}); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Error(err)
	}
	if base, err := a.Append(t.Context(), "ledger", 1, []Record{{}}); base != 0 || err != nil {
		t.Error(base, err)
	}
}
