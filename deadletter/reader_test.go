package deadletter

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// letters makes n dead letters over the partitions, a minute apart.
func letters(n, partitions int) []*Record {
	rs := make([]*Record, n)
	for i := range rs {
		r := full()
		r.Partition, r.Offset, r.MessageID = i%partitions, int64(i), fmt.Sprint("m-", i)
		r.LastFailedAt = at("2026-03-01T00:00:00Z").Add(time.Duration(i) * time.Minute)
		rs[i] = r
	}
	return rs
}

func readAll(t *testing.T, r *Reader, since time.Time) (read []*Record, faults []error) {
	t.Helper()
	spans, err := r.Spans(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	progress := new(Progress)
	err = r.Read(t.Context(), spans, progress, func(r *Record, fault error) error {
		read, faults = append(read, r.Clone()), append(faults, fault)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if progress.Done() != progress.Total() {
		t.Errorf("progress %d of %d", progress.Done(), progress.Total())
	}
	return read, faults
}

func TestReadIsWholeAndInOrder(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 5) // one stays empty
	want := letters(3000, 4)
	b.put(t, "dlq", want...)
	b.produce(t, "dlq",
		kafka.Message{Value: []byte("?"), WriterData: 2},
		kafka.Message{Headers: headers("engage.reason=expired", "engage.twilio.code=x"), WriterData: 2})

	r := &Reader{b.cluster(), "dlq"}
	read, faults := readAll(t, r, time.Time{})
	if len(read) != len(want)+2 {
		t.Fatalf("%d records, want %d", len(read), len(want)+2)
	}
	last, seen, bad := map[int]int64{}, map[string]bool{}, []string{}
	for i, r := range read {
		if next := last[r.Position.Partition]; r.Position.Offset != next {
			t.Fatalf("partition %d: offset %d, want %d", r.Position.Partition, r.Position.Offset, next)
		}
		last[r.Position.Partition]++
		if faults[i] != nil {
			bad = append(bad, faults[i].Error())
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(r.MessageID, "m-"))
		if err != nil {
			t.Fatal(err)
		}
		expected := *want[n]
		expected.id, expected.Position = want[n].ID(), r.Position
		// kafka-go reads an empty header value as nil.
		if r.Position.Time.IsZero() || fmt.Sprintf("%+v", *r) != fmt.Sprintf("%+v", expected) {
			t.Fatalf("got  %+v\nwant %+v", *r, expected)
		}
		seen[r.ID()] = true
	}
	if len(seen) != len(want) {
		t.Errorf("%d different ids, want %d", len(seen), len(want))
	}
	if want := []string{"not a dead letter of engage-worker", "header engage.twilio.code: not a whole number"}; !reflect.DeepEqual(bad, want) {
		t.Errorf("faults %q, want %q", bad, want)
	}
}

func TestReadSince(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 2)
	for i, when := range []string{"2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"} {
		r := full()
		r.Partition, r.MessageID = 0, fmt.Sprint(i)
		m := Encode(r)
		m.Time, m.WriterData = at(when), 0
		b.produce(t, "dlq", m)
	}
	for since, want := range map[string][]string{
		"2026-03-01T09:00:00Z":     {"0", "1", "2"},
		"2026-03-01T11:00:00Z":     {"1", "2"},
		"2026-03-01T11:00:01Z":     {"2"},
		"2026-03-01T13:00:00Z":     nil,
		"3026-03-01T13:00:00Z":     nil,
		"1969-12-31T23:59:59.999Z": {"0", "1", "2"},
		"0001-03-01T00:00:00Z":     {"0", "1", "2"},
	} {
		read, _ := readAll(t, &Reader{b.cluster(), "dlq"}, at(since))
		var got []string
		for _, r := range read {
			got = append(got, r.MessageID)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("since %s: %v, want %v", since, got, want)
		}
	}
}

// What is written after the beginning isn't read: the reading ends.
func TestReadIsASnapshot(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 1)
	b.put(t, "dlq", letters(10, 1)...)
	r := &Reader{b.cluster(), "dlq"}
	spans, err := r.Spans(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "dlq", letters(10, 1)...)
	n := 0
	if err := r.Read(t.Context(), spans, nil, func(*Record, error) error { n++; return nil }); err != nil || n != 10 {
		t.Errorf("%d records (%v), want 10", n, err)
	}
}

func TestReadEndsWithWhatItIsTold(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 4)
	b.put(t, "dlq", letters(1000, 4)...)
	r := &Reader{b.cluster(), "dlq"}
	spans, err := r.Spans(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := r.Read(t.Context(), spans, nil, func(*Record, error) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the caller's error", err)
	}
	if err := r.Read(canceled(), spans, nil, func(*Record, error) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

// A lost connection in between costs nothing; a broker that never gives what
// it has is an error, not the end.
func TestReadThroughFaults(t *testing.T) {
	b := newBroker(t)
	b.createTopic(t, "dlq", 1)
	b.put(t, "dlq", letters(2000, 1)...)
	r := &Reader{b.cluster(), "dlq"}
	spans, err := r.Spans(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var fail atomic.Int64
	b.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		if fail.Add(-1) >= 0 {
			return nil, errors.New("connection cut"), true
		}
		return nil, nil, false
	})
	n := 0
	count := func(*Record, error) error { n++; return nil }
	fail.Store(2)
	if err := r.Read(t.Context(), spans, nil, count); err != nil || n != 2000 {
		t.Errorf("after two cuts: %d records (%v), want 2000", n, err)
	}
	fail.Store(1 << 30)
	if err := r.Read(t.Context(), spans, nil, count); err == nil {
		t.Error("no error though nothing can be fetched")
	}
}

func TestReadMissingTopic(t *testing.T) {
	b := newBroker(t)
	r := &Reader{b.cluster(), "missing"}
	if _, err := r.Spans(t.Context(), time.Time{}); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("got %v", err)
	}
}
