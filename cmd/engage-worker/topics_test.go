package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/sim/embedded"
)

func TestTopics(t *testing.T) {
	broker, err := embedded.Start(kfake.SeedTopics(-1, "unrelated"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	address := broker.Brokers()[0] // a closed cluster doesn't tell
	path := configFile(t, "kafka: {topic: events, brokers: [\""+address+"\"]}")

	steps := []struct {
		args []string
		want result
	}{
		{[]string{"topics", "check"}, result{cli.ExitFailure, "", `engage-worker: warning: events.onboarding.status: the topic doesn't exist: what becomes of messages once Twilio has accepted them isn't known, and those that fail then leave no dead letter; run ` + "`engage-worker topics create`" + `
engage-worker: warning: events.rates: the topic doesn't exist: replicas can't lend each other what they don't use of a region's rate, and where there are more replicas than messages per second some send nothing; run ` + "`engage-worker topics create`" + `
engage-worker: events: the source topic doesn't exist; correct kafka.topic, or run ` + "`engage-worker topics create`" + `
engage-worker: events.dlq: the topic doesn't exist; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.30s: the topic doesn't exist; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.5m: the topic doesn't exist; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.30m: the topic doesn't exist; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.ledger: the topic doesn't exist; run ` + "`engage-worker topics create`" + `
`}},
		{[]string{"topics", "create", "--partitions", "3"}, result{cli.ExitOK, `TOPIC                        ROLE         PARTITIONS  REPLICAS  DONE
events                       source       3           1         created
events.dlq                   dead letter  3           1         created
events.onboarding.retry.30s  retry        3           1         created
events.onboarding.retry.5m   retry        3           1         created
events.onboarding.retry.30m  retry        3           1         created
events.onboarding.ledger     ledger       3           1         created
events.onboarding.status     status       3           1         created
events.rates                 rates        3           1         created
`, ""}},
		{[]string{"topics", "create"}, result{cli.ExitOK, `TOPIC                        ROLE         PARTITIONS  REPLICAS  DONE
events                       source       3           1         exists
events.dlq                   dead letter  3           1         exists
events.onboarding.retry.30s  retry        3           1         exists
events.onboarding.retry.5m   retry        3           1         exists
events.onboarding.retry.30m  retry        3           1         exists
events.onboarding.ledger     ledger       3           1         exists
events.onboarding.status     status       3           1         exists
events.rates                 rates        3           1         exists
`, ""}},
		{[]string{"topics", "check"}, result{cli.ExitOK, "8 topics are as they should be.\n", ""}},
	}
	for _, step := range steps {
		if got := command(t, append(step.args, "--config", path)...); got != step.want {
			t.Errorf("%v: got\n%+v\nwant\n%+v", step.args, got, step.want)
		}
	}

	broker.Close()
	refused := "engage-worker: Kafka at " + address + " refused the connection: start the broker, or correct kafka.brokers (or the broker's advertised.listeners)\n"
	for _, args := range [][]string{{"topics", "check"}, {"topics", "create"}} {
		if got := command(t, append(args, "--config", path)...); got != (result{cli.ExitFailure, "", refused}) {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// Over topics that are there, create says what differs, and fails where they
// would delete or lose records; so does check.
func TestTopicsThatDiffer(t *testing.T) {
	broker, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	path := configFile(t, "kafka: {topic: events, brokers: [\""+broker.Brokers()[0]+"\"]}")
	for topic, configs := range map[string]map[string]string{
		"events":                     {},
		"events.dlq":                 {"max.message.bytes": "2000000", "retention.ms": "86400000"},
		"events.onboarding.retry.5m": {"max.message.bytes": "1114124", "retention.bytes": "1000000", "compression.type": "producer"},
	} {
		if err := broker.CreateTopic(topic, 3, configs); err != nil {
			t.Fatal(err)
		}
	}
	deletes := "engage-worker: events.onboarding.retry.5m: retention.bytes is 1000000 (set on the topic), so that Kafka deletes records that are still needed once there are more; " +
		"set retention.bytes=-1 on the topic (kafka-configs.sh --alter --add-config)\n"
	for _, step := range []struct {
		args []string
		want result
	}{
		{[]string{"topics", "create"}, result{cli.ExitFailure, `TOPIC                        ROLE         PARTITIONS  REPLICAS  DONE
events                       source       3           1         exists
events.dlq                   dead letter  3           1         exists, and differs:
                                                                  max.message.bytes is 2000000 (set on the topic), not 1114124
                                                                  retention.ms is 86400000 (set on the topic), not 2592000000
events.onboarding.retry.30s  retry        3           1         created
events.onboarding.retry.5m   retry        3           1         exists, and differs:
                                                                  retention.bytes is 1000000 (set on the topic), not -1
events.onboarding.retry.30m  retry        3           1         created
events.onboarding.ledger     ledger       3           1         created
events.onboarding.status     status       3           1         created
events.rates                 rates        3           1         created
`, deletes}},
		{[]string{"topics", "check"}, result{cli.ExitFailure, "", deletes}},
	} {
		if got := command(t, append(step.args, "--config", path)...); got != step.want {
			t.Errorf("%v: got\n%+v\nwant\n%+v", step.args, got, step.want)
		}
	}
}
