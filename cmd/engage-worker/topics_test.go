package main

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

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
		{[]string{"topics", "check"}, result{exitFailure, "", `engage-worker: events: the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or run ` + "`engage-worker topics create`" + `
engage-worker: events.dlq: the topic doesn't exist, or this user may not describe it; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.30s: the topic doesn't exist, or this user may not describe it; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.5m: the topic doesn't exist, or this user may not describe it; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.retry.30m: the topic doesn't exist, or this user may not describe it; run ` + "`engage-worker topics create`" + `
engage-worker: events.onboarding.ledger: the topic doesn't exist, or this user may not describe it; run ` + "`engage-worker topics create`" + `
`}},
		{[]string{"topics", "create", "--partitions", "3"}, result{exitOK, `TOPIC                        ROLE         PARTITIONS  REPLICAS  DONE
events                       source       3           1         created
events.dlq                   dead letter  3           1         created
events.onboarding.retry.30s  retry        3           1         created
events.onboarding.retry.5m   retry        3           1         created
events.onboarding.retry.30m  retry        3           1         created
events.onboarding.ledger     ledger       3           1         created
`, ""}},
		{[]string{"topics", "create"}, result{exitOK, `TOPIC                        ROLE         PARTITIONS  REPLICAS  DONE
events                       source       3           1         exists
events.dlq                   dead letter  3           1         exists
events.onboarding.retry.30s  retry        3           1         exists
events.onboarding.retry.5m   retry        3           1         exists
events.onboarding.retry.30m  retry        3           1         exists
events.onboarding.ledger     ledger       3           1         exists
`, ""}},
		{[]string{"topics", "check"}, result{exitOK, "6 topics are as they should be.\n", ""}},
	}
	for _, step := range steps {
		if got := command(t, append(step.args, "--config", path)...); got != step.want {
			t.Errorf("%v: got\n%+v\nwant\n%+v", step.args, got, step.want)
		}
	}

	broker.Close()
	refused := "engage-worker: Kafka at " + address + " refused the connection: start the broker, or correct kafka.brokers (or the broker's advertised.listeners)\n"
	for _, args := range [][]string{{"topics", "check"}, {"topics", "create"}} {
		if got := command(t, append(args, "--config", path)...); got != (result{exitFailure, "", refused}) {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
