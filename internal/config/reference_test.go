package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"engage-worker/actions"
)

func TestReferences(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("from: a\nfile\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"NAME": "Jane", "EMPTY": "", "NUMBER": "+15551234", "YAML": "x\nadmin: {a: [b]}  # c", "NESTED": "${NAME}", "_a1": "under",
	}
	tests := []struct{ written, want string }{
		{`${NAME}`, "Jane"},
		{`"Hi ${NAME}, ${NAME}!"`, "Hi Jane, Jane!"},
		{`a${EMPTY}b`, "ab"},
		{`${NUMBER}`, "+15551234"},
		{`${YAML}`, "x\nadmin: {a: [b]}  # c"},
		{`${NESTED}`, "${NAME}"},
		{`${_a1}`, "under"},
		{`$${NAME}`, "${NAME}"},
		{`$$${NAME}`, "$${NAME}"},
		{`"$${NAME} ${NAME}"`, "${NAME} Jane"},
		{`$.properties.x`, "$.properties.x"},
		{`"{{ a | append: '$' }}"`, "{{ a | append: '$' }}"},
		{`$NAME`, "$NAME"},
		{`"only ${{ price }}, ${NAME} $${{ x }} ${{"`, "only ${{ price }}, Jane ${{ x }} ${{"},
		{`${file:` + file + `}`, "from: a\nfile"},
	}
	for _, test := range tests {
		t.Run(test.written, func(t *testing.T) {
			cfg, err := load("destinations:\n- name: a\n  settings: {}\n  actions:\n  - name: a\n    type: sendSms\n    mapping:\n      body: "+test.written+"\n", env, nil)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, cfg.Destinations[0].Actions[0].Mapping, map[string]any{"body": test.want})
		})
	}
}

func TestReferencesAreTypedByTheKey(t *testing.T) {
	env := map[string]string{"RATE": "12.5", "BURST": "7", "ON": "true", "WAIT": "3s", "AGE": "0", "LEVEL": "warn", "BROKERS": "a:1, b:2,a:1"}
	cfg, err := load(`
kafka:
  brokers: ${BROKERS}
  tls: {enabled: "${ON}"}
log:
  level: ${LEVEL}
shutdownTimeout: ${WAIT}
delivery:
  maxEventAge: ${AGE}
regions:
  a:
    rate: ${RATE}
    burst: ${BURST}
`+good, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, cfg.Kafka.Brokers, []string{"a:1", "b:2"})
	equal(t, cfg.Kafka.TLS.Enabled, true)
	equal(t, cfg.Log.Level, "warn")
	equal(t, cfg.ShutdownTimeout, 3*time.Second)
	equal(t, cfg.Delivery.MaxEventAge, 0)
	equal(t, [2]float64{cfg.Regions["a"].Rate, float64(cfg.Regions["a"].Burst)}, [2]float64{12.5, 7})
}

func TestWrongReferences(t *testing.T) {
	env := map[string]string{"WORD": "hunter2", "BAD": "\xff"}
	_, err := load(`
kafka:
  topic: ${NO_TOPIC} and ${NO_OTHER}
  groupPrefix: ${file:/no/such/file}
  deadLetterTopic: ${file:/}
  sessionTimeout: ${WORD}
  startOffset: ${WORD}
  brokers: ["${WORD}"]
http:
  token: ${a b}
  listen: ${
shutdownTimeout: ${BAD}
delivery:
  attempts: ${WORD}
  backoff: ${WORD}
regions:
  a:
    rate: ${WORD:-5}
`+good, env, nil)
	const name = "${...} takes the name of an environment variable (letters, digits and _) or file:/path; write $${ for a literal ${"
	equal(t, faults(t, err), []string{
		"3:10: kafka.topic: the environment variable NO_TOPIC isn't set; set it, or write $${ for a literal ${",
		"3:10: kafka.topic: the environment variable NO_OTHER isn't set; set it, or write $${ for a literal ${",
		"4:16: kafka.groupPrefix: ${file:/no/such/file} can't be read: no such file or directory",
		"5:20: kafka.deadLetterTopic: ${file:/} can't be read: it isn't a regular file",
		"6:19: kafka.sessionTimeout: the value (not shown) isn't a duration; write a number with a unit, as in 10s, 1m30s, 24h or 7d (units: ms, s, m, h, d)",
		"7:16: kafka.startOffset: the value (not shown) isn't allowed; known are: latest, earliest",
		"8:13: kafka.brokers[0]: must be host:port, as in localhost:9092",
		"10:10: http.token: " + name,
		"11:11: http.listen: a reference begins with ${ and has no end; write ${NAME}, or $${ for a literal ${",
		"12:18: shutdownTimeout: the environment variable BAD isn't UTF-8 text",
		"14:13: delivery.attempts: must be a number, and the value of the reference isn't one",
		"15:12: delivery.backoff: must be an object, and the value of the reference isn't",
		"18:11: regions.a.rate: " + name,
	})
}

func TestNoSecretInAFaultOrInPrint(t *testing.T) {
	env := map[string]string{"SECRET": "hunter2\"x", "TOPIC": "hidden-topic", "REGION": "hidden-region", "NAME": "hidden-name"}
	const text = `
kafka:
  brokers: ["${TOPIC}:9092"]
  topic: ${TOPIC}
  groupPrefix: x${TOPIC}
  sasl: {mechanism: plain, username: worker, password: swordfish}
http: {token: "swordfish5"}
destinations:
  - name: ${NAME}
    settings:
      twilioApiKeySecret: swordfish2
      profileApiAccessToken: swordfish3
      webhookUrl: https://me:swordfish4@hooks.example.com/x
      region: ${REGION}
    actions:
      - name: a
        type: sendSms
        mapping: {body: "before ${SECRET} after", list: ["${SECRET}", shown], token: {a: "${SECRET}"}}
`
	quoting := func(def actions.Definition, _ actions.Options) []actions.Fault {
		body := def.Actions[0].Mapping["body"].(string)
		return []actions.Fault{{Path: "actions[0].mapping.body", Message: "bad: " + body + " " + def.Settings.TwilioAPIKeySecret +
			" " + def.Settings.ProfileAPIAccessToken + " " + strings.ReplaceAll(env["SECRET"], `"`, `\"`)}}
	}
	_, err := load(text, env, quoting)
	equal(t, faults(t, err), []string{"18:25: destinations[0].actions[0].mapping.body: bad: before *** after *** *** ***"})

	cfg, err := load(text, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := cfg.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"swordfish", "hunter2", "hidden"} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%s is in\n%s", hidden, out.String())
		}
	}
	for _, shown := range []string{
		"brokers:\n    - '***'\n", "topic: '***'\n", "groupPrefix: '***'\n", "password: '***'\n", "token: '***'\n", "deadLetterTopic: '***.dlq'\n",
		"twilioApiKeySecret: '***'\n", "profileApiAccessToken: '***'\n", "webhookUrl: https://me:***@hooks.example.com/x\n", "region: '***'\n",
		"body: '***'\n", "- '***'\n            - shown\n", "#   consumer group  ***.***\n", "#   ledger          ***.***.ledger\n",
	} {
		if !strings.Contains(out.String(), shown) {
			t.Errorf("%q is not in\n%s", shown, out.String())
		}
	}
}

func TestSecretPrintsVeiled(t *testing.T) {
	s := struct {
		S Secret
		E Secret
	}{S: "hunter2"}
	equal(t, []string{sprintf("%v", s), sprintf("%+v", s), sprintf("%#v", s.S), sprintf("%s", s.S), sprintf("%q", s.S), sprintf("%x", s.S)},
		[]string{"{*** }", "{S:*** E:}", `"***"`, "***", `"***"`, "2a2a2a"})
	text, err := s.S.MarshalText()
	equal(t, string(text), "***")
	equal(t, err, nil)
	equal(t, s.S.Reveal(), "hunter2")
}
