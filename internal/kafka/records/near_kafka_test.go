package records

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	testkafka "engage-worker/test/kafka"
)

// TestTheNearestReplicaOfKafka: a reader in another rack than the leader's reads
// from the follower there, and from the leader when that is killed.
func TestTheNearestReplicaOfKafka(t *testing.T) {
	if os.Getenv("ENGAGE_TEST_BROKER") != "kafka" {
		t.Skip("needs ENGAGE_TEST_BROKER=kafka (make test-kafka)")
	}
	own := testkafka.Start(t, testkafka.Options{Brokers: 3, Properties: map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}})
	if len(own.Nodes) == 0 {
		t.Skip("needs a broker that it may kill, which neither somebody else's nor the embedded broker is")
	}
	transport := &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(own.Brokers()...), Transport: transport, Timeout: 20 * time.Second}
	soon := func(try func() error) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			err := try()
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	soon(func() error { // the brokers have only just started
		res, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 3}}})
		if err == nil && !errors.Is(res.Errors[topic], kafka.TopicAlreadyExists) {
			err = res.Errors[topic]
		}
		return err
	})
	leader, anywhere := 0, NewCluster(client, Options{})
	t.Cleanup(anywhere.Close)
	soon(func() error {
		of, err := anywhere.leaders(t.Context(), topic)
		if err == nil {
			leader, err = of.of(topic, 0)
		}
		return err
	})
	node := own.Nodes[0]
	if node.ID == leader {
		node = own.Nodes[1]
	}
	all := NewCluster(client, Options{Rack: testkafka.Rack(node.ID)})
	t.Cleanup(all.Close)
	p := &site{t: t, client: client, all: all}
	p.write(topic, 0, 100)
	l := all.Open(topic, 0, 0, little)
	defer l.Close()
	if err := upTo(t.Context(), l, 0, 100); err != nil {
		t.Fatal(err)
	}
	came := func(id int) int {
		all.mu.Lock()
		defer all.mu.Unlock()
		if all.brokers[id] == nil {
			return 0
		}
		return all.brokers[id].lately
	}
	if came(node.ID) == 0 || came(leader) != 0 {
		t.Errorf("%d bytes came from the follower, %d from the leader", came(node.ID), came(leader))
	}
	p.write(topic, 0, 100)
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := upTo(t.Context(), l, 100, 200); err != nil {
		t.Fatal(err)
	}
	if came(leader) == 0 {
		t.Error("nothing came from the leader once its follower was gone")
	}
}
