package integration

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/topics"
)

// TestRecordsOfEveryKind: whatever a Kafka record may be, it is settled, and
// what fails is dead-lettered as it was.
func TestRecordsOfEveryKind(t *testing.T) {
	t.Parallel()
	recordsOfEveryKind(t, settings{partitions: 2}, 0)
}

// TestRecordsOfEveryKindAmongUnwanted: the same, each behind so many that no
// trigger wants that those are skimmed.
func TestRecordsOfEveryKindAmongUnwanted(t *testing.T) {
	t.Parallel()
	recordsOfEveryKind(t, settings{partitions: 1}, 16_000)
}

// recordsOfEveryKind has `before` records that nobody wants before each odd one.
func recordsOfEveryKind(t *testing.T, s settings, before int) {
	r := newRig(t, s)
	big := person(1, fmt.Sprintf(`,"padding":%q`, strings.Repeat("x", 900_000)))
	noKey := person(2, "")
	noKey.Key = nil
	emptyKey := person(3, "")
	emptyKey.Key = []byte{}
	codecs := []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd}
	n := 4
	for _, codec := range codecs {
		w := &kafka.Writer{Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.topic, RequiredAcks: kafka.RequireAll, Compression: codec, BatchBytes: 2 << 20, BatchTimeout: time.Millisecond}
		batch := []kafka.Message{}
		for range 20 {
			m := person(n, "")
			m.Headers = []kafka.Header{{Key: "source", Value: []byte("test")}, {Key: "null", Value: nil}}
			batch = append(batch, m)
			n++
		}
		if err := w.WriteMessages(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	w := &kafka.Writer{Addr: r.client.Addr, Transport: r.client.Transport, Topic: r.topic, RequiredAcks: kafka.RequireAll, BatchBytes: 2 << 20, BatchTimeout: time.Millisecond}
	defer w.Close()
	odd := []kafka.Message{
		{Key: []byte("tombstone"), Value: nil},
		{Key: []byte("empty"), Value: []byte{}},
		{Key: nil, Value: []byte("[]"), Headers: []kafka.Header{{Key: "null", Value: nil}, {Key: "empty", Value: []byte{}}}},
		{Key: []byte{}, Value: []byte(`{"a":1} trailing`)},
		{Key: []byte{0xff, 0}, Value: []byte{0xff, 0xfe, 0}},
		{Value: []byte(strings.Repeat("[", 100_000))},
	}
	unwanted := make([]kafka.Message, before)
	for i := range unwanted {
		unwanted[i].Value = fmt.Appendf(nil, `{"type":"page","padding":"%200d"}`, i)
	}
	for _, m := range slices.Concat(odd, []kafka.Message{person(0, ""), big, noKey, emptyKey}) {
		if err := w.WriteMessages(t.Context(), slices.Concat(unwanted, []kafka.Message{m})...); err != nil {
			t.Fatal(err)
		}
	}
	worker := r.start()
	r.awaitDone(30 * time.Second)
	r.onceEach(n)
	if got := value(t, worker.Registry(), "engage_events_total", map[string]string{"reason": "tombstone"}); got != 1 {
		t.Errorf("%v tombstones were counted, want 1", got)
	}
	if got := value(t, worker.Registry(), "engage_events_total", map[string]string{"reason": "no_match"}); got != float64(before*(len(odd)+4)) {
		t.Errorf("%v unwanted events were counted, want %d", got, before*(len(odd)+4))
	}
	dead := r.deadLetters()
	if len(dead) != len(odd)-1 {
		t.Errorf("%d dead letters, want %d", len(dead), len(odd)-1)
	}
	for _, want := range odd[1:] {
		found := false
		for _, d := range dead {
			same := bytes.Equal(d.Key, want.Key) && (d.Key == nil) == (want.Key == nil) && bytes.Equal(d.Value, want.Value) && len(d.Headers) == len(want.Headers)
			for i := range d.Headers {
				same = same && d.Headers[i].Key == want.Headers[i].Key && (d.Headers[i].Value == nil) == (want.Headers[i].Value == nil)
			}
			found = found || same && d.Reason == "malformed_event" && d.Disposition == "malformed" && d.Action == ""
		}
		if !found {
			t.Errorf("no dead letter is %.20q with key %q and headers %v, byte for byte", want.Value, want.Key, want.Headers)
		}
	}
}

// TestDuplicates: a second event with the same messageId isn't sent, be it in
// another record with another key, or after a restart.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	first := people(50, "")
	again := people(50, "")
	for i := range again {
		again[i].Key = []byte("another")
	}
	r.produce(first...)
	r.produce(again...)
	w := r.start()
	r.awaitDone(20 * time.Second)
	r.onceEach(50)
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"reason": "duplicate"}); got != 50 {
		t.Errorf("%v duplicates were counted, want 50", got)
	}
	w.stop()
	r.produce(first...)
	w = r.start()
	r.awaitDone(20 * time.Second)
	r.onceEach(50)
	if got := value(t, w.Registry(), "engage_ledger_restored_records_total", nil); got < 100 {
		t.Errorf("the new owner read %v ledger records; each of 50 messages has two", got)
	}
}

// TestReadAgain: events that are read again after their offsets went back are
// known to the ledger.
func TestReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	messages := people(60, "")
	for i := range messages { // no messageId: the position is the identity
		messages[i].Value = bytes.Replace(messages[i].Value, fmt.Appendf(nil, `"messageId":"m-%06d",`, i), nil, 1)
	}
	r.produce(messages...)
	r.produce(kafka.Message{Key: []byte("k"), Value: []byte("no json")})
	r.start().stop()
	w := r.start()
	r.awaitDone(20 * time.Second)
	w.stop()
	back := []kafka.OffsetCommit{{Partition: 0}, {Partition: 1}}
	res, err := r.client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{GroupID: r.cfg.GroupID("onboarding"), GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{r.topic: back}})
	if err != nil || res.Topics[r.topic][0].Error != nil {
		t.Fatal(err, res)
	}
	w = r.start()
	r.awaitDone(20 * time.Second)
	if got := len(r.accepted()); got != 60 {
		t.Errorf("%d messages for 60 events", got)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "already_sent"}); got != 60 {
		t.Errorf("%v events were known as sent, want 60", got)
	}
}

// TestStartOffsets: a group without offsets begins where the configuration
// says; a partition that is added later is read from its beginning.
func TestStartOffsets(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	r.cfg.Kafka.StartOffset = "latest"
	for i := 100; i < 120; i++ {
		r.produce(person(i, ""))
	}
	w := r.start()
	r.await(20*time.Second, func() error {
		if got, want := fmt.Sprint(r.committed(r.topic)), fmt.Sprint(r.ends(r.topic)); got != want {
			return fmt.Errorf("the start is not committed: %s, want %s", got, want)
		}
		return nil
	})
	r.produce(people(10, "")...)
	r.awaitDone(20 * time.Second)
	r.onceEach(10)

	w.stop()
	res, err := r.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: r.topic, Count: 4}}})
	if err != nil || res.Errors[r.topic] != nil {
		t.Fatal(err, res)
	}
	// Before any replica knows the new partitions: nothing of them is lost.
	r.await(20*time.Second, func() error { // kafka-go learns of the partition
		_, err := r.client.Produce(t.Context(), &kafka.ProduceRequest{Topic: r.topic, Partition: 3, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes(person(10, "").Value), Time: time.Now()})})
		return err
	})
	r.await(20*time.Second, func() error { // so does the rig, which remembers for a moment
		if n := len(r.ends(r.topic)); n != 4 {
			return fmt.Errorf("%d partitions", n)
		}
		return nil
	})
	if _, err := topics.Ensure(t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.awaitDone(20 * time.Second)
	r.onceEach(11)
}

// TestPartitionsAdded: a running worker notices that the source grew, has the
// other topics grow along, and reads the new partitions from their beginning.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	r.start()
	r.produce(person(0, ""))
	r.awaitDone(20 * time.Second)
	res, err := r.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: r.topic, Count: 3}}})
	if err != nil || res.Errors[r.topic] != nil {
		t.Fatal(err, res)
	}
	r.await(20*time.Second, func() error { // kafka-go learns of it
		if n := len(r.ends(r.topic)); n != 3 {
			return fmt.Errorf("%d partitions", n)
		}
		return nil
	})
	for i := 1; i < 30; i++ {
		r.produce(person(i, ""))
	}
	r.awaitDone(40 * time.Second)
	r.onceEach(30)
}

// TestTopicsMadeAnew: all topics vanish under a running worker, which gives
// its shards up, and come back empty: it takes them up again, from their
// beginning, whatever it had read of the old ones.
func TestTopicsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	w := r.start()
	all := people(30, "")
	r.produce(all[:20]...)
	r.awaitDone(30 * time.Second)
	var gone []string
	for _, spec := range topics.Of(r.cfg) {
		gone = append(gone, spec.Name)
	}
	res, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: gone})
	if err != nil {
		t.Fatal(err)
	}
	for topic, err := range res.Errors {
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
	}
	r.await(30*time.Second, func() error {
		if s := w.Groups()[0].State(); s.Owned != 0 || !r.logs.contains("the source topic is gone") {
			return fmt.Errorf("%d shards are owned of a topic that is gone", s.Owned)
		}
		return nil
	})
	r.readyz(30*time.Second, http.StatusServiceUnavailable, r.topic)
	r.await(10*time.Second, func() error {
		_, err := topics.Ensure(t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{Partitions: 6})
		return err
	})
	r.await(20*time.Second, func() error {
		if n := len(r.ends(r.topic)); n != 6 {
			return fmt.Errorf("the topic has %d partitions", n)
		}
		return nil
	})
	r.produce(all[20:]...)
	r.awaitDone(60 * time.Second)
	r.onceEach(30)
}

// TestARetryTopicThatIsGone: nothing is sent without it, the log names it, and
// `topics create` is all that it takes.
func TestARetryTopicThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 3})
	r.start()
	r.produce(people(10, "")...)
	r.awaitDone(20 * time.Second)
	tier := r.cfg.RetryTopics("onboarding")[1]
	if res, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{tier}}); err != nil || res.Errors[tier] != nil {
		t.Fatal(res, err)
	}
	r.await(20*time.Second, func() error {
		if !r.logs.contains(`"missing":["` + tier + `"]`) {
			return fmt.Errorf("the log doesn't name %s", tier)
		}
		return nil
	})
	r.readyz(30*time.Second, http.StatusServiceUnavailable, tier)
	r.await(10*time.Second, func() error {
		_, err := topics.Ensure(t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{Partitions: 3})
		return err
	})
	for i := 10; i < 30; i++ {
		r.produce(person(i, ""))
	}
	r.awaitDone(60 * time.Second)
	r.onceEach(30)
	r.readyz(30*time.Second, http.StatusOK, "owns 3 shards")
}

// TestTopicsMissing: run ends with a line that says what to do.
func TestTopicsMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	r.cfg.Kafka.Topic = "no-such-topic-" + r.topic
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := runWorker(ctx, r)
	if err == nil || !strings.Contains(err.Error(), "topics create") || time.Since(start) > 15*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
