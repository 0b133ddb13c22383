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
	err := r.reconfigure(text)
	if err != nil {
		return err
	}
	if r.earlier != "" {
		return r.createTopics(ctx, r.earlier)
	}
	_, err = topics.Ensure(ctx, r.broker.client, topics.Of(r.cfg), topics.Sizes{Partitions: r.width})
	return err
}

// reconfigure makes text the configuration of replicas that start from then on.
func (r *run) reconfigure(text string) error {
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(r.config)
	if err == nil {
		r.cfg = cfg
	}
	return err
}

// change replaces parts of the configuration: pairs of what stands there and
// what is to.
func (r *run) change(pairs ...string) error {
	text, err := os.ReadFile(r.config)
	if err != nil {
		return err
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			return fmt.Errorf("the configuration has no %q", pairs[i])
		}
	}
	return r.reconfigure(strings.NewReplacer(pairs...).Replace(string(text)))
}
