package topics_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
)

// names are the topics of settings, in order.
var names = []string{
	"events", "events.dlq",
	"events.onboarding.retry.30s", "events.onboarding.retry.5m", "events.onboarding.retry.30m",
	"events.onboarding.ledger", "events.onboarding.status", "events.rates",
}

const noStatus = "the topic doesn't exist: what becomes of messages once Twilio has accepted them isn't known, and those that fail then leave no dead letter"

const noRates = "the topic doesn't exist: replicas can't lend each other what they don't use of a region's rate, and where there are more replicas than messages per second some send nothing"

func ensure(t *testing.T, b *embedded.Broker, sizes topics.Sizes) []topics.Change {
	t.Helper()
	cfg := settings(b)
	changes, err := topics.Ensure(brief(t), client(t, cfg.Kafka), topics.Of(cfg), sizes)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// check are the problems, those that are fatal with an exclamation mark before
// them.
func check(t *testing.T, b *embedded.Broker) (problems []string) {
	t.Helper()
	cfg := settings(b)
	found, err := topics.Check(brief(t), client(t, cfg.Kafka), topics.Of(cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		problems = append(problems, map[bool]string{true: "! ", false: ""}[p.Fatal]+p.String())
	}
	return problems
}

// changes are one for each topic, alike.
func changes(partitions, replication int, done ...topics.Done) []topics.Change {
	roles := []topics.Role{
		topics.RoleSource, topics.RoleDeadLetter,
		topics.RoleRetry, topics.RoleRetry, topics.RoleRetry,
		topics.RoleLedger, topics.RoleStatus, topics.RoleRates,
	}
	var list []topics.Change
	for i, name := range names {
		list = append(list, topics.Change{
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

func TestEverythingIsCreatedOnceAndIsGood(t *testing.T) {
	b := broker(t)
	sizes := topics.Sizes{Partitions: 6}
	equal(t, ensure(t, b, sizes), changes(6, 1, topics.DoneCreated))
	equal(t, ensure(t, b, sizes), changes(6, 1, topics.DoneNothing))
	equal(t, check(t, b), nil)

	equal(t, configsOf(b, "events"), map[string]string{})
	ours := func(more map[string]string) map[string]string {
		set := map[string]string{"compression.type": "producer", "retention.bytes": "-1", "unclean.leader.election.enable": "false", "min.insync.replicas": "1"}
		maps.Copy(set, more)
		return set
	}
	equal(t, configsOf(b, "events.dlq"), ours(map[string]string{"cleanup.policy": "delete", "retention.ms": "2592000000", "max.message.bytes": "1114124"}))
	for _, retry := range names[2:5] {
		equal(t, configsOf(b, retry), ours(map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000", "max.message.bytes": "1114124"}))
	}
	equal(t, configsOf(b, "events.onboarding.ledger"), ours(map[string]string{
		"cleanup.policy": "compact,delete", "retention.ms": "604800000", "min.compaction.lag.ms": "3600000", "segment.ms": "21600000",
	}))
}

// Each role's topic is created as it is wanted, so that nothing is found to
// differ, and nothing to be wrong.
func TestEachRole(t *testing.T) {
	b := broker(t)
	specs := []topics.Spec{
		{Name: "source", Role: topics.RoleSource},
		{Name: "dead", Role: topics.RoleDeadLetter},
		{Name: "retry", Role: topics.RoleRetry},
		{Name: "ledger", Role: topics.RoleLedger, Retention: 14 * 24 * time.Hour},
		{Name: "callbacks", Role: topics.RoleCallbacks},
		{Name: "status", Role: topics.RoleStatus},
		{Name: "replays", Role: topics.RoleReplays},
	}
	c := client(t, settings(b).Kafka)
	for range 2 {
		changes, err := topics.Ensure(brief(t), c, specs, topics.Sizes{Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			equal(t, change.Differs, nil)
		}
		problems, err := topics.Check(brief(t), c, specs)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, problems, nil)
	}
	got := map[string][2]string{}
	for _, spec := range specs[1:] {
		set := configsOf(b, spec.Name)
		got[spec.Name] = [2]string{set["cleanup.policy"], set["retention.ms"]}
	}
	equal(t, got, map[string][2]string{
		"dead": {"delete", "2592000000"}, "retry": {"delete", "604800000"}, "ledger": {"compact,delete", "1209600000"},
		"callbacks": {"delete", "86400000"}, "status": {"compact,delete", "2592000000"}, "replays": {"compact,delete", "7776000000"},
	})
}

func TestThreeBrokersGiveThreeReplicasOfWhichTwoMustWrite(t *testing.T) {
	b := broker(t, kfake.NumBrokers(3))
	equal(t, ensure(t, b, topics.Sizes{Partitions: 2}), changes(2, 3, topics.DoneCreated))
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
	want := changes(4, 1, topics.DoneNothing, topics.DoneNothing,
		topics.DoneCreated, topics.DoneCreated, topics.DoneCreated, topics.DoneGrown, topics.DoneCreated)
	for i := range want {
		if exists := want[i].Done != topics.DoneCreated; exists {
			want[i].Replication = b.TopicInfo(names[i]).NumReplicas
		}
	}
	replication := b.TopicInfo("events").NumReplicas
	want[1].Partitions = 8 // never fewer than there are
	want[1].Differs = []string{"max.message.bytes is 1048588 (Kafka's default), not 1114124", "retention.ms is 604800000 (Kafka's default), not 2592000000"}
	want[5].Differs = []string{"cleanup.policy is compact (set on the topic), not compact,delete", "segment.ms is 604800000 (Kafka's default), not 21600000"}
	for _, i := range []int{2, 3, 4, 6} {
		want[i].Replication = replication // the source's
	}
	equal(t, ensure(t, b, topics.Sizes{Partitions: 12}), want)
	equal(t, len(b.PartitionInfos("events.onboarding.ledger")), 4)
	equal(t, check(t, b), []string{"events.dlq: 8 partitions where the source has 4; that does no harm"})
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
	const set = " on the topic (kafka-configs.sh --alter --add-config)"
	equal(t, check(t, b), []string{
		"! events.dlq: cleanup.policy is compact (set on the topic), so that Kafka drops all but the last record of a user; set cleanup.policy=delete" + set,
		"! events.onboarding.retry.30s: 2 partitions where the source has 4; run `engage-worker topics create`, which adds them",
		"! events.onboarding.retry.5m: 8 partitions where the source has 4; add partitions to the source, or delete this topic once it is read to its end and run `engage-worker topics create`",
		"! events.onboarding.retry.5m: max.message.bytes is 4999999 (set on the topic) where the source's is 5000000, so that an event may not fit; set max.message.bytes=5065536" + set,
		"! events.onboarding.retry.30m: retention.ms is 3600000 (set on the topic): with less than a day, a retry may be deleted before it is read; set retention.ms=604800000" + set,
		"! events.onboarding.ledger: cleanup.policy is delete (set on the topic), so that the topic grows without bounds; set cleanup.policy=[compact,delete]" + set,
		"! events.onboarding.ledger: retention.ms is 3600000 (set on the topic): with less than a day, what is still under way may be forgotten and sent again; set retention.ms=604800000" + set,
		"! events.onboarding.ledger: min.insync.replicas is 9 (set on the topic) and there are 1 replicas: nothing can be written; lower the one or raise the other",
		"events.onboarding.status: " + noStatus + "; run `engage-worker topics create`",
		"events.rates: " + noRates + "; run `engage-worker topics create`",
	})
}

// What deletes or loses records is refused wherever it comes from.
func TestSettingsThatDeleteOrLose(t *testing.T) {
	b := broker(t)
	for topic, configs := range map[string]map[string]string{
		"events":                      {"unclean.leader.election.enable": "true"},
		"events.dlq":                  {"retention.bytes": "-1", "unclean.leader.election.enable": "true"},
		"events.onboarding.retry.30s": {"retention.bytes": "100000"},
		"events.onboarding.retry.5m":  {},
		"events.onboarding.retry.30m": {"retention.bytes": "-1"},
		"events.onboarding.ledger":    {"cleanup.policy": "compact,delete", "retention.ms": "172800000"},
	} {
		configs["max.message.bytes"] = "1114124"
		if err := b.CreateTopic(topic, 4, configs); err != nil {
			t.Fatal(err)
		}
	}
	const (
		set     = " on the topic (kafka-configs.sh --alter --add-config)"
		deletes = ", so that Kafka deletes records that are still needed once there are more; set retention.bytes=-1" + set
	)
	equal(t, check(t, b), []string{
		"events: unclean.leader.election.enable is true (set on the topic), so that events may be lost with a broker; set unclean.leader.election.enable=false" + set,
		"! events.dlq: unclean.leader.election.enable is true (set on the topic), so that acknowledged records may be lost with a broker; set unclean.leader.election.enable=false" + set,
		"! events.onboarding.retry.30s: retention.bytes is 100000 (set on the topic)" + deletes,
		"events.onboarding.ledger: retention.ms is 172800000 (set on the topic): with less than 7 days, an event that comes again later is sent again; set retention.ms=604800000" + set,
		"events.onboarding.status: " + noStatus + "; run `engage-worker topics create`",
		"events.rates: " + noRates + "; run `engage-worker topics create`",
	})
}

func TestMissingTopics(t *testing.T) {
	want := []string{"! events: the source topic doesn't exist; correct kafka.topic, or run `engage-worker topics create`"}
	for _, name := range names[1:6] {
		want = append(want, "! "+name+": the topic doesn't exist; run `engage-worker topics create`")
	}
	want = append(want, "events.onboarding.status: "+noStatus+"; run `engage-worker topics create`", "events.rates: "+noRates+"; run `engage-worker topics create`")
	equal(t, check(t, broker(t)), want)
}

func TestWithoutASizeTheSourceMustBeThere(t *testing.T) {
	b := broker(t)
	cfg := settings(b)
	made, err := topics.Ensure(brief(t), client(t, cfg.Kafka), topics.Of(cfg), topics.Sizes{})
	equal(t, made, nil)
	if err == nil {
		t.Fatal("no error")
	}
	equal(t, err.Error(), "create the topic events: the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run `engage-worker topics create`")
	equal(t, b.TopicInfo("events.dlq"), nil)
}

func TestOneTopicFailsAndTheOthersAreMade(t *testing.T) {
	b := broker(t)
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "events.dlq", Err: kerr.TopicAuthorizationFailed})
	cfg := settings(b)
	made, err := topics.Ensure(brief(t), client(t, cfg.Kafka), topics.Of(cfg), topics.Sizes{Partitions: 2})
	all := changes(2, 1, topics.DoneCreated)
	equal(t, made, append(all[:1:1], all[2:]...))
	if err == nil {
		t.Fatal("no error")
	}
	equal(t, err.Error(), "create the topic events.dlq: Kafka denies access to the topic: give this user the ACL (read and describe the source, read and write the worker's own topics)")
}

func TestSettingsThatMayNotBeReadAreAWarning(t *testing.T) {
	b := broker(t)
	ensure(t, b, topics.Sizes{Partitions: 2})
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "events.dlq", Err: kerr.TopicAuthorizationFailed})
	equal(t, check(t, b), []string{
		"events.dlq: its settings aren't checked: this user may not read them; give it the right DESCRIBE_CONFIGS on the topic",
	})
}

// user is a configuration of somebody who may do only what the ACLs allow.
func user(b *embedded.Broker) *config.Config {
	cfg := settings(b)
	cfg.Kafka.SASL = config.SASL{Mechanism: config.SASLPlain, Username: "worker", Password: "right"}
	return cfg
}

// allowed starts a broker with the topics, where the worker may do what acls
// say.
func allowed(t *testing.T, acls map[string][]kmsg.ACLOperation) *embedded.Broker {
	t.Helper()
	var list []kfake.ACL
	for name, operations := range acls {
		resource := kmsg.ACLResourceTypeTopic
		if strings.HasPrefix(name, "engage-worker.") {
			resource = kmsg.ACLResourceTypeGroup
		}
		for _, operation := range operations {
			list = append(list, kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true})
		}
	}
	b := broker(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin"), kfake.User("PLAIN", "worker", "right", list...))
	cfg := settings(b)
	cfg.Kafka.SASL = config.SASL{Mechanism: config.SASLPlain, Username: "admin", Password: "admin"}
	if _, err := topics.Ensure(brief(t), client(t, cfg.Kafka), topics.Of(cfg), topics.Sizes{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	return b
}

func rights(t *testing.T, b *embedded.Broker) (missing []string, asked int) {
	t.Helper()
	cfg := user(b)
	all, err := topics.Rights(brief(t), client(t, cfg.Kafka), topics.Of(cfg), topics.Groups(cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if !r.Granted {
			missing = append(missing, r.String())
		}
	}
	return missing, len(all)
}

func TestRights(t *testing.T) {
	const read, write, look = kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribeConfigs
	all := func() map[string][]kmsg.ACLOperation {
		acls := map[string][]kmsg.ACLOperation{
			"engage-worker.onboarding": {read}, "events": {read, look}, "events.dlq": {write, look}, "events.onboarding.ledger": {read, write, look},
		}
		for _, retry := range names[2:5] {
			acls[retry] = []kmsg.ACLOperation{read, write, look}
		}
		return acls
	}
	missing, asked := rights(t, allowed(t, all()))
	equal(t, missing, nil)
	equal(t, asked, 1+2+2+3*3+3)

	less := all()
	less["engage-worker.onboarding"] = []kmsg.ACLOperation{kmsg.ACLOperationDescribe}
	less["events.dlq"] = []kmsg.ACLOperation{read}
	less["events.onboarding.ledger"] = []kmsg.ACLOperation{read, look}
	delete(less, "events.onboarding.retry.5m")
	b := allowed(t, less)
	missing, _ = rights(t, b)
	equal(t, missing, []string{
		"READ on the group engage-worker.onboarding", "WRITE on the topic events.dlq", "DESCRIBE_CONFIGS on the topic events.dlq",
		"WRITE on the topic events.onboarding.ledger",
	})
	cfg := user(b)
	problems, err := topics.Check(brief(t), client(t, cfg.Kafka), topics.Of(cfg))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, problems, []topics.Problem{
		{Topic: "events.dlq", Message: "its settings aren't checked: this user may not read them", WayOut: "give it the right DESCRIBE_CONFIGS on the topic", Unchecked: true},
		{Topic: "events.onboarding.retry.5m", Fatal: true, Message: "this user may not describe the topic, if there is one",
			WayOut: "give it the right DESCRIBE on the topic, or run `engage-worker topics create`"},
		{Topic: "events.onboarding.status", Message: "this user may not describe the topic, if there is one", WayOut: "give it the right DESCRIBE on the topic, or run `engage-worker topics create`"},
		{Topic: "events.rates", Message: "this user may not describe the topic, if there is one", WayOut: "give it the right DESCRIBE on the topic, or run `engage-worker topics create`"},
	})
}

// TestLedgerRetention: the ledger's topic keeps what the configuration wants
// remembered, and one that keeps less is warned of.
func TestLedgerRetention(t *testing.T) {
	b := broker(t)
	cfg := settings(b)
	cfg.Ledger.Retention = 3 * 24 * time.Hour
	c := client(t, cfg.Kafka)
	if _, err := topics.Ensure(brief(t), c, topics.Of(cfg), topics.Sizes{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	equal(t, configsOf(b, "events.onboarding.ledger")["retention.ms"], "259200000")
	cfg.Ledger.Retention = 14 * 24 * time.Hour
	problems, err := topics.Check(brief(t), c, topics.Of(cfg))
	if err != nil || len(problems) != 1 || problems[0].Fatal ||
		problems[0].String() != "events.onboarding.ledger: retention.ms is 259200000 (set on the topic): with less than 14 days, an event that comes again later is sent again; set retention.ms=1209600000 on the topic (kafka-configs.sh --alter --add-config)" {
		t.Errorf("%v, %v", problems, err)
	}
}

// TestAnExistingRatesTopic whose records writers date tells no time, and is no fault.
func TestAnExistingRatesTopic(t *testing.T) {
	b := broker(t)
	if err := b.CreateTopic("events.rates", 2, map[string]string{"cleanup.policy": "delete"}); err != nil {
		t.Fatal(err)
	}
	ensure(t, b, topics.Sizes{Partitions: 2})
	equal(t, check(t, b), []string{
		"events.rates: message.timestamp.type is CreateTime (Kafka's default), so that brokers don't tell the time, and Twilio's is believed; " +
			"set message.timestamp.type=LogAppendTime on the topic (kafka-configs.sh --alter --add-config)",
	})
}
