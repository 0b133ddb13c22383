package kafka_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/test/kafka"
)

// withACLs are the properties of brokers that let only those in who have the
// right; who comes without a login may do everything.
var withACLs = map[string]string{
	"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
	"super.users":           "User:ANONYMOUS",
}

// destination is a configuration with one destination.
func destination(brokers []string) *config.Config {
	cfg := config.Default()
	cfg.Kafka.Brokers = brokers
	cfg.Kafka.Topic = "events"
	cfg.Destinations = []config.Destination{{Definition: actions.Definition{Name: "onboarding"}}}
	return cfg
}

func connected(t *testing.T, cfg *config.Config) *kafkago.Client {
	t.Helper()
	c, err := connect.Client(cfg.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.CloseClient(c) })
	return c
}

// A broker whose default deletes by size: topics that take its default are
// refused, those that create makes aren't, and keep their records.
func TestBrokersThatDeleteBySize(t *testing.T) {
	wanted(t)
	if testing.Short() {
		t.Skip("starts brokers of its own")
	}
	c := kafka.Start(t, kafka.Options{Properties: map[string]string{
		"log.retention.bytes": "1000", "log.segment.bytes": "1048576", "log.retention.check.interval.ms": "200", "log.segment.delete.delay.ms": "100", "log.initial.task.delay.ms": "0",
		"unclean.leader.election.enable": "true",
	}})
	if len(c.Nodes) == 0 {
		t.Skip("needs brokers of its own")
	}
	cfg := destination(c.Brokers())
	client := connected(t, cfg)
	createTopic(t, client, "events.onboarding.retry.5m", 1)
	specs := topics.Of(cfg)
	changes, err := topics.Ensure(t.Context(), client, specs, topics.Sizes{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if change.Topic == "events.onboarding.retry.5m" {
			if !slices.Contains(change.Differs, "retention.bytes is 1000 (set on the brokers), not -1") {
				t.Errorf("what differs is said as %q", change.Differs)
			}
		} else if change.Done != topics.DoneCreated {
			t.Errorf("%+v", change)
		}
	}
	problems, err := topics.Check(t.Context(), client, specs)
	if err != nil {
		t.Fatal(err)
	}
	const set = " on the topic (kafka-configs.sh --alter --add-config)"
	want := []string{
		"events: unclean.leader.election.enable is true (set on the brokers), so that events may be lost with a broker; set unclean.leader.election.enable=false" + set,
		"events.onboarding.retry.5m: retention.bytes is 1000 (set on the brokers), so that Kafka deletes records that are still needed once there are more; set retention.bytes=-1" + set,
		"events.onboarding.retry.5m: unclean.leader.election.enable is true (set on the brokers), so that acknowledged records may be lost with a broker; set unclean.leader.election.enable=false" + set,
	}
	for i, p := range problems {
		if i >= 3 || p.String() != want[i] || p.Fatal != (i > 0) {
			t.Errorf("problem %d: %s", i, p)
		}
	}
	if len(problems) != 3 {
		t.Errorf("%d problems", len(problems))
	}

	// Two megabytes make several segments; those of the topic with the
	// broker's default go.
	w := &kafkago.Writer{Addr: client.Addr, Transport: client.Transport, RequiredAcks: kafkago.RequireAll, BatchTimeout: time.Millisecond, MaxAttempts: 20}
	defer w.Close()
	for range 40 {
		for _, topic := range []string{"events.onboarding.retry.5m", "events.onboarding.retry.30s"} {
			if err := w.WriteMessages(t.Context(), kafkago.Message{Topic: topic, Value: make([]byte, 100_000)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := func(topic string) int64 {
		res, err := client.ListOffsets(t.Context(), &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: {kafkago.FirstOffsetOf(0)}}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Topics[topic][0].FirstOffset
	}
	deadline := time.Now().Add(30 * time.Second)
	for first("events.onboarding.retry.5m") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the topic with the brokers' default keeps its records: this test shows nothing")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := first("events.onboarding.retry.30s"); n != 0 {
		t.Errorf("the topic that create made lost %d records", n)
	}
}

// Each right that is missing is found, and no other.
func TestRightsOnKafka(t *testing.T) {
	wanted(t)
	c := kafka.Start(t, kafka.Options{Secured: true, Properties: withACLs})
	cfg := destination(c.Brokers())
	admin := connected(t, cfg)
	specs, groups := topics.Of(cfg), topics.Groups(cfg)
	if _, err := topics.Ensure(t.Context(), admin, specs, topics.Sizes{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	user := destination(c.SASLBrokers())
	user.Kafka.SASL = config.SASL{Mechanism: config.SASLPlain, Username: kafka.Username, Password: kafka.Password}
	client := connected(t, user)

	// Everything is granted but what is left out, one right at a time.
	all := []kafkago.ACLEntry{acl(kafkago.ResourceTypeGroup, groups[0], kafkago.ACLOperationTypeRead)}
	for _, spec := range specs {
		operations := []kafkago.ACLOperationType{kafkago.ACLOperationTypeRead, kafkago.ACLOperationTypeWrite}
		switch spec.Role {
		case topics.RoleSource:
			operations = operations[:1]
		case topics.RoleDeadLetter:
			operations = operations[1:]
		}
		for _, operation := range append(operations, kafkago.ACLOperationTypeDescribeConfigs) {
			all = append(all, acl(kafkago.ResourceTypeTopic, spec.Name, operation))
		}
	}
	grant(t, admin, all...)
	awaitMissing(t, client, specs, groups)
	for _, one := range all {
		revoke(t, admin, one)
		want := name(one)
		if one.ResourceType == kafkago.ResourceTypeTopic && only(all, one) {
			want = "" // not even DESCRIBE is left: Check tells of that
		}
		awaitMissing(t, client, specs, groups, want)
		grant(t, admin, one)
	}
}

// only reports whether one is the entry that brings DESCRIBE on its topic.
func only(all []kafkago.ACLEntry, one kafkago.ACLEntry) bool {
	for _, e := range all {
		if e != one && e.ResourceName == one.ResourceName && e.Operation != kafkago.ACLOperationTypeDescribeConfigs {
			return false
		}
	}
	return one.Operation != kafkago.ACLOperationTypeDescribeConfigs
}

func acl(resource kafkago.ResourceType, name string, operation kafkago.ACLOperationType) kafkago.ACLEntry {
	return kafkago.ACLEntry{ResourceType: resource, ResourceName: name, ResourcePatternType: kafkago.PatternTypeLiteral,
		Principal: "User:" + kafka.Username, Host: "*", Operation: operation, PermissionType: kafkago.ACLPermissionTypeAllow}
}

func name(e kafkago.ACLEntry) string {
	if e.ResourceType == kafkago.ResourceTypeGroup {
		return topics.Right{Operation: topics.Operation(e.Operation), Group: e.ResourceName}.String()
	}
	return topics.Right{Operation: topics.Operation(e.Operation), Topic: e.ResourceName}.String()
}

func grant(t *testing.T, admin *kafkago.Client, acls ...kafkago.ACLEntry) {
	t.Helper()
	res, err := admin.CreateACLs(t.Context(), &kafkago.CreateACLsRequest{ACLs: acls})
	if err == nil {
		err = errors.Join(res.Errors...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func revoke(t *testing.T, admin *kafkago.Client, e kafkago.ACLEntry) {
	t.Helper()
	res, err := admin.DeleteACLs(t.Context(), &kafkago.DeleteACLsRequest{Filters: []kafkago.DeleteACLsFilter{{
		ResourceTypeFilter: e.ResourceType, ResourceNameFilter: e.ResourceName, ResourcePatternTypeFilter: e.ResourcePatternType,
		PrincipalFilter: e.Principal, HostFilter: e.Host, Operation: e.Operation, PermissionType: e.PermissionType,
	}}})
	if err != nil || len(res.Results) != 1 || res.Results[0].Error != nil || len(res.Results[0].MatchingACLs) != 1 {
		t.Fatal(err, res)
	}
}

// awaitMissing waits until exactly these rights are missing: brokers learn of
// ACLs with a delay.
func awaitMissing(t *testing.T, client *kafkago.Client, specs []topics.Spec, groups []string, want ...string) {
	t.Helper()
	want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var missing []string
	for {
		missing = nil
		rights, err := topics.Rights(ctx, client, specs, groups)
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		for _, r := range rights {
			if !r.Granted {
				missing = append(missing, r.String())
			}
		}
		if err == nil && slices.Equal(missing, want) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("missing are %q, want %q (%v)", missing, want, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
