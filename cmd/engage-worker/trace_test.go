package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/trace"
)

// tell runs trace and returns its timeline.
func (p *dlqPlace) tell(args ...string) *trace.Timeline {
	p.t.Helper()
	var line trace.Timeline
	if err := json.Unmarshal([]byte(p.command(append([]string{"trace", "--output", "json"}, args...)...)), &line); err != nil {
		p.t.Fatal(err)
	}
	return &line
}

// command runs a command that must end with 0.
func (p *dlqPlace) command(args ...string) string {
	p.t.Helper()
	var out, errs strings.Builder
	if code := run(p.t.Context(), append([]string{"--config", p.config}, args...), strings.NewReader(""), &out, &errs); code != cli.ExitOK {
		p.t.Fatalf("%v: code %d\n%s%s", args, code, out.String(), errs.String())
	}
	return out.String()
}

// story is the kinds of steps, in order, and of equal ones in a row one.
func story(line *trace.Timeline) string {
	var kinds []string
	for _, s := range line.Steps {
		what := s.What
		if what == trace.Skipped || what == trace.Decision {
			what += "(" + s.Detail[strings.LastIndexByte(s.Detail, ' ')+1:] + ")"
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != what {
			kinds = append(kinds, what)
		}
	}
	return strings.Join(kinds, " ")
}

// TestTrace: what became of an event is told in order, for each of its ends, by its
// messageId, its user and its number.
func TestTrace(t *testing.T) {
	p, deploy := newReplayPlace(t)
	deploy("+15005550006", `trigger: 'event = "Audience Entered"', `)
	stop := p.work()
	defer stop()
	event := func(n int, name, phone string, subscribed bool) {
		p.produce(dlqSource, n%3, kafka.Message{Key: fmt.Append(nil, "user-", n), Value: fmt.Appendf(nil,
			`{"type":"track","event":%q,"userId":"user-%d","messageId":"m-%d","properties":{},"external_ids":[{"type":"phone","id":%q,"channelType":"sms","isSubscribed":%t}]}`,
			name, n, n, phone, subscribed)})
	}
	event(0, "Audience Entered", "+14155550100", true)
	event(1, "Audience Entered", "+15005550009", true) // can't receive an SMS
	event(2, "Audience Entered", "+14155550102", false)
	event(3, "Audience Exited", "+14155550103", true)
	p.awaitEnd(dlqSource+".dlq", 1)
	p.awaitEnd(dlqSource+".onboarding.ledger", 4)
	p.ok("replay", "--yes", "--rate", "1000")
	for id, want := range map[string]string{
		"m-0": "event trigger attempt accepted status",
		"m-1": "event trigger attempt not_sent dead replay replayed attempt not_sent dead replay",
		"m-2": "event trigger decision(not_subscribed)",
		"m-3": "event no_match",
		"m-9": "",
	} {
		// Which of several topics' steps comes first is by milliseconds.
		got := story(p.tell("--message-id", id))
		if id == "m-0" || id == "m-1" {
			got, want = fmt.Sprint(sorted(got)), fmt.Sprint(sorted(want))
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	for _, args := range [][]string{{"--user", "user-0"}, {"--to", "+1 415 555 0100"}} {
		if got := p.tell(args...); !strings.HasPrefix(story(got), "event trigger attempt ") || got.Events != 1 {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := p.command("trace", "--message-id", "m-0"); !strings.Contains(got, "DETAIL") || !strings.Contains(got, "the trigger wants it") || !strings.Contains(got, "accepted") {
		t.Errorf("%s", got)
	}
	if got := p.command("trace", "--message-id", "m-9"); !strings.HasPrefix(got, "nothing is found of it since ") {
		t.Errorf("%s", got)
	}
	for _, args := range [][]string{{"trace"}, {"trace", "--to", "12"}, {"trace", "--user", "a", "--message-id", "b"}, {"trace", "--user", "a", "--since", "never"}} {
		var out, errs strings.Builder
		if code := run(t.Context(), append([]string{"--config", p.config}, args...), strings.NewReader(""), &out, &errs); code != cli.ExitBadInput {
			t.Errorf("%v: code %d, %s", args, code, errs.String())
		}
	}
}

// TestTraceOfSkips: why somebody didn't get a message is told for each reason that an event
// with a messageId can be skipped for.
func TestTraceOfSkips(t *testing.T) {
	p, _ := newReplayPlace(t)
	const sending, disabled = `mapping: {from: "+15005550006", body: "Welcome!"}`, `mapping: {from: "+15005550006", body: "Welcome!", send: false}`
	p.deploy("http://127.0.0.1:1", sending)
	p.command("topics", "create")
	for n, addresses := range []string{
		`[{"type":"phone","id":"+14155550100","channelType":"sms","isSubscribed":false}]`, `[{"type":"phone","id":"+14155550101","channelType":"sms","isSubscribed":"perhaps"}]`, `[]`,
		`[{"type":"phone","id":"+14155550103","channelType":"sms","isSubscribed":true}]`,
	} {
		p.produce(dlqSource, 0, kafka.Message{Value: fmt.Appendf(nil, `{"type":"track","event":"Audience Entered","userId":"u","messageId":"m-%d","external_ids":%s}`, n, addresses)})
	}
	for id, want := range map[string]string{
		"m-0": "event trigger decision(not_subscribed)", "m-1": "event trigger decision(invalid_subscription_status)", "m-2": "event trigger decision(no_recipient)", "m-3": "event trigger decision(send)",
	} {
		if got := story(p.tell("--message-id", id)); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	p.deploy("http://127.0.0.1:1", disabled)
	if got, want := story(p.tell("--message-id", "m-3")), "event trigger decision(send_disabled)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// A second event of an id that was sent: one acceptance, and whose event's it is.
	sent := ledger.Entry{State: ledger.Sent, SID: "SM1", Time: time.Now(), Position: ledger.Position{Offset: 3}}
	p.produce(dlqSource+".onboarding.ledger", 0, kafka.Message{Key: ledger.AppendKey(nil, "welcome-sms", "m-3"), Value: sent.AppendValue(nil)})
	p.produce(dlqSource, 0, kafka.Message{Value: []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"m-3"}`)})
	line, accepted := p.tell("--message-id", "m-3"), 0
	for _, s := range line.Steps {
		if s.What == trace.Accepted && strings.Contains(s.Detail, dlqSource+"/0/3") {
			accepted++
		}
	}
	if line.Events != 2 || accepted != 1 {
		t.Errorf("%d events, %d accepted: %+v", line.Events, accepted, line.Steps)
	}
}

// sorted are the different kinds of steps.
func sorted(story string) map[string]bool {
	kinds := map[string]bool{}
	for kind := range strings.FieldsSeq(story) {
		kinds[kind] = true
	}
	return kinds
}

// BenchmarkTrace looks for one of EVENTS (100,000) sample events by its messageId, where
// the ledger and the status topic have a record of each, as a process of its own: on the Kafka that KAFKA_BROKERS names, or on the embedded
// broker, which then takes its share of this machine's cores.
func BenchmarkTrace(b *testing.B) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("EVENTS"), "100000"))
	if err != nil {
		b.Fatal(err)
	}
	brokers := strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	if brokers[0] == "" {
		broker, err := embedded.Start()
		if err != nil {
			b.Fatal(err)
		}
		defer broker.Close()
		brokers = broker.Brokers()
	}
	dir := b.TempDir()
	topic := fmt.Sprint("trace-bench-", time.Now().UnixNano())
	config := benchConfig(b, dir, brokers[0], topic)
	benchRun(b, config, "topics", "create", "--partitions", "12")
	benchRun(b, config, "produce", "--generate", strconv.Itoa(n), "--rate", "1000000")
	event := filepath.Join(dir, "event.json")
	if err := os.WriteFile(event, []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"the-one","properties":{}}`), 0o600); err != nil {
		b.Fatal(err)
	}
	benchRun(b, config, "produce", event)
	benchOutcomes(b, brokers[0], topic, n)
	for _, args := range [][]string{{"--message-id", "the-one"}, {"--user", "u"}, {"--to", "+14155550100"}} {
		b.Run(args[0][2:], func(b *testing.B) {
			cpu, peak := time.Duration(0), 0
			for b.Loop() {
				state, kib := benchRun(b, config, append([]string{"trace"}, args...)...)
				cpu, peak = cpu+state.UserTime()+state.SystemTime(), max(peak, kib)
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(peak)/1024, "MiB-peak")
		})
	}
}

// benchOutcomes writes what the ledger and the status topic say of n messages.
func benchOutcomes(b *testing.B, broker, topic string, n int) {
	b.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := acked.NewWriter(kafka.TCP(broker), transport, "")
	defer w.Close()
	const batch, partitions = 5000, 12
	now := time.Now()
	for i := 0; i < n; i += batch {
		var entries, statuses []kafka.Message
		for j := i; j < min(n, i+batch); j++ {
			key, sid := ledger.AppendKey(nil, "welcome-sms", fmt.Sprintf("engage_0000000000000001_%d", j)), fmt.Sprintf("SM%032x", j)
			sent := ledger.Entry{State: ledger.Sent, SID: sid, Time: now, Position: ledger.Position{Offset: int64(j)}, Mark: 7}
			entries = append(entries, kafka.Message{Topic: topic + ".onboarding.ledger", Key: key, Value: sent.AppendValue(nil)})
			statuses = append(statuses, kafka.Message{Topic: topic + ".onboarding.status", Key: key, Value: fmt.Appendf(nil,
				`{"sid":%q,"status":"delivered","code":0,"to":"+15***567","from":"MG00000000000000000000000000000001","action":"welcome-sms","messageId":"engage_0000000000000001_%d","userId":"user-%d","region":"us-west-2","segments":1,"position":"0/%d","acceptedAt":%q,"sentAt":%[5]q,"finalAt":%[5]q,"seenAt":%[5]q,"by":"sweep"}`,
				sid, j, j, j, now.UTC().Format(time.RFC3339Nano))})
		}
		if err := errors.Join(w.WriteAll(b.Context(), entries, i/batch%partitions), w.WriteAll(b.Context(), statuses, i/batch%partitions)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTraceOfWhatCameLater: what waits in a retry topic, what Twilio said later, and
// what somebody dismissed belong to the story.
func TestTraceOfWhatCameLater(t *testing.T) {
	p, deploy := newReplayPlace(t)
	deploy("+15005550006", "")
	p.command("topics", "create")
	value := []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"m-1","properties":{}}`)
	p.produce(dlqSource, 1, kafka.Message{Value: value})
	at := time.Now().Add(time.Second).Truncate(time.Millisecond).UTC()
	o := intake.Origin{Topic: dlqSource, Partition: 1, Time: at, Attempts: 3}
	p.produce(dlqSource+".onboarding.retry.30s", 1, o.RetryMessage(&kafka.Message{Value: value}, "welcome-sms", 1, at, "rate_limited"))
	key := ledger.AppendKey(nil, "welcome-sms", "m-1")
	sent := ledger.Entry{State: ledger.Sent, SID: "SM1", Time: at.Add(time.Second), Position: ledger.Position{Partition: 1}}
	p.produce(dlqSource+".onboarding.ledger", 1, kafka.Message{Key: key, Value: sent.AppendValue(nil)})
	stamp := func(after time.Duration) string { return at.Add(after).Format(time.RFC3339Nano) }
	p.produce(dlqSource+".onboarding.status", 1, kafka.Message{Key: key, Value: fmt.Appendf(nil,
		`{"sid":"SM1","status":"undelivered","code":30003,"to":"+14***100","action":"welcome-sms","messageId":"m-1","userId":"u","position":"1/0","acceptedAt":%q,"sentAt":%q,"finalAt":%q}`,
		stamp(time.Second), stamp(2*time.Second), stamp(3*time.Second))})
	p.put(&deadletter.Record{
		Value: value, Topic: dlqSource, Partition: 1, Destination: "onboarding", Action: "welcome-sms", Reason: "not_delivered", Disposition: deadletter.Undelivered,
		MessageID: "m-1", UserID: "u", TwilioCode: 30003, TwilioSID: "SM1", LastFailedAt: at.Add(4 * time.Second),
	})
	line := p.tell("--message-id", "m-1")
	if got, want := story(line), "event trigger retry accepted status dead"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var said []string
	for _, s := range line.Steps {
		if s.What == trace.Status {
			said = append(said, s.Detail)
		}
	}
	if got, want := fmt.Sprint(said), "[accepted to +14***100 sent to +14***100 undelivered, code 30003 to +14***100]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	skipped := ledger.Entry{State: ledger.Refused, Why: "not_subscribed", Time: at.Add(5 * time.Second), Position: ledger.Position{Partition: 1, Offset: 9}}
	p.produce(dlqSource+".onboarding.ledger", 1, kafka.Message{Key: ledger.Beside(key), Value: skipped.AppendValue(nil)}) // of a replay
	if got, want := story(p.tell("--message-id", "m-1")), "event trigger retry accepted status dead skipped(not_subscribed)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.ok("dismiss", "--message-id", "m-1", "--because", "they called", "--yes")
	if got := p.command("trace", "--user", "u"); !strings.Contains(got, "dismissal") || !strings.Contains(got, "they called") {
		t.Errorf("%s", got)
	}
}
