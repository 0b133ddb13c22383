package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/jsvalue"
	"engage-worker/internal/config/form"
)

// load parses text as engage.yaml, with the environment and the compiler
// given (nil for none).
func load(text string, env map[string]string, compile func(actions.Definition, actions.Options) []actions.Fault) (*Config, error) {
	if compile == nil {
		compile = func(actions.Definition, actions.Options) []actions.Fault { return nil }
	}
	l := loader{lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, compile: func(def actions.Definition, opts actions.Options) ([]string, []actions.Fault, []actions.Warning) {
		return nil, compile(def, opts), nil
	}}
	return l.parse("engage.yaml", []byte(text), 0o600)
}

// good ends a configuration with all that is required.
const good = `
destinations:
  - name: onboarding
    settings: {}
    actions: [{name: welcome, type: sendSms, mapping: {}}]
`

var defaultSettings = actions.Settings{ConnectionOverrides: "rp=all&rc=5", Region: "us-west-2"}

func compileNothing(actions.Definition, actions.Options) ([]string, []actions.Fault, []actions.Warning) {
	return nil, nil, nil
}

// goodConfigurations are files that load.
func goodConfigurations(t *testing.T) []string {
	t.Helper()
	texts := []string{everything, merges, "kafka:\nregions:\nhttp: {listen: }\n" + good}
	for _, path := range []string{"../../docs/engage.example.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// faults are the lines of err, without the file's name.
func faults(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Faults](err); !ok {
		t.Fatalf("not *Faults: %T %v", err, err)
	}
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "engage.yaml:")
	}
	return lines
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%+v\nwant\n\t%+v", got, want)
	}
}

// everything has every key.
const everything = `
kafka:
  brokers: ["localhost:9092"]
  topic: audience-events
  groupPrefix: engage-worker
  startOffset: earliest
  sessionTimeout: 12s
  commitInterval: 2s
  deadLetterTopic: letters
  tls: {enabled: true, caFile: "", certFile: "", keyFile: ""}
  sasl: {mechanism: scram-sha-512, username: worker, password: hunter2}
http: {listen: ":9090", token: opensesame}
log: {level: debug, format: console}
shutdownTimeout: 30s
ledger: {retention: 3d}
delivery:
  maxEventAge: 0
  attempts: 5
  backoff: {initial: 100ms, max: 5s}
  requestTimeout: 15s
  unknownOutcome: resend
  maxUncommitted: 500
status: {sweepAfter: 1m, giveUpAfter: 24h, rate: 2.5}
callbacks:
  publicUrl: https://callbacks.example.com/twilio
  listen: ":9091"
  key: 0123456789abcdef0123456789abcdef
  formerKey: fedcba9876543210fedcba9876543210
  authToken: auth
desk: {listen: ":9092", token: open-sesame-0123, workers: ["worker:8080", "10.0.0.7:8080"]}
regions:
  us-west-2: {rate: 100, burst: 100, maxInFlight: 64, breaker: {failureRatio: 0.25, minRequests: 10, openFor: 1m, halfOpenRequests: 2}, senders: {MG1: {rate: 30}}}
  eu-west-1: {rate: 50.5, twilioRegion: ie1, twilioEdge: dublin}
  slow: {rate: 0.5}
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC1
      twilioApiKeySID: SK1
      twilioApiKeySecret: ${TWILIO_API_KEY_SECRET}
      profileApiEnvironment: production
      profileApiAccessToken: token
      spaceId: spa_1
      sourceId: src_1
      webhookUrl: https://hooks.example.com/twilio
      twilioHostname: "localhost:1"
      contentHostname: "localhost:2"
      profileApiHostname: "localhost:3"
      connectionOverrides: rc=1
      region: eu-west-1
    actions:
      - name: welcome-sms
        type: sendSms
        purpose: transactional
        trigger: type = "track" and event = "Audience Entered" and properties.audience_key = "high_value"
        mapping:
          from: MG1
          body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome! $.x"
          eventOccurredTS: 2026-11-01
          traitEnrichment: yes
          validityPeriod: 3
          userId: 1.5
          send: true
          region: null
          media: [1, "1", {"@path": $.userId}]
  - {name: plain, settings: {region: ""}, actions: [{name: a, type: sendWhatsApp, mapping: {}}]}
`

func TestEveryKey(t *testing.T) {
	cfg, err := load(everything, map[string]string{"TWILIO_API_KEY_SECRET": "s3cret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Kafka: Kafka{
			Brokers: []string{"localhost:9092"}, Topic: "audience-events", GroupPrefix: "engage-worker", StartOffset: StartEarliest,
			SessionTimeout: 12 * time.Second, CommitInterval: 2 * time.Second, DeadLetter: "letters", ClientID: "engage-worker",
			TLS:  TLS{Enabled: true},
			SASL: SASL{Mechanism: SASLScramSHA512, Username: "worker", Password: "hunter2", Extensions: map[string]string{}},
		},
		HTTP:            HTTP{Listen: ":9090", Token: "opensesame"},
		Log:             Log{Level: "debug", Format: LogConsole},
		ShutdownTimeout: 30 * time.Second,
		Delivery: Delivery{
			Attempts: 5, Backoff: Backoff{Initial: 100 * time.Millisecond, Max: 5 * time.Second},
			RequestTimeout: 15 * time.Second, UnknownOutcome: UnknownResend, MaxUncommitted: 500,
		},
		Ledger: Ledger{Retention: 3 * 24 * time.Hour},
		Status: Status{SweepAfter: time.Minute, GiveUpAfter: 24 * time.Hour, Rate: 2.5},
		Callbacks: Callbacks{
			PublicURL: "https://callbacks.example.com/twilio", Listen: ":9091",
			Key: "0123456789abcdef0123456789abcdef", FormerKey: "fedcba9876543210fedcba9876543210", AuthToken: "auth",
		},
		Desk: Desk{Listen: ":9092", Token: "open-sesame-0123", Workers: []string{"worker:8080", "10.0.0.7:8080"}},
		Regions: map[string]Region{
			"us-west-2": {Rate: 100, Burst: 100, MaxInFlight: 64, Breaker: Breaker{FailureRatio: 0.25, MinRequests: 10, OpenFor: time.Minute, HalfOpenRequests: 2}, Senders: map[string]Sender{"MG1": {30}}},
			"eu-west-1": {Rate: 50.5, Burst: 50, MaxInFlight: 128, Breaker: defaultRegion().Breaker, TwilioRegion: "ie1", TwilioEdge: "dublin"},
			"slow":      {Rate: 0.5, Burst: 1, MaxInFlight: 128, Breaker: defaultRegion().Breaker},
		},
		Destinations: []Destination{
			{Definition: actions.Definition{
				Name: "onboarding",
				Settings: actions.Settings{
					TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "s3cret",
					ProfileAPIEnvironment: "production", ProfileAPIAccessToken: "token", SpaceID: "spa_1", SourceID: "src_1",
					WebhookURL: "https://hooks.example.com/twilio", TwilioHostname: "localhost:1", ContentHostname: "localhost:2",
					ProfileAPIHostname: "localhost:3", ConnectionOverrides: "rc=1", Region: "eu-west-1",
				},
				Actions: []actions.ActionDefinition{{
					Name: "welcome-sms", Type: actions.SendSMS, Purpose: actions.Transactional,
					Trigger: `type = "track" and event = "Audience Entered" and properties.audience_key = "high_value"`,
					Mapping: map[string]any{
						"from": "MG1", "body": "Hi {{ profile.traits.first_name | default: 'there' }}, welcome! $.x",
						"eventOccurredTS": "2026-11-01", "traitEnrichment": "yes", "validityPeriod": 3.0, "userId": 1.5, "send": true, "region": nil,
						"media": []any{1.0, "1", objectOf("@path", "$.userId")},
					},
				}},
			}},
			{Definition: actions.Definition{
				Name: "plain", Settings: defaultSettings,
				Actions: []actions.ActionDefinition{{Name: "a", Type: actions.SendWhatsApp, Purpose: actions.Marketing, Trigger: actions.DefaultTrigger, Mapping: map[string]any{}}},
			}},
		},
		file:   "engage.yaml",
		veiled: map[string]bool{"destinations[0].settings.twilioApiKeySecret": true},
	}
	equal(t, cfg, want)
	equal(t, cfg.RegionNames(), []string{"eu-west-1", "slow", "us-west-2"})
	equal(t, cfg.Region("elsewhere"), Region{Rate: 100, Burst: 100, MaxInFlight: 128, Breaker: Breaker{FailureRatio: 0.5, MinRequests: 20, OpenFor: 30 * time.Second, HalfOpenRequests: 5}})
	equal(t, cfg.GroupID("onboarding"), "engage-worker.onboarding")
	equal(t, cfg.DeadLetterTopic(), "letters")
	equal(t, cfg.RetryTopics("onboarding"), [3]string{"audience-events.onboarding.retry.30s", "audience-events.onboarding.retry.5m", "audience-events.onboarding.retry.30m"})
	equal(t, cfg.LedgerTopic("onboarding"), "audience-events.onboarding.ledger")
}

func TestAFileWithDestinationsOnlyHasTheDefaults(t *testing.T) {
	cfg, err := load("kafka:\nregions:\nhttp: {listen: }\n"+good, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Destinations = []Destination{{Definition: actions.Definition{
		Name: "onboarding", Settings: defaultSettings,
		Actions: []actions.ActionDefinition{{Name: "welcome", Type: actions.SendSMS, Purpose: actions.Marketing, Trigger: actions.DefaultTrigger, Mapping: map[string]any{}}},
	}}}
	want.file, want.veiled = "engage.yaml", map[string]bool{}
	equal(t, cfg, want)
	equal(t, cfg.DeadLetterTopic(), "audience-events.dlq")
}

func TestFaults(t *testing.T) {
	for _, test := range brokenConfigurations() {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(test.text, nil, nil)
			equal(t, faults(t, err), test.want)
		})
	}
}

// brokenConfiguration is a file and the lines of its faults.
type brokenConfiguration struct {
	name, text string
	want       []string
}

func brokenConfigurations() []brokenConfiguration {
	long := strings.Repeat("x", 240)
	return []brokenConfiguration{
		{"empty", "", []string{"1:1: the file is empty; docs/engage.example.yaml shows what belongs in it"}},
		{"comments only", "# nothing\n", []string{"1:1: the file is empty; docs/engage.example.yaml shows what belongs in it"}},
		{"null", "---\n~\n", []string{"2:1: the file is empty; docs/engage.example.yaml shows what belongs in it"}},
		{"list", "- a\n", []string{"1:1: the file must hold an object (kafka: ..., destinations: ...), not a list"}},
		{"not UTF-8", "kafka:\n  topic: \"\xff\"\n", []string{"2:11: not UTF-8 text; save the file as UTF-8"}},
		{"two documents", good + "---\na: b\n", []string{"6:1: a second YAML document begins here; a configuration is one document"}},
		{"tab", "kafka:\n\ttopic: x\n", []string{"2:1: not YAML: the line is indented with a tab; use spaces"}},
		{"control character", "kafka:\n  topic: a\x00b\n", []string{"2:11: a control character (0x0) stands here; a YAML file is text"}},
		{"unknown anchor", "http: {token: *hunter2}\n", []string{"1: not YAML: an alias (*name) without its anchor (&name); put a value that begins with * in quotes"}},
		{"reference in a flow object", "log: {level: ${LEVEL}}\n" + good, []string{"1: not YAML: did not find expected ',' or '}'; between { } or [ ] a reference needs quotes: \"${NAME}\""}},
		{"reference in a flow object further down", "log:\n  {level: info,\n   format: ${FORMAT}}\n" + good, []string{"3: not YAML: did not find expected ',' or '}'; between { } or [ ] a reference needs quotes: \"${NAME}\""}},
		{"indentation", "destinations:\n  - name: a\n    settings: {}\n   actions: []\n", []string{"4: not YAML: did not find expected '-' indicator (here or shortly before; look for indentation, and for quotes around text with \": \" or \" #\")"}},
		{"a broken second document", good + "---\na: [1\n", []string{"7: not YAML: did not find expected ',' or ']' (here or shortly before; look for indentation, and for quotes around text with \": \" or \" #\")"}},
		{"unknown anchor further down", "log:\n  level: info\nhttp:\n  token: *hunter2\n" + good, []string{"4: not YAML: an alias (*name) without its anchor (&name); put a value that begins with * in quotes"}},
		{"missing", "kafka: {}\n", []string{"1:1: destinations: required, and missing"}},
		{"nothing at all in a destination", "destinations: [{}, 5]\n", []string{
			"1:16: destinations[0].actions: required, and missing",
			"1:16: destinations[0].name: required, and missing",
			"1:16: destinations[0].settings: required, and missing",
			"1:20: destinations[1]: must be an object, not a number",
		}},
		{"no destination, no action", "destinations: []\n", []string{"1:15: destinations: must have at least one destination"}},
		{"no action", "destinations: [{name: a, settings: {}, actions: []}]\n", []string{"1:49: destinations[0].actions: must have at least one action"}},
		{"unknown keys", "kafak: {}\nkafka: {session_timeout: 1s, whatever: 1}\n" + good, []string{
			"1:1: kafak: unknown key; did you mean kafka?",
			"2:9: kafka.session_timeout: unknown key; did you mean sessionTimeout?",
			"2:30: kafka.whatever: unknown key; known are: brokers, topic, groupPrefix, startOffset, sessionTimeout, commitInterval, deadLetterTopic, clientId, rack, tls, sasl",
		}},
		{"double keys", "kafka: {topic: a}\nkafka: {topic: b}\n" + good, []string{"2:1: kafka: the key stands twice, here and in line 1; keep one"}},
		{"wrong types", "kafka: [1]\nlog: {level: 5, format: json}\ndelivery: {attempts: three, maxUncommitted: 1.5, backoff: fast}\n" + good, []string{
			"1:8: kafka: must be an object, not a list",
			"2:14: log.level: must be text, not a number; put it in quotes",
			"3:22: delivery.attempts: must be a number, not the text \"three\"",
			"3:45: delivery.maxUncommitted: must be a whole number from 1 to 10000000, not 1.5",
			"3:59: delivery.backoff: must be an object, not text",
		}},
		{"durations", "shutdownTimeout: 0\nkafka: {sessionTimeout: 10, commitInterval: soon}\ndelivery: {maxEventAge: -1h, requestTimeout: 24h, backoff: {initial: 1m, max: 1s}}\n" + good, []string{
			"1:18: shutdownTimeout: must be from 1ms to 1h, not 0",
			"2:25: kafka.sessionTimeout: 10 has no unit; write 10s for seconds (units: ms, s, m, h, d)",
			"2:45: kafka.commitInterval: \"soon\" isn't a duration; write a number with a unit, as in 10s, 1m30s, 24h or 7d (units: ms, s, m, h, d)",
			"3:25: delivery.maxEventAge: must be from 0 to 3650d, not \"-1h\"",
			"3:46: delivery.requestTimeout: must be from 1ms to 10m, not \"24h\"",
			"3:60: delivery.backoff: initial (1m) is longer than max (1s)",
		}},
		{"commits too rare", "kafka: {sessionTimeout: 1s, commitInterval: 600ms}\n" + good, []string{
			"1:45: kafka.commitInterval: commitInterval (600ms) may be half of sessionTimeout (1s) at most: each commit renews the lease under which messages are sent",
		}},
		{"sessions too short", "kafka: {sessionTimeout: 1s}\n" + good, []string{
			"1:25: kafka.sessionTimeout: commitInterval (1s) may be half of sessionTimeout (1s) at most: each commit renews the lease under which messages are sent",
		}},
		{"a group's name", "kafka: {groupPrefix: a b}\n" + good, []string{"1:22: kafka.groupPrefix: may hold letters, digits, '.', '_' and '-' only"}},
		{"choices", "kafka: {startOffset: last, sasl: {mechanism: scram-sha-1}}\nlog: {level: information}\n" + good, []string{
			"1:22: kafka.startOffset: \"last\" isn't allowed; did you mean latest?",
			"1:46: kafka.sasl.mechanism: \"scram-sha-1\" isn't allowed; did you mean scram-sha-512?",
			"2:14: log.level: \"information\" isn't allowed; known are: trace, debug, info, warn, error",
		}},
		{"login", "kafka: {sasl: {mechanism: plain}}\n" + good, []string{
			"1:15: kafka.sasl: plain needs a username",
			"1:15: kafka.sasl: plain needs a password",
		}},
		{"login by token", "kafka: {sasl: {mechanism: OAUTHBEARER, tokenUrl: login, username: u}}\n" + good, []string{
			"1:15: kafka.sasl: oauthbearer needs a clientId",
			"1:15: kafka.sasl: oauthbearer needs a clientSecret",
			"1:50: kafka.sasl.tokenUrl: must be an address like https://login.example.com/oauth2/token, without a user in it",
			"1:67: kafka.sasl.username: oauthbearer takes no username; remove it",
		}},
		{"login by nothing", "kafka: {sasl: {mechanism: oauthbearer, extensions: {auth: x, a1: y, ok: \"\"}}}\n" + good, []string{
			"1:15: kafka.sasl: oauthbearer needs a tokenUrl, or a tokenFile",
			"1:15: kafka.sasl: oauthbearer needs a clientId",
			"1:15: kafka.sasl: oauthbearer needs a clientSecret",
			"1:53: kafka.sasl.extensions.auth: an extension's name holds letters only, and isn't auth",
			"1:62: kafka.sasl.extensions.a1: an extension's name holds letters only, and isn't auth",
			"1:73: kafka.sasl.extensions.ok: must be text of ASCII characters",
		}},
		{"login by a file that isn't there", "kafka: {sasl: {mechanism: oauthbearer, tokenFile: gone, clientId: c}}\n" + good, []string{
			"1:51: kafka.sasl.tokenFile: the file can't be read: no such file or directory",
			"1:67: kafka.sasl.clientId: oauthbearer with a tokenFile takes no clientId; remove it",
		}},
		{"login at Amazon's", "kafka: {sasl: {mechanism: AWS_MSK_IAM, password: x}}\n" + good, []string{
			"1:15: kafka.sasl: aws-msk-iam needs a region",
			"1:50: kafka.sasl.password: aws-msk-iam takes no password; remove it",
		}},
		{"a password missing beside other faults", "kafka: {topc: x, sasl: {mechanism: scram, username: u}}\n" + good, []string{
			"1:9: kafka.topc: unknown key; did you mean topic?",
			"1:24: kafka.sasl: a login with a username needs a password",
			"1:36: kafka.sasl.mechanism: \"scram\" isn't allowed; known are: plain, scram-sha-256, scram-sha-512, oauthbearer, aws-msk-iam",
		}},
		{"login without a mechanism", "kafka: {sasl: {username: u}}\n" + good, []string{
			"1:15: kafka.sasl: there is a username or a password but no mechanism; set mechanism to plain, scram-sha-256 or scram-sha-512",
		}},
		{"brokers", "kafka: {brokers: [localhost, \"a:b\", \"a:0\", \":1\", \"k://a:1\"]}\n" + good, []string{"1:19: kafka.brokers[0]: must be host:port, as in localhost:9092"}},
		{"no brokers", "kafka: {brokers: []}\n" + good, []string{"1:18: kafka.brokers: must name at least one broker, as in localhost:9092"}},
		{"topics", "kafka: {topic: \"a b\", groupPrefix: \"\", deadLetterTopic: ..}\n" + good, []string{
			"1:16: kafka.topic: may hold letters, digits, '.', '_' and '-' only: Kafka allows no others in a topic's name",
			"1:36: kafka.groupPrefix: must not be empty",
			"1:57: kafka.deadLetterTopic: Kafka allows no topic named . or ..",
		}},
		{"a derived topic's name is too long", "kafka: {topic: " + long + "}\n" + good, []string{
			"4:11: destinations[0].name: a retry topic of destinations[0] would be 261 characters long; Kafka allows 249",
		}},
		{"topics collide", "kafka: {topic: a.b, deadLetterTopic: a_b}\n" + good, []string{
			"1:38: kafka.deadLetterTopic: the dead-letter topic and the source topic would be one topic, as Kafka takes '.' and '_' for the same there; name one of them otherwise",
		}},
		{"names", "destinations:\n  - {name: a.b, settings: {}, actions: [{name: x, type: sendSms, mapping: {}}, {name: x, type: sendSMS, mapping: 5}]}\n  - {name: c, settings: {}, actions: [{name: \"ä\", type: sendSms, mapping: {}}]}\n  - {name: c, settings: {}, actions: [{name: x, type: sendSms, mapping: {}}]}\n", []string{
			"2:12: destinations[0].name: a destination's name begins with a letter or digit and holds letters, digits, '_' and '-' only",
			"2:87: destinations[0].actions[1].name: the name \"x\" is taken in line 2; give each its own",
			"2:96: destinations[0].actions[1].type: \"sendSMS\" isn't allowed; did you mean sendSms?",
			"2:114: destinations[0].actions[1].mapping: must be an object, not a number",
			"3:46: destinations[1].actions[0].name: an action's name begins with a letter or digit and holds letters, digits, '_' and '-' only",
			"4:12: destinations[2].name: the name \"c\" is taken in line 3; give each its own",
		}},
		{"regions", "regions:\n  a: {rate: 0, burst: 0, breaker: {failureRatio: 1.5}, twilioEdge: dublin}\n  b: {rate: .inf}\n  \"c d\": {}\n  e: {twilioRegion: \"IE1.x\", twilioEdge: x}\n" + good, []string{
			"2:6: regions.a: twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither",
			"2:13: regions.a.rate: must be above 0 and at most 1000000, not 0",
			"2:23: regions.a.burst: must be a whole number from 1 to 1000000, not 0",
			"2:50: regions.a.breaker.failureRatio: must be above 0 and at most 1, not 1.5",
			"3:13: regions.b.rate: JSON has no such number; put it in quotes if it is meant as text",
			"4:3: regions.c d: a region's name is 1 to 64 letters, digits, '_' and '-'",
			"5:21: regions.e.twilioRegion: must be a part of a host name: lower-case letters, digits and '-'",
		}},
		{"senders", "regions:\n  a: {senders: {\"+1 500\": {rate: 0}, \"+1500\": {rate: 1}, x y z!: {rate: 1}, MG1: {}}}\n" + good, []string{
			"2:34: regions.a.senders.+1 500.rate: must be above 0 and at most 1000000, not 0",
			"2:38: regions.a.senders.+1500: is the sender +1 500 of line 2, written otherwise; keep one",
			"2:58: regions.a.senders.x y z!: a sender is a number (+15551234567), a short code, a name, a messaging service (MG...), or whatsapp: and a number, as a message's From has it",
			"2:82: regions.a.senders.MG1.rate: required, and missing",
		}},
		{"a purpose", "destinations:\n  - {name: a, settings: {}, actions: [{name: x, type: sendSms, purpose: marketin, mapping: {}}]}\n", []string{
			"2:73: destinations[0].actions[0].purpose: \"marketin\" isn't allowed; did you mean marketing?",
		}},
		{"http", "http: {listen: 8080}\n" + good, []string{"1:16: http.listen: must be text, not a number; put it in quotes"}},
		{"listen", "http: {listen: \"8080\"}\n" + good, []string{"1:16: http.listen: must be an address to listen on: host:port, or :port for every network"}},
		{"files", "kafka: {tls: {enabled: true, caFile: /no/such, certFile: /no/cert, keyFile: /no/key}}\n" + good, []string{
			"1:38: kafka.tls.caFile: the file can't be read: no such file or directory",
			"1:58: kafka.tls.certFile: the file can't be read: no such file or directory",
			"1:77: kafka.tls.keyFile: the file can't be read: no such file or directory",
		}},
		{"a desk for all, and no token", "desk: {listen: \":8082\"}\n" + good, []string{"1:16: desk.listen: a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082"}},
		{"a desk by a name that only looks like loopback", "desk: {listen: \"127.0.0.1.example.com:8082\"}\n" + good, []string{"1:16: desk.listen: a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082"}},
		{"a desk's short token", "desk: {token: opensesame}\n" + good, []string{"1:15: desk.token: token has 10 bytes, and needs 16 or more: `openssl rand -base64 32` makes one"}},
		{"half a desk's pair", "desk: {tls: {certFile: c.pem}}\n" + good, []string{"1:13: desk.tls: certFile and keyFile go together: set both, or neither"}},
		{"a desk's worker without a port", "desk: {workers: [worker]}\n" + good, []string{"1:18: desk.workers[0]: must be host:port, as in localhost:9092"}},
		{"half a pair", "kafka: {tls: {certFile: c.pem}}\n" + good, []string{"1:14: kafka.tls: certFile and keyFile go together: set both, or neither"}},
		{"numbers and keys of a mapping", "destinations:\n  - name: a\n    settings: {}\n    actions:\n      - name: x\n        type: sendSms\n        mapping: {big: 12345678901234567890, nan: .nan, tagged: !secret x, {a: b}: c}\n", []string{
			"7:24: destinations[0].actions[0].mapping.big: the number is too large to be kept exactly; put it in quotes, so that it is text",
			"7:51: destinations[0].actions[0].mapping.nan: JSON has no such number; put it in quotes if it is meant as text",
			"7:65: destinations[0].actions[0].mapping.tagged: YAML tags like !name have no meaning here; put a value that begins with ! in quotes",
			"7:76: destinations[0].actions[0].mapping.?: a key must be a plain word, not a list or an object",
		}},
		{"an alias inside its own anchor", "regions: &r\n  a: *r\n" + good, []string{"1:10: too large or too deep: aliases (*name) multiply to more than 200000 values or 100 levels"}},
	}
}

const merges = `
x-unused: {unknown: "${UNSET}"}
x-empty:
regions:
  a: &base {rate: 7, maxInFlight: 9}
  b: *base
  c: {<<: *base, rate: 8}
  d: {<<: [{burst: 3, rate: 1}, *base]}
` + good

func TestAliasesAndMerges(t *testing.T) {
	cfg, err := load(merges, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	breaker := defaultRegion().Breaker
	equal(t, cfg.Regions, map[string]Region{
		"a": {Rate: 7, Burst: 7, MaxInFlight: 9, Breaker: breaker},
		"b": {Rate: 7, Burst: 7, MaxInFlight: 9, Breaker: breaker},
		"c": {Rate: 8, Burst: 8, MaxInFlight: 9, Breaker: breaker},
		"d": {Rate: 1, Burst: 3, MaxInFlight: 9, Breaker: breaker},
	})
}

// A merge of many keys takes time that grows with the keys, not with their
// square; no time is asserted, for the test would stand out by a minute.
func TestAMergeOfManyKeys(t *testing.T) {
	const keys = 60_000
	var text strings.Builder
	text.WriteString("x-many: &many {")
	for i := range keys {
		text.WriteString("k" + strconv.Itoa(i) + ": 1, ")
	}
	text.WriteString("}\ndestinations:\n  - name: it\n    settings: {}\n    actions: [{name: a, type: sendSms, mapping: {<<: *many, k7: 2, mine: 3}}]\n")
	cfg, err := load(text.String(), nil, func(actions.Definition, actions.Options) []actions.Fault { return nil })
	if err != nil {
		t.Fatal(err)
	}
	mapping := cfg.Destinations[0].Actions[0].Mapping
	equal(t, len(mapping), keys+1)
	equal(t, []any{mapping["k7"], mapping["k8"], mapping["mine"]}, []any{2.0, 1.0, 3.0})
}

// JSON's escapes are read, also where YAML's parser knows others, and text
// that only looks like them stays as it is.
func TestPastedJSON(t *testing.T) {
	for written, want := range map[string]string{
		`"https:\/\/cb.io\/h"`:               "https://cb.io/h",
		`"\ud83d\ude00 \u00e9 \uD83D\uDE01"`: "😀 é 😁",
		`"\\/ \\ud83d\\ude00 \/"`:            `\/ \ud83d\ude00 /`,
		`'\/ \ud83d\ude00'`:                  `\/ \ud83d\ude00`,
		`\/ "a" \/`:                          `\/ "a" \/`,
	} {
		for _, text := range []string{
			"\ndestinations:\n  - name: it\n    settings: {}\n    actions:\n      - {name: a, type: sendSms, mapping: {x: \"\\/\", body: " + written + "}}\n",
			`{"destinations":[{"name":"it","settings":{},"actions":[{"name":"a","type":"sendSms","mapping":{"x":"\/","body":` + written + `}}]}]}`,
		} {
			cfg, err := load(text, nil, nil)
			if err != nil {
				t.Errorf("%s: %v", written, err)
				continue
			}
			equal(t, cfg.Destinations[0].Actions[0].Mapping, map[string]any{"x": "/", "body": want})
		}
	}
	_, err := load(`{"destinations":[{"name":"\/\ud83d"}]}`, nil, nil)
	equal(t, len(faults(t, err)), 1)
}

func TestPlainScalars(t *testing.T) {
	for written, want := range map[string]any{
		"7": 7.0, "-7": -7.0, "0": 0.0, "1.50": 1.5, "1e3": 1000.0, "true": true, "null": nil,
		"+15551234567": "+15551234567", "02079460958": "02079460958", "+1.5": "+1.5", ".5": ".5", "5.": "5.", "0x1F": "0x1F", "0o17": "0o17",
		"yes": "yes", "2026-11-01": "2026-11-01", "1_000": "1_000", "12:30": "12:30",
	} {
		cfg, err := load("destinations:\n  - name: it\n    settings: {}\n    actions:\n      - {name: a, type: sendSms, mapping: {x: ["+written+"]}}\n", nil, nil)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		equal(t, cfg.Destinations[0].Actions[0].Mapping["x"], any([]any{want}))
	}
}

func TestManyAliasesEndSoon(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c <= 'k'; c++ {
		prev := string(c - 1)
		bomb.WriteString(string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+prev+",", 9) + "]\n")
	}
	_, err := load(bomb.String(), nil, nil)
	if lines := faults(t, err); len(lines) != 1 || !strings.Contains(lines[0], "too large or too deep") {
		t.Error(lines)
	}
}

func TestCompilersFaultsStandWhereTheyAre(t *testing.T) {
	compile := func(def actions.Definition, opts actions.Options) []actions.Fault {
		region, edge := opts.Region("eu-west-1")
		equal(t, [2]string{region, edge}, [2]string{"ie1", "dublin"})
		return []actions.Fault{
			{Path: "actions[0].mapping.body", Message: "bad template"},
			{Path: "actions[0].mapping.list[1].x", Message: "bad item"},
			{Path: "actions[0].mapping.a.b", Message: "a key with a dot"},
			{Path: "actions[0].trigger", Message: "bad trigger"},
			{Path: "settings.twilioAccountSID", Message: "required"},
			{Path: "settings.spaceId", Message: "is a consequence"},
			{Path: "", Message: "all of it"},
		}
	}
	_, err := load(`
regions: {eu-west-1: {twilioRegion: ie1, twilioEdge: dublin}}
destinations:
  - name: onboarding
    settings:
      spaceId: 5
    actions:
      - name: welcome
        type: sendSms
        mapping:
          body: >-
            Hi {{
          list:
            - a
            - b
          a.b: c
`, nil, compile)
	equal(t, faults(t, err), []string{
		"4:5: destinations[0]: all of it",
		"6:7: destinations[0].settings.twilioAccountSID: required",
		"6:16: destinations[0].settings.spaceId: must be text, not a number; put it in quotes",
		"8:9: destinations[0].actions[0].trigger: bad trigger",
		"11:17: destinations[0].actions[0].mapping.body: bad template",
		"15:15: destinations[0].actions[0].mapping.list[1].x: bad item",
		"16:16: destinations[0].actions[0].mapping.a.b: a key with a dot",
	})
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, form.MaxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "no.yaml"): "there is no such file; name the configuration with --config or ENGAGE_CONFIG",
		dir:                           "this is a folder; name the configuration file in it",
		large:                         "the file is larger than 4 MiB, which no configuration is",
	} {
		cfg, err := Load(path)
		if cfg != nil {
			t.Errorf("%s: a configuration with %v", path, err)
		}
		equal(t, err, error(&Faults{List: []Fault{{File: path, Message: want}}}))
	}
}

// TestHalfARegionIsOneFault: the compiler says nothing of it again where the
// region is used.
func TestHalfARegionIsOneFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(`regions: {us-west-2: {twilioRegion: ie1}}
destinations:
  - name: d
    settings: {twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: s}
    actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	var all *Faults
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	equal(t, all.List, []Fault{{
		File: path, Line: 1, Column: 22, Path: "regions.us-west-2",
		Message: "twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither",
	}})
}

// objectOf is an object of one member.
func objectOf(key string, value any) *jsvalue.Object {
	o := jsvalue.NewObject(1)
	o.Set(key, value)
	return o
}

// TestRegionsNames: whoever names a region does so by letters, digits, '_' and '-'.
func TestRegionsNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"us-west-2": true, "_": true, "-x": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "eu west": false, "eu.west": false, "é": false, "+14155550123": false, "a\\n": false,
	} {
		for _, place := range []string{
			`regions: {"%s": {}}` + "\ndestinations: [{name: d, settings: {SETTINGS}, actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi}}]}]",
			`destinations: [{name: d, settings: {SETTINGS, region: "%s"}, actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi}}]}]`,
			`destinations: [{name: d, settings: {SETTINGS}, actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi, region: "%s"}}]}]`,
		} {
			path := filepath.Join(t.TempDir(), "engage.yaml")
			text := strings.Replace(fmt.Sprintf(place, name), "SETTINGS", "twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: s", 1)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path)
			if ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), "a region's name is 1 to 64 letters, digits, '_' and '-'")) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// TestRegionsOfMappings: a region that a mapping fixes is one that validate
// shows, with the built-in defaults.
func TestRegionsOfMappings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(`destinations:
  - name: d
    settings: {twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: s}
    actions: [{name: a, type: sendSms, mapping: {from: MG1, body: hi, region: sydney}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if names := cfg.RegionNames(); !slices.Contains(names, "sydney") {
		t.Errorf("regions %v", names)
	}
	var out strings.Builder
	if err := cfg.Print(&out); err != nil || !strings.Contains(out.String(), "sydney:") {
		t.Errorf("printed %v:\n%s", err, out.String())
	}
}

// TestFormerNames: what is in Kafka goes by a destination's first name.
func TestFormerNames(t *testing.T) {
	cfg := &Config{Kafka: Kafka{Topic: "events", GroupPrefix: "p"}, Ledger: Ledger{Adopt: "q"}, Destinations: []Destination{
		{Definition: actions.Definition{Name: "third"}, FormerNames: []string{"second", "first"}}, {Definition: actions.Definition{Name: "other"}},
	}}
	for _, name := range []string{"first", "second", "third"} {
		equal(t, cfg.Named(name), &cfg.Destinations[0])
		equal(t, cfg.GroupID(name), "p.first")
		equal(t, cfg.LedgerTopic(name), "events.first.ledger")
		equal(t, cfg.RetryTopics(name)[0], "events.first.retry.30s")
		equal(t, cfg.StatusTopic(name), "events.first.status")
		equal(t, cfg.CallbacksTopic(name), "events.first.callbacks")
		equal(t, cfg.Adopted(name), []string{"q", "q.first"})
	}
	equal(t, cfg.GroupID("other"), "p.other")
	equal(t, cfg.Named("nobody") == nil, true)
	equal(t, cfg.LedgerTopic("nobody"), "events.nobody.ledger")
}
