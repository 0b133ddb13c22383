package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/topics"
)

// configure writes the configuration and makes the topics.
func (r *run) configure(ctx context.Context) error {
	text := fmt.Sprintf(`kafka:
  brokers: [%s]
  topic: %s
  startOffset: earliest
  sessionTimeout: %v
  commitInterval: 300ms
http: {listen: "127.0.0.1:0"}
shutdownTimeout: %v
delivery:
  backoff: {initial: 50ms, max: 1s}
  requestTimeout: %v
regions:
%sdestinations:
  - name: %s
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: secret
      twilioHostname: http://%s
      spaceId: spa_1
      region: us-west-2
    actions:
      - name: welcome-sms
        type: sendSms
        mapping:
          from: {"@path": "$.properties.sender"}
          body: {"@template": "Welcome! Yours, {{properties.ref}}"}
          region: {"@path": "$.properties.region"}
`, `"`+strings.Join(r.broker.bootstrap(), `", "`)+`"`, r.topic, sessionTimeout, stopTimeout, requestTimeout, r.scenario.regionLines(), destination, r.vendor.proxy.addr)
	if r.scenario.edit != nil {
		text = r.scenario.edit(text)
	}
	if r.front != nil {
		text = calledBack(text, r.front.addr)
	}
	r.config = filepath.Join(r.dir, "engage.yaml")
	if err := attempt(func() { r.reconfigure(text) }); err != nil {
		return err
	}
	if r.earlier != "" {
		return r.createTopics(ctx, r.earlier)
	}
	_, err := topics.Ensure(ctx, r.broker.client, topics.Of(r.cfg), topics.Sizes{Partitions: r.width})
	return err
}

// reconfigure makes text the configuration of replicas that start from then on.
func (r *run) reconfigure(text string) {
	r.configureReplicas(text)
	cfg, err := config.Load(r.config)
	must(err)
	r.cfg = cfg
}

// configureReplicas is reconfigure for replicas alone: the run goes by what it had.
func (r *run) configureReplicas(text string) { must(os.WriteFile(r.config, []byte(text), 0o600)) }

// configuration is the text that replicas start with.
func (r *run) configuration() string {
	text, err := os.ReadFile(r.config)
	must(err)
	return string(text)
}

// change replaces a part of the configuration, which must be there.
func (r *run) change(from, to string) {
	text := r.configuration()
	if !strings.Contains(text, from) {
		must(fmt.Errorf("the configuration has no %q", from))
	}
	r.reconfigure(strings.ReplaceAll(text, from, to))
}
