package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/sim/twiliosim"
)

// A thousand deliveries die because the sender isn't ours. It is corrected,
// and all are replayed, interrupted in between and gone on with: the 300 that
// can be sent are sent, once; the others come back, one replay older.
func TestReplayOfAThousandOfWhich300AreFixable(t *testing.T) {
	const n, fixable = 1000, 300
	const dlq = dlqSource + ".dlq"
	sim, err := twiliosim.New(twiliosim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newDLQPlace(t)
	deploy := func(body string) {
		t.Helper()
		p.deploy(vendor.URL(), fmt.Sprintf(`mapping: {from: "+15005550006", body: {"@template": %q}}`, body))
	}
	for i := range n {
		phone := "+15005550009" // can't receive an SMS
		if i < fixable {
			phone = fmt.Sprintf("+1415555%04d", i)
		}
		p.produce(dlqSource, i%3, kafka.Message{Key: fmt.Append(nil, "user-", i), Value: fmt.Appendf(nil,
			`{"type":"track","event":"Audience Entered","userId":"user-%d","messageId":"m-%d","properties":{},`+
				`"external_ids":[{"type":"phone","id":%q,"channelType":"sms","isSubscribed":true}]}`, i, i, phone)})
	}

	deploy("Welcome, {{userId}}!" + strings.Repeat(" And more.", 200)) // longer than Twilio takes
	stop := p.work()
	p.awaitEnd(dlq, n)
	stop()
	if got := len(p.deaths()); got != n {
		t.Fatalf("%d deliveries died, want %d", got, n)
	}

	deploy("Welcome, {{userId}}!")
	stop = p.work()
	ctx, cancel := context.WithCancel(t.Context())
	p.broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		if req.(*kmsg.ProduceRequest).Topics[0].Topic == dlqSource && p.broker.PartitionInfo(dlqSource, 0).HighWatermark > n/3+100 {
			cancel()
		}
		return nil, nil, false
	})
	var out, errs bytes.Buffer
	args := []string{"--config", p.config, "dlq", "replay", "--rate", "500", "--yes"}
	if code := run(ctx, args, strings.NewReader(""), &out, &errs); code != cli.ExitFailure || errs.String() != "engage-worker: interrupted\n" {
		t.Fatalf("interrupted: code %d\n%s%s", code, out.String(), errs.String())
	}
	if left := p.end(dlqSource) - n; left == 0 || left >= n {
		t.Fatalf("%d replayed at the interruption", left)
	}
	p.ok("replay", "--rate", "2000", "--yes")
	p.awaitEnd(dlq, 2*n-fixable)
	stop()

	if got := p.end(dlqSource); got != 2*n {
		t.Errorf("%d records in the source, want %d", got, 2*n)
	}
	textedOnce(t, sim, fixable)
	// The last deaths: of those sent, the first one; of the others, the second.
	once, again := 0, 0
	for id, replays := range p.deaths() {
		switch len(replays) {
		case 1:
			once++
		case 2:
			again++
		}
		for i, r := range replays {
			if r != i {
				t.Errorf("%s died with engage.replays %v", id, replays)
			}
		}
	}
	if once != fixable || again != n-fixable {
		t.Errorf("%d died once and %d twice, want %d and %d", once, again, fixable, n-fixable)
	}
	if got := p.ok("replay", "--dry-run", "--max-replays", "1"); !strings.Contains(got, "300  passed over: already sent, says the ledger\n") ||
		!strings.Contains(got, "700  passed over: replayed 1 times or more") || !strings.Contains(got, "  0  to be replayed\n") {
		t.Errorf("afterwards:\n%s", got)
	}
}

// deploy writes the configuration of a worker that sends through a simulated
// Twilio; action is what the action has beside its name and type.
func (p *dlqPlace) deploy(vendor, action string) {
	p.t.Helper()
	const text = `
kafka: {brokers: [%q], topic: audience-events, startOffset: earliest}
http: {listen: "127.0.0.1:0"}
regions:
  us-west-2: {rate: 5000, burst: 5000, maxInFlight: 128}
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: secret
      profileApiEnvironment: production
      profileApiAccessToken: token
      profileApiHostname: %[2]q
      spaceId: spa_1
      sourceId: src_1
      twilioHostname: %[2]q
      region: us-west-2
    actions:
      - {name: welcome-sms, type: sendSms, %[3]s}
`
	if err := os.WriteFile(p.config, fmt.Appendf(nil, text, p.broker.Brokers()[0], vendor, action), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// work runs the worker until stop is called, or the test ends.
func (p *dlqPlace) work() (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		var logs workerLog
		if code := run(ctx, []string{"--config", p.config, "run"}, strings.NewReader(""), &logs, &logs); code != cli.ExitOK {
			p.t.Errorf("the worker ended with code %d: %s", code, logs.b.String())
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	p.t.Cleanup(stop)
	return stop
}

// workerLog is a buffer that the worker's goroutines share.
type workerLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *workerLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// awaitEnd waits until a topic has had n records.
func (p *dlqPlace) awaitEnd(topic string, n int64) {
	p.t.Helper()
	deadline := time.After(time.Minute)
	for p.end(topic) < n && !p.t.Failed() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			p.t.Fatalf("%s has %d records after a minute, want %d", topic, p.end(topic), n)
		}
	}
	if got := p.end(topic); got != n {
		twice := map[string][]int{}
		for id, replays := range p.deaths() {
			if !slices.IsSorted(replays) || len(slices.Compact(slices.Clone(replays))) != len(replays) {
				twice[id] = replays
			}
		}
		p.t.Fatalf("%s has %d records, want %d; the source has %d; died with the same engage.replays: %v", topic, got, n, p.end(dlqSource), twice)
	}
}

// deaths are the engage.replays of each delivery's deaths, in their order.
func (p *dlqPlace) deaths() map[string][]int {
	p.t.Helper()
	deaths := map[string][]int{}
	dec := json.NewDecoder(strings.NewReader(p.ok("export")))
	for dec.More() {
		var row struct {
			ID      string
			Replays int
		}
		if err := dec.Decode(&row); err != nil {
			p.t.Fatal(err)
		}
		deaths[row.ID] = append(deaths[row.ID], row.Replays)
	}
	return deaths
}

// TestReplayTellsWhatCameOfIt: each letter's state says what came of its replay,
// and so does the replay in the end; what nothing came of can be replayed again,
// and what is dismissed is left alone.
func TestReplayTellsWhatCameOfIt(t *testing.T) {
	p, deploy := newReplayPlace(t)
	deploy("+15005550006", "")
	stop := p.work()
	defer func() { stop() }()
	for n, how := range []string{`"phone"`, `"phone"`, `"gone"`, `"phone"`} {
		phone := fmt.Sprintf("+1415555000%d", n)
		if n == 1 {
			phone = "+15005550009" // can't receive an SMS
		}
		subscribed := n != 3
		m := kafka.Message{Key: fmt.Append(nil, "user-", n), Value: fmt.Appendf(nil,
			`{"type":"track","event":"Audience Entered","userId":"user-%d","messageId":"m-%d","properties":{"kind":%s},"external_ids":[{"type":"phone","id":%q,"channelType":"sms","isSubscribed":%t}]}`,
			n, n, how, phone, subscribed)}
		p.put(&deadletter.Record{
			Key: m.Key, Value: m.Value, Topic: dlqSource, Partition: n % 3, Offset: int64(n), Destination: "onboarding", Action: "welcome-sms", Reason: "twilio_unavailable",
			Disposition: deadletter.Exhausted, MessageID: fmt.Sprint("m-", n), LastFailedAt: time.Now(),
		})
	}
	states := func() string {
		t.Helper()
		var lines []string
		for line := range strings.Lines(p.ok("list", "--output", "csv", "--columns", "message_id,replays,state,state_why")) {
			lines = append(lines, strings.TrimSpace(line))
		}
		slices.Sort(lines)
		return strings.Join(lines[:len(lines)-1], " ")
	}
	out := p.ok("replay", "--yes", "--rate", "1000")
	if !strings.Contains(out, "4 dead letters replayed\nwhat came of it: 2 sent, 1 failed again, 1 skipped\n") {
		t.Errorf("%s", out)
	}
	if got, want := states(), "m-0,0,sent, m-1,0,failed_again, m-1,1,open, m-2,0,sent, m-3,0,skipped,not_subscribed"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if out := p.ok("replay", "--dry-run"); !strings.Contains(out, "2  passed over: already sent") || !strings.Contains(out, "1  passed over: already replayed") {
		t.Errorf("%s", out)
	}
	if out := p.ok("replay", "--again", "--state", "skipped", "--yes"); !strings.Contains(out, "what came of it: 1 skipped\n") {
		t.Errorf("%s", out)
	}

	// The trigger doesn't want them any more.
	stop()
	deploy("+15005550006", `trigger: 'event = "Another"', `)
	stop = p.work()
	if out := p.ok("replay", "--yes"); !strings.Contains(out, "2  passed over: not wanted by the action's trigger any more") || !strings.Contains(out, "0  to be replayed") {
		t.Errorf("%s", out)
	}

	if out := p.ok("dismiss", "--state", "open", "--because", "they know"); out != "1 dead letter to be dismissed. Nothing was done; --yes does it.\n" {
		t.Errorf("%s", out)
	}
	if out := p.ok("dismiss", "--message-id", "m-1", "--because", "they know", "--yes"); out != "1 dead letter dismissed, 1 passed over: failed_again\n" {
		t.Errorf("%s", out)
	}
	if got, want := states(), "m-0,0,sent, m-1,0,failed_again, m-1,1,dismissed, m-2,0,sent, m-3,0,skipped,not_subscribed"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if out := p.ok("dismiss", "--state", "dismissed", "--reopen", "--because", "they don't", "--yes"); out != "1 dead letter opened again\n" {
		t.Errorf("%s", out)
	}
	if got := p.ok("stats", "--by", "state", "--output", "csv", "--state", "open"); got != "by,value,count\nstate,open,1\n" {
		t.Errorf("%s", got)
	}
}

// textedOnce wants n people to have got a message, each one.
func textedOnce(t *testing.T, sim *twiliosim.Sim, n int) {
	t.Helper()
	texted := map[string]int{}
	for m := range sim.Messages() {
		texted[m.To]++
	}
	for to, times := range texted {
		if times != 1 {
			t.Errorf("%s was texted %d times", to, times)
		}
	}
	if len(texted) != n {
		t.Errorf("%d people were texted, want %d", len(texted), n)
	}
}

// TestReplayUnderOtherNames: letters of an action and a destination that have other
// names now are theirs, and the letter of one that dies again has its id.
func TestReplayUnderOtherNames(t *testing.T) {
	p, deploy := newReplayPlace(t)
	deploy("+15005550006", "")
	text, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	renamed := strings.NewReplacer("- name: onboarding\n", "- name: arrivals\n    formerNames: [onboarding]\n", "name: welcome-sms,", "name: hello, formerNames: [welcome-sms],").Replace(string(text))
	if err := os.WriteFile(p.config, []byte(renamed), 0o600); err != nil {
		t.Fatal(err)
	}
	var id string
	for n, phone := range []string{"+14155550100", "+15005550009"} { // which can't receive an SMS
		r := &deadletter.Record{
			Value: fmt.Appendf(nil, `{"type":"track","event":"Audience Entered","messageId":"m-%d","external_ids":[{"type":"phone","id":%q,"channelType":"sms","isSubscribed":true}]}`, n, phone),
			Topic: dlqSource, Partition: n, Offset: int64(n), Destination: "onboarding", Action: "welcome-sms", Reason: "twilio_unavailable",
			Disposition: deadletter.Exhausted, MessageID: fmt.Sprint("m-", n), LastFailedAt: time.Now(),
		}
		p.put(r)
		id = r.ID()
	}
	stop := p.work()
	defer stop()
	if out := p.ok("show", id); !strings.Contains(out, "decision         send\n") {
		t.Errorf("nothing would be sent: %s", out)
	}
	if out := p.ok("replay", "--yes"); !strings.Contains(out, "2 dead letters replayed\nwhat came of it: 1 sent, 1 failed again\n") {
		t.Errorf("%s", out)
	}
	rows := strings.Split(strings.TrimSpace(p.ok("list", "--output", "csv", "--columns", "message_id,id,destination,action,replays,state")), "\n")[1:]
	slices.Sort(rows)
	want := []string{"m-1," + id + ",arrivals,hello,1,open", "m-1," + id + ",onboarding,welcome-sms,0,failed_again"}
	if len(rows) != 3 || !strings.HasSuffix(rows[0], ",onboarding,welcome-sms,0,sent") || !slices.Equal(rows[1:], want) {
		t.Errorf("%q, want %q behind what was sent", rows, want)
	}
}

// newReplayPlace is a place with a simulated Twilio, and how to configure the
// worker: its sender, and what else its action has.
func newReplayPlace(t *testing.T) (p *dlqPlace, deploy func(from, more string)) {
	t.Helper()
	sim, err := twiliosim.New(twiliosim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = newDLQPlace(t)
	return p, func(from, more string) {
		t.Helper()
		p.deploy(vendor.URL(), fmt.Sprintf(`%smapping: {from: %q, body: "Welcome!"}`, more, from))
	}
}
