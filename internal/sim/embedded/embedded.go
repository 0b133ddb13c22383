// Package embedded is an Apache Kafka protocol broker inside the process, for
// the demo and for tests. It keeps its topics in memory, or in a folder with
// kfake.DataDir.
package embedded

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Broker is a running embedded broker. Its Cluster injects faults, moves
// leaders and shows groups.
type Broker struct{ *kfake.Cluster }

// Start runs a broker of one node on loopback ports of its own. Later options
// override earlier defaults: sessions may be as short as 100 ms, and requests
// of versions that Apache Kafka 4 removed are refused as it refuses them.
func Start(opts ...kfake.Opt) (*Broker, error) {
	opts = append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(100 * time.Millisecond),
	}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start the embedded broker: %w", err)
	}
	b := &Broker{cluster}
	cluster.Control(b.refuseRemoved)
	return b, nil
}

// Brokers are the addresses to bootstrap from.
func (b *Broker) Brokers() []string { return b.ListenAddrs() }

// oldest is the lowest version of each request that Apache Kafka 4.0 accepts
// (KIP-896), where that isn't 0.
var oldest = map[kmsg.Key]int16{
	kmsg.Produce:      3,
	kmsg.Fetch:        4,
	kmsg.ListOffsets:  1,
	kmsg.OffsetCommit: 2,
	kmsg.OffsetFetch:  1,
	kmsg.JoinGroup:    2,
	kmsg.CreateTopics: 2,
	kmsg.DeleteTopics: 1,
}

// refuseRemoved closes the connection of a client that speaks a version that
// Apache Kafka 4 no longer knows, as the real broker does.
func (b *Broker) refuseRemoved(req kmsg.Request) (kmsg.Response, error, bool) {
	key := kmsg.Key(req.Key())
	if v := oldest[key]; req.GetVersion() < v {
		b.KeepControl()
		return nil, fmt.Errorf("%s version %d: Apache Kafka 4 accepts %d and up (KIP-896)", key.Name(), req.GetVersion(), v), true
	}
	return nil, nil, false
}
