package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/twiliosim"
)

// destinations are the demo's, one for each region, so that each has a vendor
// of its own. Triggers split the events between them.
var destinations = [...]struct{ name, region string }{
	{"americas", sample.RegionUS},
	{"europe", sample.RegionEU},
}

const (
	partitions   = 6
	messageIDArg = "message_id"
)

// The configuration is what a user would write, except for rates, a breaker and
// questions to Twilio that let everything be seen within seconds.
const configHead = `# Written by engage-worker demo.
kafka:
  brokers: [%[1]s]
  topic: audience-events
  startOffset: earliest
http: {listen: %[2]q}
desk: {workers: [%[2]q]}
log: {level: info, format: json}
shutdownTimeout: 5s
delivery:
  attempts: 10
  backoff: {initial: 100ms, max: 1s}
status: {sweepAfter: 1500ms, rate: 20}
regions:
  us-west-2: {rate: %[3]d, maxInFlight: 32, breaker: {minRequests: 10, openFor: 1s, halfOpenRequests: 3}}
  eu-west-1: {rate: %[4]d, maxInFlight: 32, breaker: {minRequests: 10, openFor: 1s, halfOpenRequests: 3}}
destinations:
`

const configDestination = `  - name: %[1]s
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: not-a-secret
      profileApiEnvironment: production
      profileApiAccessToken: not-a-token
      spaceId: spa_demo
      sourceId: src_demo
      webhookUrl: https://hooks.example.com/twilio
      twilioHostname: %[3]s
      contentHostname: %[3]s
      profileApiHostname: %[3]s
      region: %[2]s
    actions:
      - name: welcome-sms
        type: sendSms
        trigger: type = "track" and event = "Audience Entered" and properties.region = "%[2]s"
        mapping:
          from: MG0000000000000000000000000000000%[4]d
          body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome! Your offer: https://shop.example.com/welcome"
          customArgs:
            message_id: {"@path": "$.messageId"}
`

// configure writes the worker's configuration and loads it as the worker does.
// vendors are the simulated Twilio's listeners, by destination; rate is that of
// the producer.
func configure(dir string, brokers []string, vendors map[string]*twiliosim.Listener, rate float64) (*config.Config, error) {
	quoted := make([]string, len(brokers))
	for i, b := range brokers {
		quoted[i] = strconv.Quote(b)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	// Europe has about a third of the users; both have room to catch up.
	var text strings.Builder
	fmt.Fprintf(&text, configHead, strings.Join(quoted, ", "), address, max(2, int(rate*0.8)), max(2, int(rate*0.6)))
	for i, d := range destinations {
		fmt.Fprintf(&text, configDestination, d.name, d.region, vendors[d.name].URL(), i+1)
	}
	path := filepath.Join(dir, configFile)
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, fmt.Errorf("load the demo's configuration: %w", err)
	}
	return cfg, nil
}
