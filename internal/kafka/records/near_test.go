package records

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// nearby is a cluster of two nodes, of which the one that doesn't lead the
// topic answers as a follower in the rack "here": with the leader's batches.
type nearby struct {
	*site
	leader, follower int32
	failing          atomic.Pointer[kerr.Error] // what the follower answers, if anything
	gone             atomic.Bool                // it hangs up
	sent, served     atomic.Int64               // to the follower, and answers with records by it
	far              atomic.Int64               // questions to the leader without a rack

	mu      sync.Mutex
	batches []byte
	end     int64
}

func newNearby(t *testing.T) *nearby {
	n := &nearby{site: newSite(t, kfake.NumBrokers(2))}
	n.leader = n.broker.LeaderFor(topic, 0)
	n.follower = 1 - n.leader
	n.all = NewCluster(n.client, Options{Rack: "here"})
	t.Cleanup(n.all.Close)
	n.broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.batches = append([]byte(nil), req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records...)
		n.end = 100
		return nil, nil, false
	})
	n.broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		n.broker.KeepControl()
		asked := req.(*kmsg.FetchRequest)
		if n.broker.CurrentNode() == n.leader {
			if asked.Rack == "" {
				n.far.Add(1)
				return nil, nil, false
			}
			n.sent.Add(1)
			return n.answer(asked, func(p *kmsg.FetchResponseTopicPartition, _ int64) { p.PreferredReadReplica = n.follower }), nil, true
		}
		if n.gone.Load() {
			return nil, errors.New("gone"), true
		}
		return n.answer(asked, n.follow), nil, true
	})
	return n
}

// follow is the follower's answer for an offset.
func (n *nearby) follow(p *kmsg.FetchResponseTopicPartition, offset int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.failing.Load(); err != nil {
		p.ErrorCode = err.Code
		return
	}
	if offset < n.end {
		p.RecordBatches = n.batches
		n.served.Add(1)
	}
}

func (n *nearby) answer(asked *kmsg.FetchRequest, fill func(*kmsg.FetchResponseTopicPartition, int64)) kmsg.Response {
	res := asked.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range asked.Topics {
		of := kmsg.NewFetchResponseTopic()
		of.Topic = t.Topic
		for _, p := range t.Partitions {
			one := kmsg.NewFetchResponseTopicPartition()
			one.Partition, one.HighWatermark, one.LastStableOffset = p.Partition, n.end, n.end
			fill(&one, p.FetchOffset)
			of.Partitions = append(of.Partitions, one)
		}
		res.Topics = append(res.Topics, of)
	}
	return res
}

// TestTheNearestReplicaIsRead: the leader is asked once, and its follower from
// then on; once that fails, the leader gives the records, and nobody hears of
// it.
func TestTheNearestReplicaIsRead(t *testing.T) {
	for name, fail := range map[string]func(n *nearby){
		"it goes on": func(*nearby) {},
		"the follower hasn't the position": func(n *nearby) {
			n.failing.Store(kerr.OffsetOutOfRange)
		},
		"the follower isn't one any more": func(n *nearby) {
			n.failing.Store(kerr.NotLeaderForPartition)
		},
		"the follower is gone": func(n *nearby) {
			n.gone.Store(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNearby(t)
			n.put(100, kafka.Snappy)
			l := n.all.Open(topic, 0, 0, little)
			defer l.Close()
			read := func(from, end int64) {
				t.Helper()
				for from < end {
					block, err := l.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range block {
						if r.Offset != from {
							t.Fatalf("offset %d instead of %d", r.Offset, from)
						}
						from++
					}
				}
			}
			read(0, 100)
			if n.sent.Load() != 1 || n.served.Load() == 0 || n.far.Load() != 0 {
				t.Errorf("the leader was asked %d times with a rack and %d times without, the follower gave records %d times", n.sent.Load(), n.far.Load(), n.served.Load())
			}
			fail(n)
			l.SeekTo(0)
			read(0, 100)
			if failed := name != "it goes on"; failed != (n.far.Load() > 0) {
				t.Errorf("the leader gave the records %d times", n.far.Load())
			}
			if n.sent.Load() != 1 {
				t.Errorf("the leader named the follower %d times", n.sent.Load())
			}
		})
	}
}

// TestNearness: a follower is asked for a while, and one that failed isn't for
// a while.
func TestNearness(t *testing.T) {
	b := &broker{cluster: &Cluster{options: Options{Rack: "here"}}}
	now := time.Now()
	for _, c := range []struct {
		n     nearness
		stale bool
		rack  string
	}{
		{nearness{}, false, "here"},
		{nearness{follower: true, until: now.Add(nearFor)}, false, "here"},
		{nearness{follower: true, until: now.Add(-time.Second)}, true, "here"},
		{nearness{until: now.Add(farFor)}, false, ""},
		{nearness{until: now.Add(-time.Second)}, false, "here"},
	} {
		if c.n.stale(now) != c.stale || b.rackFor([]place{{seat: &seat{}}, {seat: &seat{near: c.n}}}) != c.rack {
			t.Errorf("%+v: stale %t, rack %q", c.n, c.n.stale(now), b.rackFor([]place{{seat: &seat{near: c.n}}}))
		}
	}
}
