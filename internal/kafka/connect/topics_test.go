package connect_test

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/sim/embedded"
)

// names are the topics of settings, in order.
var names = []string{
	"events", "events.dlq",
	"events.onboarding.retry.30s", "events.onboarding.retry.5m", "events.onboarding.retry.30m",
	"events.onboarding.ledger",
}

func ensure(t *testing.T, b *embedded.Broker, sizes connect.Sizes) []connect.Change {
	t.Helper()
	cfg := settings(b)
	changes, err := connect.EnsureTopics(brief(t), client(t, cfg.Kafka), connect.Topics(cfg), sizes)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func check(t *testing.T, b *embedded.Broker) []connect.Problem {
	t.Helper()
	cfg := settings(b)
	problems, err := connect.CheckTopics(brief(t), client(t, cfg.Kafka), connect.Topics(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// changes are one for each topic, alike.
func changes(partitions, replication int, done ...connect.Done) []connect.Change {
	roles := []connect.Role{
		connect.RoleSource, connect.RoleDeadLetter,
		connect.RoleRetry, connect.RoleRetry, connect.RoleRetry,
		connect.RoleLedger,
	}
	var list []connect.Change
	for i, name := range names {
		list = append(list, connect.Change{
			Topic: name, Role: roles[i], Partitions: partitions, Replication: replication, Done: done[min(i, len(done)-1)],
		})
	}
	return list
}

func configsOf(b *embedded.Broker, topic string) map[string]string {
	configs := map[string]string{}
	for name, value := range b.TopicInfo(topic).Configs {
		configs[name] = *value
	}
	return configs
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
	}
}

func TestEverythingIsCreatedOnceAndIsGood(t *testing.T) {
	b := broker(t)
	sizes := connect.Sizes{Partitions: 6}
	equal(t, ensure(t, b, sizes), changes(6, 1, connect.DoneCreated))
	equal(t, ensure(t, b, sizes), changes(6, 1, connect.DoneNothing))
	equal(t, check(t, b), nil)

	equal(t, configsOf(b, "events"), map[string]string{})
	equal(t, configsOf(b, "events.dlq"), map[string]string{
		"cleanup.policy": "delete", "compression.type": "producer", "retention.ms": "2592000000", "max.message.bytes": "1114124",
	})
	for _, retry := range names[2:5] {
		equal(t, configsOf(b, retry), map[string]string{
			"cleanup.policy": "delete", "compression.type": "producer", "retention.ms": "604800000", "max.message.bytes": "1114124",
		})
	}
	equal(t, configsOf(b, "events.onboarding.ledger"), map[string]string{
		"cleanup.policy": "compact,delete", "compression.type": "producer", "retention.ms": "604800000",
		"min.compaction.lag.ms": "3600000", "segment.ms": "21600000",
	})
}

func TestThreeBrokersGiveThreeReplicasOfWhichTwoMustWrite(t *testing.T) {
	b := broker(t, kfake.NumBrokers(3))
	equal(t, ensure(t, b, connect.Sizes{Partitions: 2}), changes(2, 3, connect.DoneCreated))
	equal(t, configsOf(b, "events.onboarding.ledger")["min.insync.replicas"], "2")
	equal(t, configsOf(b, "events.dlq")["min.insync.replicas"], "2")
	equal(t, configsOf(b, "events"), map[string]string{})
	equal(t, check(t, b), nil)
}

func TestExistingTopicsFollowTheSource(t *testing.T) {
	b := broker(t)
	for topic, partitions := range map[string]int32{"events": 4, "events.dlq": 8, "events.onboarding.ledger": 3} {
		if err := b.CreateTopic(topic, partitions, map[string]string{"cleanup.policy": map[bool]string{true: "compact", false: "delete"}[topic == "events.onboarding.ledger"]}); err != nil {
			t.Fatal(err)
		}
	}
	want := changes(4, 1, connect.DoneNothing, connect.DoneNothing,
		connect.DoneCreated, connect.DoneCreated, connect.DoneCreated, connect.DoneGrown)
	for i := range want {
		if exists := want[i].Done != connect.DoneCreated; exists {
			want[i].Replication = int(b.TopicInfo(names[i]).NumReplicas)
		}
	}
	replication := b.TopicInfo("events").NumReplicas
	want[1].Partitions = 8 // never fewer than there are
	for _, i := range []int{2, 3, 4} {
		want[i].Replication = replication // the source's
	}
	equal(t, ensure(t, b, connect.Sizes{Partitions: 12}), want)
	equal(t, len(b.PartitionInfos("events.onboarding.ledger")), 4)
	equal(t, check(t, b), []connect.Problem{
		{Topic: "events.dlq", Message: "8 partitions where the source has 4; that does no harm"},
	})
}

func TestProblemsSayTheWayOut(t *testing.T) {
	b := broker(t)
	create := func(topic string, partitions int32, configs map[string]string) {
		t.Helper()
		if err := b.CreateTopic(topic, partitions, configs); err != nil {
			t.Fatal(err)
		}
	}
	create("events", 4, map[string]string{"max.message.bytes": "5000000"})
	create("events.dlq", 4, map[string]string{"cleanup.policy": "compact", "max.message.bytes": "5065536"})
	create("events.onboarding.retry.30s", 2, map[string]string{"max.message.bytes": "5065536"})
	create("events.onboarding.retry.5m", 8, map[string]string{"max.message.bytes": "4999999"})
	create("events.onboarding.retry.30m", 4, map[string]string{"max.message.bytes": "5065536", "retention.ms": "3600000"})
	create("events.onboarding.ledger", 4, map[string]string{"cleanup.policy": "delete", "retention.ms": "3600000", "min.insync.replicas": "9"})
	replicas := b.TopicInfo("events").NumReplicas
	problems := check(t, b)
	want := []connect.Problem{
		{Topic: "events.dlq", Fatal: true, Message: "cleanup.policy is compact; set it to delete, or Kafka drops all but the last record of a user"},
		{Topic: "events.onboarding.retry.30s", Fatal: true, Message: "2 partitions where the source has 4; run `engage-worker topics create`, which adds them"},
		{Topic: "events.onboarding.retry.5m", Fatal: true, Message: "8 partitions where the source has 4; add partitions to the source, or delete this topic once it is read to its end and run `engage-worker topics create`"},
		{Topic: "events.onboarding.retry.5m", Fatal: true, Message: "max.message.bytes is 4999999 where the source's is 5000000, so that an event may not fit; set it to 5065536"},
		{Topic: "events.onboarding.retry.30m", Fatal: true, Message: "retention.ms is 3600000; with less than a day (86400000), a retry may be deleted before it is read"},
		{Topic: "events.onboarding.ledger", Fatal: true, Message: "cleanup.policy is delete; set it to compact,delete, or the ledger grows without bounds"},
		{Topic: "events.onboarding.ledger", Message: "retention.ms is 3600000; with less than 7 days (604800000), an event that comes again later is sent again"},
	}
	want = append(want, connect.Problem{Topic: "events.onboarding.ledger", Fatal: true,
		Message: "min.insync.replicas is 9 and there are " + string(rune('0'+replicas)) + " replicas: nothing can be written; lower the one or raise the other"})
	equal(t, problems, want)
}

func TestMissingTopics(t *testing.T) {
	want := []connect.Problem{{
		Topic: "events", Fatal: true,
		Message: "the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run `engage-worker topics create`",
	}}
	for _, name := range names[1:] {
		want = append(want, connect.Problem{
			Topic: name, Fatal: true,
			Message: "the topic doesn't exist, or this user may not describe it; run `engage-worker topics create`",
		})
	}
	equal(t, check(t, broker(t)), want)
}

func TestWithoutASizeTheSourceMustBeThere(t *testing.T) {
	b := broker(t)
	cfg := settings(b)
	made, err := connect.EnsureTopics(brief(t), client(t, cfg.Kafka), connect.Topics(cfg), connect.Sizes{})
	equal(t, made, nil)
	if err == nil {
		t.Fatal("no error")
	}
	equal(t, err.Error(), "create the topic events: the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run `engage-worker topics create`")
	equal(t, b.TopicInfo("events.dlq"), nil)
}

func TestATopicWithoutSettingsOfItsOwn(t *testing.T) {
	b := broker(t, kfake.NumBrokers(3))
	specs := []connect.Spec{{Name: "log", Role: connect.RoleLedger}}
	if _, err := connect.EnsureTopics(brief(t), client(t, settings(b).Kafka), specs, connect.Sizes{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, configsOf(b, "log"), map[string]string{"min.insync.replicas": "2"})
}

func TestOneTopicFailsAndTheOthersAreMade(t *testing.T) {
	b := broker(t)
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "events.dlq", Err: kerr.TopicAuthorizationFailed})
	cfg := settings(b)
	made, err := connect.EnsureTopics(brief(t), client(t, cfg.Kafka), connect.Topics(cfg), connect.Sizes{Partitions: 2})
	all := changes(2, 1, connect.DoneCreated)
	equal(t, made, append(all[:1:1], all[2:]...))
	if err == nil {
		t.Fatal("no error")
	}
	equal(t, err.Error(), "create the topic events.dlq: Kafka denies access to the topic: give this user the ACL (read and describe the source, read and write the worker's own topics)")
}

func TestSettingsThatMayNotBeReadAreAWarning(t *testing.T) {
	b := broker(t)
	ensure(t, b, connect.Sizes{Partitions: 2})
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "events.dlq", Err: kerr.TopicAuthorizationFailed})
	equal(t, check(t, b), []connect.Problem{{
		Topic:   "events.dlq",
		Message: "its settings can't be read, so they aren't checked: Kafka denies access to the topic: give this user the ACL (read and describe the source, read and write the worker's own topics)",
	}})
}
