package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/preflight"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/twiliosim"
)

const (
	account = "AC00000000000000000000000000000001"
	key     = "SK00000000000000000000000000000001"
)

// checked runs check, with the key's secret, over actions of a destination.
func checked(t *testing.T, broker, vendor, secret, token string) result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	text := fmt.Sprintf(`kafka: {topic: events, brokers: [%q]}
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: `+account+`
      twilioApiKeySID: `+key+`
      twilioApiKeySecret: %s
      profileApiEnvironment: production
      profileApiAccessToken: %q
      spaceId: spa_1
      twilioHostname: %s
      contentHostname: %s
      profileApiHostname: %s
    actions:
      - {name: a, type: sendSms, mapping: {from: MG00000000000000000000000000000001, body: hi}}
      - {name: b, type: sendSms, mapping: {from: `+twiliosim.ServiceUnknown+`, body: hi}}
      - {name: c, type: sendSms, mapping: {from: "+15005550006", contentSid: `+twiliosim.TemplateText+`}}
      - {name: d, type: sendSms, mapping: {from: "+15005550007", contentSid: HX0000000000000000000000000000000f}}
      - {name: e, type: sendSms, mapping: {from: "+15005550006", body: again}}
      - {name: f, type: sendSms, mapping: {from: ACME, body: hi}}
      - {name: g, type: sendSms, mapping: {from: {"@path": "$.properties.from"}, body: hi}}
`, broker, secret, token, vendor, vendor, vendor)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return command(t, "check", "--output", "json", "--config", path)
}

// failed are the lines that aren't ok, and how many are.
func failed(t *testing.T, r result) (lines []string, good int) {
	t.Helper()
	for line := range strings.Lines(r.stdout) {
		var got preflight.Result
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got.Status == preflight.StatusOK {
			good++
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s; %s", got.Status, got.What, got.Problem, got.WayOut))
	}
	return lines, good
}

func TestCheck(t *testing.T) {
	broker, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	sim, err := twiliosim.New(twiliosim.Options{Accounts: map[string]map[string]string{account: {key: "right"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := broker.Brokers()[0]
	if got := command(t, "topics", "create", "--config", configFile(t, "kafka: {topic: events, brokers: [\""+address+"\"]}")); got.code != cli.ExitOK {
		t.Fatal(got)
	}

	got := checked(t, address, vendor.URL(), "right", "token")
	lines, good := failed(t, got)
	want := []string{
		"fails: onboarding: the sender " + twiliosim.ServiceUnknown + ": the account has no such messaging service; correct the mapping's from",
		"fails: onboarding: the sender +15005550007: the account has no such number; correct the mapping's from, or buy or port the number",
		"fails: onboarding: the content template HX0000000000000000000000000000000f: the account has no such template; correct the mapping's contentSid",
		"unknown: onboarding: the sender ACME: senders of this kind can't be looked up; see Twilio's console",
	}
	if got.code != cli.ExitFailure || strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("exit code %d:\n%s\nwant\n%s", got.code, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	// Kafka, 23 rights, 8 topics, what isn't read yet; the key, two senders, a template, the token.
	if want := 1 + 23 + 8 + 1 + 5; good != want {
		t.Errorf("%d are ok, want %d:\n%s", good, want, got.stdout)
	}
	if n := len(collect(sim)); n != 0 {
		t.Errorf("%d messages were sent", n)
	}

	lines, _ = failed(t, checked(t, address, vendor.URL(), "wrong", "token"))
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "fails: onboarding: Twilio's key "+key+" for the account "+account+": Twilio refuses it (401); ") {
		t.Errorf("a wrong secret: %q", lines)
	}
	broker.Close()
	lines, _ = failed(t, checked(t, address, vendor.URL(), "right", "token"))
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "fails: Kafka at "+address+": Kafka at "+address+" refused the connection") {
		t.Errorf("no Kafka: %q", lines)
	}
	if bad := command(t, "check", "--config", filepath.Join(t.TempDir(), "none")); bad.code != cli.ExitBadInput {
		t.Errorf("no configuration: %+v", bad)
	}
}

func collect(sim *twiliosim.Sim) (all []twiliosim.Message) {
	for m := range sim.Messages() {
		all = append(all, m)
	}
	return all
}

// TestLeftovers: what nothing that is configured reads is said by run,
// check and topics check, with counts.
func TestLeftovers(t *testing.T) {
	broker, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	path := configFile(t, "kafka: {topic: events, brokers: [\""+broker.Brokers()[0]+"\"]}")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const nobody = "http://127.0.0.1:1"
	hosts := fmt.Sprintf("spaceId: spa_1\n      twilioHostname: %s\n      contentHostname: %s\n      profileApiHostname: %s\n", nobody, nobody, nobody)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "spaceId: spa_1\n", hosts, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "topics", "create", "--config", path); got.code != cli.ExitOK {
		t.Fatal(got)
	}
	if err := broker.CreateTopic("events.winback.retry.5m", 1, nil); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer connect.CloseClient(client)
	if _, err := client.Produce(t.Context(), &kafka.ProduceRequest{Topic: "events.winback.retry.5m", RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))})}); err != nil {
		t.Fatal(err)
	}
	const count = "up to 1 records that this configuration doesn't read"
	if got := command(t, "topics", "check", "--config", path); got.code != cli.ExitOK || !strings.Contains(got.stderr, "events.winback.retry.5m: "+count) {
		t.Errorf("topics check: %+v", got)
	}
	lines, _ := failed(t, command(t, "check", "--output", "json", "--config", path))
	if !strings.Contains(strings.Join(lines, "\n"), "warning: Kafka: the topic events.winback.retry.5m: "+count) {
		t.Errorf("check: %q", lines)
	}
	var log bytes.Buffer
	tryBeside(t.Context(), cfg, zerolog.New(&log))()
	if want := `{"level":"warn","tried":"Kafka: the topic events.winback.retry.5m","problem":"` + count; !strings.Contains(log.String(), want) {
		t.Errorf("run: %s", &log)
	}
}
