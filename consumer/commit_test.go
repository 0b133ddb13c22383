package consumer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/consumer/intake"
	"engage-worker/consumer/lease"
	"engage-worker/internal/kafka/records"
)

// String is sorted, for comparing.
func (o offsets) String() string {
	var all []string
	for topic, of := range o {
		for shard, at := range of {
			all = append(all, fmt.Sprintf("%s/%d:%d", topic, shard, at))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// coordinator notes what it is asked to commit.
type coordinator struct {
	asked  []string
	answer error
}

func (c *coordinator) CommitOffsets(all map[string]map[int]int64) error {
	c.asked = append(c.asked, offsets(maps.Clone(all)).String())
	return c.answer
}

// TestWhatDidntMoveIsCommittedSeldom: all offsets at first, after a refusal until they
// are accepted, and every hour; else one of each topic, so that each commit is one that
// the coordinator refuses where the generation is over or a topic is gone.
func TestWhatDidntMoveIsCommittedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		to := &coordinator{answer: errors.New("not now")}
		cluster := records.NewCluster(&kafka.Client{}, records.Options{})
		defer cluster.Close()
		gen := &generation{group: sharing(time.Now(), &told), lease: &lease.Lease{}, ended: t.Context(), commits: to}
		gen.group.parts.Cluster = cluster
		for id := range shards {
			s := &shard{gen: gen, id: id}
			for i, topic := range []string{source, retryTopic} {
				st := intake.New(intake.Config{Topic: topic, Shard: id, Offset: int64(10*i + id)}, intake.Parts{Cluster: cluster, Metrics: gen.group.parts.Metrics})
				if err := st.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.streams = append(s.streams, st)
			}
			gen.shards = append(gen.shards, s)
		}
		const all, few = "events.d.retry.1s/0:10 events.d.retry.1s/1:11 events/0:0 events/1:1", "events.d.retry.1s/0:10 events/0:0"
		want := []string{all, all, few, few, all, all, few}
		_ = gen.commit()
		if gen.lease.Remaining(time.Now()) > 0 {
			t.Error("a refused commit gives a lease")
		}
		to.answer = nil
		for range 3 {
			_ = gen.commit()
			time.Sleep(5 * time.Second)
			if got := gen.lease.Remaining(time.Now()); got != 5*time.Second {
				t.Errorf("5 s after a commit the lease holds for %v", got)
			}
		}
		time.Sleep(recommitEvery)
		synctest.Wait()
		to.answer = errors.New("not now")
		_ = gen.commit()
		to.answer = nil
		_ = gen.commit()
		_ = gen.commit()
		if !slices.Equal(to.asked, want) {
			t.Errorf("committed\n%s\nwant\n%s", strings.Join(to.asked, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestWhatMovedIsCommitted: a quiet member's commits name one offset of each topic, and
// those that moved besides.
func TestWhatMovedIsCommitted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var mu sync.Mutex
	seen := map[string]int{}
	r.broker.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.broker.KeepControl()
		all := offsets{}
		for _, topic := range req.(*kmsg.OffsetCommitRequest).Topics {
			for _, p := range topic.Partitions {
				all.put(topic.Topic, int(p.Partition), p.Offset)
			}
		}
		mu.Lock()
		seen[all.String()]++
		mu.Unlock()
		return nil, nil, false
	})
	await := func(want string, times int) {
		t.Helper()
		r.eventually("the commits", func() error {
			mu.Lock()
			defer mu.Unlock()
			if seen[want] < times {
				return fmt.Errorf("%v, want %d of %s", seen, times, want)
			}
			return nil
		})
	}
	const retries = "events.d.retry.1s/0:0 "
	stop := r.run(r.group(zerolog.Nop(), nil))
	defer stop()
	await("events.d.retry.1s/0:0 events.d.retry.1s/1:0 events/0:0 events/1:0", 1)
	await(retries+"events/0:0", 3)
	r.write(source, 1, kafka.Message{Value: []byte("nobody")})
	await(retries+"events/0:0 events/1:1", 1)
	r.write(source, 0, kafka.Message{Value: event("a")})
	r.awaitSent("a")
	await(retries+"events/0:1", 3)
	stop()
	r.await(source, retryTopic)
}
