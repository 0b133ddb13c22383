package deadletter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/kafka/acked"
)

func newPublisher(t *testing.T, b *broker, topic string) *Publisher {
	t.Helper()
	p := NewPublisher(b.client.Addr, b.transport, topic)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPublishKeepsBytesAndPartition(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 4)
	var acks sync.Map
	b.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		acks.Store(req.(*kmsg.ProduceRequest).Acks, true)
		return nil, nil, false
	})
	p := newPublisher(t, b, "dlq")

	if err := p.Publish(t.Context(), full()); err != nil {
		t.Fatal(err)
	}
	got := b.partition(t, "dlq", 3)
	if len(got) != 1 {
		t.Fatalf("%d records in the source's partition, want 1", len(got))
	}
	want := Encode(full())
	if !bytes.Equal(got[0].Key, want.Key) || !bytes.Equal(got[0].Value, want.Value) || lines(got[0].Headers) != lines(want.Headers) {
		t.Errorf("got %+v\nwant %+v", got[0], want)
	}
	acks.Range(func(acks, _ any) bool {
		if acks != int16(-1) {
			t.Errorf("acks %v, want all (-1)", acks)
		}
		return true
	})
}

func TestPublishToAnotherPartitionWhenThereIsNone(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 2)
	p := newPublisher(t, b, "dlq")
	r := full()
	r.Partition = 9
	if err := p.Publish(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	all := append(b.partition(t, "dlq", 0), b.partition(t, "dlq", 1)...)
	if len(all) != 1 {
		t.Fatalf("%d records, want 1", len(all))
	}
	if got, err := Decode(all[0]); err != nil || got.Partition != 9 {
		t.Errorf("partition %d (%v), want the source's, 9", got.Partition, err)
	}
}

func TestConcurrentPublishesShareRequests(t *testing.T) {
	const n = 2000
	b := newBroker(t)
	b.createTopic(t, "dlq", 2)
	var mu sync.Mutex
	requests := 0
	b.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		requests++
		return nil, nil, false
	})
	p := newPublisher(t, b, "dlq")
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := full()
			r.Partition, r.Offset, r.MessageID = i%2, int64(i), fmt.Sprint("m-", i)
			if err := p.Publish(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	offsets := map[int64]bool{}
	for partition := range 2 {
		for _, m := range b.partition(t, "dlq", partition) {
			r, err := Decode(m)
			if err != nil || r.Partition != partition {
				t.Fatalf("%+v in partition %d: %v", r, partition, err)
			}
			offsets[r.Offset] = true
		}
	}
	if len(offsets) != n {
		t.Errorf("%d of %d dead letters are there", len(offsets), n)
	}
	if requests >= n/4 {
		t.Errorf("%d requests for %d dead letters", requests, n)
	}
}

// A megabyte that can't be compressed travels alone; what doesn't fit says so
// for itself and takes no other dead letter with it.
func TestPublishLarge(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 1, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "1114112"})
	p := newPublisher(t, b, "dlq")
	noise := func(n int) []byte {
		random := rand.NewChaCha8([32]byte{1})
		v := make([]byte, n)
		random.Read(v)
		return v
	}
	sizes := []int{1 << 20, 100, 300 << 10, 2 << 20, 100, 200 << 10}
	errs := make([]error, len(sizes))
	var wg sync.WaitGroup
	for i, n := range sizes {
		wg.Go(func() {
			r := full()
			r.Partition, r.Offset, r.Value = 0, int64(i), noise(n)
			errs[i] = p.Publish(t.Context(), r)
		})
	}
	wg.Wait()
	for i, n := range sizes {
		if n <= 1<<20 {
			if errs[i] != nil {
				t.Errorf("%d bytes: %v", n, errs[i])
			}
			continue
		}
		var refused *acked.WriteError
		if !errors.As(errs[i], &refused) || !refused.TooLarge() || refused.Temporary() {
			t.Errorf("%d bytes: %v, want a WriteError that is too large and not temporary", n, errs[i])
		}
		if !errors.Is(errs[i], kafka.MessageSizeTooLarge) {
			t.Errorf("%d bytes: %v doesn't wrap the broker's error", n, errs[i])
		}
	}
	if got := len(b.partition(t, "dlq", 0)); got != len(sizes)-1 {
		t.Errorf("%d records, want %d", got, len(sizes)-1)
	}
}

func TestPublishErrorsSayWhetherToTryAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		code      kafka.Error
		temporary bool
	}{
		"no leader":           {kafka.NotLeaderForPartition, true},
		"not enough replicas": {kafka.NotEnoughReplicas, true},
		"no permission":       {kafka.TopicAuthorizationFailed, false},
		"too large":           {kafka.MessageSizeTooLarge, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t)
			b.createTopic(t, "dlq", 4)
			b.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
				res := req.ResponseKind().(*kmsg.ProduceResponse)
				for _, topic := range req.(*kmsg.ProduceRequest).Topics {
					rt := kmsg.NewProduceResponseTopic()
					rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
					for _, partition := range topic.Partitions {
						rp := kmsg.NewProduceResponseTopicPartition()
						rp.Partition, rp.ErrorCode = partition.Partition, int16(tc.code)
						rt.Partitions = append(rt.Partitions, rp)
					}
					res.Topics = append(res.Topics, rt)
				}
				return res, nil, true
			})
			p := newPublisher(t, b, "dlq")
			err := p.Publish(t.Context(), full())
			var failed *acked.WriteError
			if !errors.As(err, &failed) || failed.Temporary() != tc.temporary || !errors.Is(err, tc.code) {
				t.Fatalf("got %v, want a WriteError of %v with Temporary() == %v", err, tc.code, tc.temporary)
			}
			// The fault is gone: the same publisher goes on.
			if err := p.Publish(t.Context(), full()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPublishGivesUpWithItsContext(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 4)
	p := newPublisher(t, b, "dlq")
	err := p.Publish(canceled(), full())
	var failed *acked.WriteError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || !failed.Temporary() {
		t.Errorf("got %v", err)
	}
}

func TestPublishWithoutBrokerOrTopic(t *testing.T) {
	b := newBroker(t)
	p := newPublisher(t, b, "missing")
	err := p.Publish(t.Context(), full())
	if !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("missing topic: %v", err)
	}
	b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var failed *acked.WriteError
	if err := p.Publish(ctx, full()); !errors.As(err, &failed) || !failed.Temporary() {
		t.Errorf("no broker: %v", err)
	}
}
