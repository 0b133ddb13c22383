package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/sim/embedded"
)

// dlqPlace is a configured worker's topics with dead letters in them.
type dlqPlace struct {
	t      *testing.T
	broker *embedded.Broker
	config string
	client *kafka.Client
	// profiles is where the Profile API is: everybody's name is Jane there.
	profiles string
}

const dlqSource = "audience-events"

func newDLQPlace(t *testing.T) *dlqPlace {
	t.Helper()
	broker, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	profiles := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"traits":{"first_name":"Jane"}}`)
	}))
	t.Cleanup(profiles.Close)
	p := &dlqPlace{t: t, broker: broker, config: filepath.Join(t.TempDir(), "engage.yaml"), profiles: profiles.URL}
	p.configure(broker.Brokers()[0])
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--config", p.config, "topics", "create", "--partitions", "3"}, strings.NewReader(""), &out, &errs); code != cli.ExitOK {
		t.Fatal(errs.String())
	}
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &kafka.Client{Addr: kafka.TCP(broker.Brokers()...), Transport: transport, Timeout: 10 * time.Second}
	return p
}

func (p *dlqPlace) configure(broker string) {
	p.t.Helper()
	const text = `
kafka:
  brokers: [%q]
  topic: audience-events
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC00000000000000000000000000000001
      twilioApiKeySID: SK00000000000000000000000000000001
      twilioApiKeySecret: secret
      profileApiEnvironment: production
      profileApiAccessToken: token
      profileApiHostname: %q
      spaceId: spa_1
      sourceId: src_1
      region: us-west-2
    actions:
      - name: welcome-sms
        type: sendSms
        mapping:
          from: MG00000000000000000000000000000001
          body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome!"
`
	if err := os.WriteFile(p.config, fmt.Appendf(nil, text, broker, p.profiles), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run runs a dlq command.
func (p *dlqPlace) run(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	code = run(p.t.Context(), append([]string{"--config", p.config, "dlq"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// ok runs a dlq command that must succeed.
func (p *dlqPlace) ok(args ...string) string {
	p.t.Helper()
	code, stdout, stderr := p.run(args...)
	if code != cli.ExitOK {
		p.t.Fatalf("dlq %s: code %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

func (p *dlqPlace) produce(topic string, partition int, m kafka.Message) {
	p.t.Helper()
	res, err := p.client.Produce(p.t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers}),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// put writes dead letters.
func (p *dlqPlace) put(dead ...*deadletter.Record) {
	p.t.Helper()
	for _, r := range dead {
		p.produce(dlqSource+".dlq", r.Partition, deadletter.Encode(r))
	}
}

// dlqLetter is the nth of some dead letters, minutes apart.
func dlqLetter(n int, edit ...func(*deadletter.Record)) *deadletter.Record {
	failed := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	r := &deadletter.Record{
		Key: fmt.Append(nil, "user-", n),
		Value: fmt.Appendf(nil, `{"type":"track","event":"Audience Entered","userId":"user-%d","messageId":"m-%d","properties":{"phone":"+1555000%04d"},`+
			`"context":{"externalIds":[]},"external_ids":[{"type":"phone","id":"+1555000%04d","channelType":"sms","isSubscribed":true}]}`, n, n, n, n),
		Headers: []kafka.Header{{Key: "traceparent", Value: []byte("00-1")}},
		Topic:   dlqSource, Partition: n % 3, Offset: int64(n), Timestamp: failed.Add(-time.Second), Group: "engage-worker.onboarding",
		DeliveryCount: 1, Message: "21610: the recipient opted out", Destination: "onboarding", Action: "welcome-sms",
		Reason: "opted_out", Disposition: deadletter.Permanent, MessageID: fmt.Sprint("m-", n), UserID: fmt.Sprint("user-", n),
		Region: "us-west-2", Recipient: fmt.Sprintf("+15***%03d", n), TwilioCode: 21610, TwilioStatus: 400, RequestID: "RQ1",
		FirstFailedAt: failed, LastFailedAt: failed,
	}
	for _, e := range edit {
		e(r)
	}
	return r
}

func throttled(r *deadletter.Record) {
	r.Reason, r.Disposition, r.Message = "rate_limited", deadletter.Exhausted, "20429: too many requests"
	r.TwilioCode, r.TwilioStatus, r.DeliveryCount, r.Region = 20429, 429, 12, "eu-west-1"
}

func malformed(r *deadletter.Record) {
	*r = deadletter.Record{
		Value: []byte("not JSON\x1b[31m"), Topic: dlqSource, Partition: r.Partition, Offset: r.Offset, Destination: "onboarding",
		Reason: "malformed_event", Disposition: deadletter.Malformed, Message: "not a JSON object", LastFailedAt: r.LastFailedAt,
	}
}

func TestDLQStats(t *testing.T) {
	p := newDLQPlace(t)
	if got, want := p.ok("stats"), "audience-events.dlq: no dead letters\n"; got != want {
		t.Errorf("empty: %q, want %q", got, want)
	}
	for n := range 60 {
		p.put(dlqLetter(n))
	}
	for n := range 30 {
		p.put(dlqLetter(100+n, throttled))
	}
	p.put(dlqLetter(200, malformed), dlqLetter(0, func(r *deadletter.Record) { r.Replays = 1; r.LastFailedAt = r.LastFailedAt.Add(4 * time.Hour) }))
	p.produce(dlqSource+".dlq", 0, kafka.Message{Value: []byte("foreign")})
	p.put(dlqLetter(0), dlqLetter(100, throttled)) // what the worker got no answer for, and wrote again

	code, got, stderr := p.run("stats")
	const want = `audience-events.dlq: 92 dead letters, failed from 2026-03-01 10:00:00 to 2026-03-01 14:00:00 UTC; 1 died again after a replay

BY STATE      COUNT  SHARE
open             91  98.9%  ██████████████████████████████
failed_again      1   1.1%  ▎

BY REASON        COUNT  SHARE
opted_out           61  66.3%  ██████████████████████████████
rate_limited        30  32.6%  ██████████████▊
malformed_event      1   1.1%  ▍

BY DISPOSITION  COUNT  SHARE
permanent          61  66.3%  ██████████████████████████████
exhausted          30  32.6%  ██████████████▊
malformed           1   1.1%  ▍

BY DESTINATION  COUNT   SHARE
onboarding         92  100.0%  ██████████████████████████████

BY ACTION    COUNT  SHARE
welcome-sms     91  98.9%  ██████████████████████████████
(none)           1   1.1%  ▎

BY REGION  COUNT  SHARE
us-west-2     61  66.3%  ██████████████████████████████
eu-west-1     30  32.6%  ██████████████▊
(none)         1   1.1%  ▍

BY TWILIO CODE  COUNT  SHARE                                  MEANING
21610              61  66.3%  ██████████████████████████████  The recipient has unsubscribed from this sender (STOP).
20429              30  32.6%  ██████████████▊                 Too many requests at once for the account.
(none)              1   1.1%  ▍

BY HOUR            COUNT  SHARE
2026-03-01T10:00Z     60  65.2%  ██████████████████████████████
2026-03-01T11:00Z     20  21.7%  ██████████
2026-03-01T12:00Z     10  10.9%  █████
2026-03-01T13:00Z      1   1.1%  ▌
2026-03-01T14:00Z      1   1.1%  ▌
`
	if code != 0 || got != want {
		t.Errorf("code %d\n%s\nwant\n%s", code, got, want)
	}
	if want := "engage-worker: left out 1 record of audience-events.dlq: not written by engage-worker\nengage-worker: left out 2 records of audience-events.dlq: written twice\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}

	got = p.ok("stats", "--by", "region,code", "--output", "csv", "--until", "2026-03-01T13:00:00Z")
	if want := "by,value,count\nregion,us-west-2,60\nregion,eu-west-1,30\ncode,21610,60\ncode,20429,30\n"; got != want {
		t.Errorf("csv %q, want %q", got, want)
	}
	got = p.ok("stats", "--by", "reason", "-o", "json", "--reason", "opted_out,rate_limited")
	if want := `{
  "topic": "audience-events.dlq",
  "total": 91,
  "replayed": 1,
  "foreign": 1,
  "repeated": 2,
  "oldest": "2026-03-01T10:00:00.000Z",
  "newest": "2026-03-01T14:00:00.000Z",
  "by": {
    "reason": [
      {
        "value": "opted_out",
        "count": 61
      },
      {
        "value": "rate_limited",
        "count": 30
      }
    ]
  }
}
`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDLQList(t *testing.T) {
	p := newDLQPlace(t)
	for n := range 25 {
		p.put(dlqLetter(n))
	}
	p.put(dlqLetter(30, malformed), dlqLetter(31, throttled, func(r *deadletter.Record) { r.UserID = "evil\x1b[2J" }))
	got := p.ok("list", "--limit", "3")
	want := fmt.Sprintf(`FAILED (UTC)         ID                STATE  REASON           DESTINATION  ACTION       REGION      CODE  RECIPIENT  REPLAYS  USER      WHAT HAPPENED
2026-03-01 10:31:00  %s  open   rate_limited     onboarding   welcome-sms  eu-west-1  20429  +15***031        0  evil%s[2J  Too many requests at once for the account.
2026-03-01 10:30:00  %s  open   malformed_event  onboarding                                                   0            not a JSON object
2026-03-01 10:24:00  %s  open   opted_out        onboarding   welcome-sms  us-west-2  21610  +15***024        0  user-24   The recipient has unsubscribed from this sender (STOP).

1 to 3 of 27, newest first; --page 2 goes on
`, dlqLetter(31).ID(), "\uFFFD", dlqLetter(30, malformed).ID(), dlqLetter(24).ID())
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if code, _, stderr := p.run("list", "--limit", "10", "--page", "4"); code != cli.ExitBadInput || stderr != "engage-worker: --page 4 is beyond the end: there are 3 pages\n" {
		t.Errorf("page 4: %d, %q", code, stderr)
	}

	rows := func(args ...string) (users []string) {
		t.Helper()
		all, err := csv.NewReader(strings.NewReader(p.ok(append([]string{"list", "-o", "csv"}, args...)...))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range all[1:] {
			users = append(users, row[9])
		}
		return users
	}
	for args, want := range map[string][]string{
		"--page 3 --limit 12":                             {"user-2", "user-1", "user-0"},
		"--user user-3 --user user-4":                     {"user-4", "user-3"},
		"--message-id m-7":                                {"user-7"},
		"--code 20429":                                    {"evil\uFFFD[2J"},
		"--region eu-west-1 --action welcome-sms":         {"evil\uFFFD[2J"},
		"--disposition malformed":                         {""},
		"--contains +15550000024":                         {"user-24"},
		"--since 2026-03-01T10:23 --reason opted_out":     {"user-24", "user-23"},
		"--until 2026-03-01T10:02:00Z":                    {"user-1", "user-0"},
		"--since 3650d --until 2026-03-01T11:02:00+01:00": {"user-1", "user-0"},
	} {
		if got := rows(strings.Fields(args)...); !slices.Equal(got, want) {
			t.Errorf("list %s: %q, want %q", args, got, want)
		}
	}
	got = p.ok("list", "-o", "json", "--user", "user-3")
	if want := fmt.Sprintf(`{
  "total": 1,
  "page": 1,
  "limit": 20,
  "records": [
    {
      "failed_at": "2026-03-01T10:03:00.000Z",
      "id": %q,
      "reason": "opted_out",
      "disposition": "permanent",
      "destination": "onboarding",
      "action": "welcome-sms",
      "region": "us-west-2",
      "twilio_code": 21610,
      "recipient": "+15***003",
      "user_id": "user-3",
      "message_id": "m-3",
      "replays": 0,
      "message": "21610: the recipient opted out",
      "position": "audience-events.dlq/0/1",
      "twilio_meaning": "The recipient has unsubscribed from this sender (STOP).",
      "state": "open",
      "state_why": ""
    }
  ]
}
`, dlqLetter(3).ID()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestDLQShow(t *testing.T) {
	p := newDLQPlace(t)
	p.put(dlqLetter(5, throttled), dlqLetter(6), dlqLetter(7, malformed))
	p.ok("replay", dlqLetter(5).ID(), "--wait", "0s", "--yes")
	p.put(dlqLetter(5, throttled, func(r *deadletter.Record) {
		r.Replays, r.Origin, r.Offset, r.LastFailedAt = 1, deadletter.Origin(r.Topic, r.Partition, r.Offset), 0, r.LastFailedAt.Add(time.Hour)
	}))
	got := p.ok("show", dlqLetter(5).ID())
	// When and by whom it was replayed is this moment's and machine's.
	got = regexp.MustCompile(`published  20.*\n`).ReplaceAllString(got, "published  WHEN BY PLAN\n")
	got = regexp.MustCompile(`(?m)^(  REPLAY  STATE ).*$`).ReplaceAllString(got, "$1 ...")
	got = regexp.MustCompile(`(dead letter at .*), 20.*\n`).ReplaceAllString(got, "$1\n")
	want := `Dead letter ` + dlqLetter(5).ID() + `: rate_limited
  why              Twilio was asked too fast, and the retries are spent.
  what happened    20429: too many requests
  Twilio code      20429: Too many requests at once for the account.
  what mends it    Replay later; lower the region's rate or maxInFlight if it keeps happening.
  state            open: nothing came after it
  kind of end      exhausted: it might have worked later, but its retries are spent

Delivery
  destination      onboarding
  action           welcome-sms
  region           eu-west-1
  recipient        +15***005
  user id          user-5
  message id       m-5
  attempts         12
  first failed     2026-03-01 10:05:00
  last failed      2026-03-01 11:05:00
  HTTP status      429
  Twilio request   RQ1
  group            engage-worker.onboarding
  event at         audience-events/2/0, 2026-03-01 10:04:59
  first seen at    audience-events/2/5
  dead letter at   audience-events.dlq/2/1

Replays
  REPLAY  STATE  ...
  1       published  WHEN BY PLAN
  DIED (UTC)           AFTER REPLAYS  REASON        STATE         AT
  2026-03-01 10:05:00  0              rate_limited  failed_again  audience-events.dlq/2/0
  2026-03-01 11:05:00  1              rate_limited  open          audience-events.dlq/2/1

Event
  key              user-5
  header           traceparent=00-1
  {
    "type": "track",
    "event": "Audience Entered",
    "userId": "user-5",
    "messageId": "m-5",
    "properties": {
      "phone": "+15550000005"
    },
    "context": {
      "externalIds": []
    },
    "external_ids": [
      {
        "type": "phone",
        "id": "+15550000005",
        "channelType": "sms",
        "isSubscribed": true
      }
    ]
  }

What the current configuration would send (nothing is sent)
  action           welcome-sms
  decision         send
  region           us-west-2
  Body             Hi there, welcome!
  From             MG00000000000000000000000000000001
  To               +15550000005
  ShortenUrls      true
`
	head, tags, _ := strings.Cut(got, "  Tags ")
	if head != want {
		t.Errorf("got\n%s\nwant\n%s", head, want)
	}
	if want := `            {"external_id_type":"phone","external_id_value":"+15550000005"}` + "\n"; tags != want {
		t.Errorf("tags %q, want %q", tags, want)
	}

	masked := p.ok("show", "--mask", dlqLetter(5).ID())
	if found := regexp.MustCompile(`\+?1?5550000005|\buser-5\b`).FindString(masked); found != "" {
		t.Errorf("%q isn't masked in\n%s", found, masked)
	}
	if n := strings.Count(masked, letters.MaskedUser("user-5")); n != 3 { // the fact, the key, the event
		t.Errorf("the user stands there %d times:\n%s", n, masked)
	}

	got = p.ok("show", dlqLetter(7, malformed).ID())
	for _, want := range []string{
		"Replays\n  never replayed\n",
		"Event\n  not JSON, 13 bytes: not JSON\uFFFD[31m\n",
		"\n  nothing: the value is no event",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}

	for n, value := range [][]byte{nil, {}} {
		r := dlqLetter(8+n, malformed)
		r.Value = value
		p.put(r)
		want := []string{"Event\n  the value is null\n", "Event\n  the value is empty\n"}[n]
		if got := p.ok("show", r.ID()); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestDLQExport(t *testing.T) {
	p := newDLQPlace(t)
	const n = 200
	for i := range n {
		p.put(dlqLetter(i))
	}
	p.put(dlqLetter(n, malformed, func(r *deadletter.Record) { r.Value = []byte{0xff, 0x00} }))
	dir := t.TempDir()
	want := map[string]string{} // id -> value
	for i := range n {
		want[dlqLetter(i).ID()] = string(dlqLetter(i).Value)
	}
	bad := dlqLetter(n, malformed).ID()
	want[bad] = "/wA="

	t.Run("jsonl", func(t *testing.T) {
		lines := strings.Split(strings.TrimSpace(p.ok("export")), "\n")
		got := map[string]string{}
		for _, line := range lines {
			var row struct {
				ID, Value, Headers string
				ValueEncoding      string `json:"value_encoding"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			got[row.ID] = row.Value
			if row.ID == bad && row.ValueEncoding != "base64" || row.ID != bad && (row.ValueEncoding != "utf8" || row.Headers != `[["traceparent","00-1"]]`) {
				t.Errorf("%+v", row)
			}
		}
		if len(lines) != n+1 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d lines, %d ids", len(lines), len(got))
		}
	})
	t.Run("csv", func(t *testing.T) {
		file := filepath.Join(dir, "letters.csv")
		p.ok("export", file)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rows[0], exportedColumns()) {
			t.Errorf("columns %v", rows[0])
		}
		valueColumn := slices.Index(rows[0], "value")
		got := map[string]string{}
		for _, row := range rows[1:] {
			got[row[0]] = row[valueColumn]
		}
		if len(rows) != n+2 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d rows, %d ids", len(rows), len(got))
		}
		info, err := f.Stat()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v (%v)", info.Mode(), err)
		}
		if code, _, stderr := p.run("export", file); code != cli.ExitBadInput || !strings.Contains(stderr, "exists: name another file") {
			t.Errorf("again: %d %s", code, stderr)
		}
		p.ok("export", file, "--force", "--user", "user-1")
	})
	t.Run("parquet", func(t *testing.T) {
		file := filepath.Join(dir, "letters.parquet")
		p.ok("export", file)
		rows, err := parquet.ReadFile[struct {
			ID    string `parquet:"id"`
			Value string `parquet:"value"`
		}](file)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, row := range rows {
			got[row.ID] = row.Value
		}
		if len(rows) != n+1 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d rows, %d ids", len(rows), len(got))
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v (%v), want two files", left, err)
	}
}

// exportedColumns are what an export has, in this order.
func exportedColumns() []string {
	return strings.Fields(`id failed_at first_failed_at reason disposition destination action region user_id message_id
		recipient message twilio_code twilio_status twilio_request_id attempts replays group topic partition offset
		record_timestamp dlq_partition dlq_offset dlq_timestamp key key_encoding value value_encoding headers state state_why twilio_sid`)
}

func TestDLQExportColumnsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/dead-letters.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range exportedColumns() {
		if !bytes.Contains(docs, []byte("`"+name+"`")) {
			t.Errorf("docs/dead-letters.md doesn't tell of the column %s", name)
		}
	}
}

func TestDLQReplay(t *testing.T) {
	p := newDLQPlace(t)
	for n := range 10 {
		p.put(dlqLetter(n, throttled))
	}
	p.put(dlqLetter(20), dlqLetter(21, throttled, func(r *deadletter.Record) { r.Replays = 3 }))
	// The ledger knows that user 4's was sent, and that user 5's wasn't.
	for n, state := range map[int]ledger.State{4: ledger.Sent, 5: ledger.Dead} {
		e := ledger.Entry{State: state, Time: time.Now(), Position: ledger.Position{Partition: n % 3}}
		p.produce(dlqSource+".onboarding.ledger", n%3, kafka.Message{Key: ledger.AppendKey(nil, "welcome-sms", fmt.Sprint("m-", n)), Value: e.AppendValue(nil)})
	}
	plan := func(s string) string { return regexp.MustCompile(`Plan [0-9a-f-]+`).ReplaceAllString(s, "Plan ID") }

	const dry = `Plan ID: audience-events.dlq to audience-events
        11  chosen, each delivery once
         1  passed over: already sent, says the ledger
         1  passed over: replayed 3 times or more (--max-replays)
         9  to be replayed, in about 9s at 1 a second
                   9  rate_limited
Nothing was replayed; --yes carries the plan out.
`
	if got := plan(p.ok("replay", "--reason", "rate_limited", "--rate", "1")); got != dry {
		t.Errorf("got\n%s\nwant\n%s", got, dry)
	}
	if n := p.end(dlqSource); n != 0 {
		t.Fatalf("the dry run wrote %d records", n)
	}

	const done = `Plan ID: audience-events.dlq to audience-events
        11  chosen, each delivery once
         1  passed over: already sent, says the ledger
         1  passed over: replayed 3 times or more (--max-replays)
         9  to be replayed, in about 1s at 1000 a second
                   9  rate_limited
9 dead letters replayed
`
	if got := plan(p.ok("replay", "--reason", "rate_limited", "--rate", "1000", "--wait", "0s", "--yes")); got != done {
		t.Errorf("got\n%s\nwant\n%s", got, done)
	}
	if n := p.end(dlqSource); n != 9 {
		t.Errorf("%d records in the source, want 9", n)
	}

	const again = `Plan ID: audience-events.dlq to audience-events
        11  chosen, each delivery once
         1  passed over: already sent, says the ledger
         9  passed over: already replayed, and not dead again since (--again for what came to nothing)
         1  passed over: replayed 3 times or more (--max-replays)
         0  to be replayed
`
	if got := plan(p.ok("replay", "--reason", "rate_limited", "--yes")); got != again {
		t.Errorf("got\n%s\nwant\n%s", got, again)
	}
}

// end is how many records a topic ever had.
func (p *dlqPlace) end(topic string) (n int64) {
	for partition := range int32(3) {
		n += p.broker.PartitionInfo(topic, partition).HighWatermark
	}
	return n
}

func TestDLQReplayIsInterruptedAndGoesOn(t *testing.T) {
	p := newDLQPlace(t)
	const n = 120
	for i := range n {
		p.put(dlqLetter(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.broker.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.broker.KeepControl()
		if req.(*kmsg.ProduceRequest).Topics[0].Topic == dlqSource {
			cancel()
		}
		return nil, nil, false
	})
	var out, errs bytes.Buffer
	code := run(ctx, []string{"--config", p.config, "dlq", "replay", "--reason", "opted_out", "--rate", "100", "--yes"}, strings.NewReader(""), &out, &errs)
	if code != cli.ExitFailure || errs.String() != "engage-worker: interrupted\n" || !strings.Contains(out.String(), "left; the same command goes on from there") {
		t.Fatalf("code %d\n%s%s", code, out.String(), errs.String())
	}
	if sent := p.end(dlqSource); sent == 0 || sent >= n {
		t.Fatalf("%d replayed at the interruption", sent)
	}
	p.ok("replay", "--reason", "opted_out", "--rate", "5000", "--wait", "0s", "--yes")
	if sent := p.end(dlqSource); sent != n {
		t.Errorf("%d records in the source, want %d", sent, n)
	}
}

// Whatever is wrong with what the caller gave: one clear line, and code 2.
func TestDLQBadInput(t *testing.T) {
	p := newDLQPlace(t)
	for args, want := range map[string]string{
		"list --reason nonsense":                     `--reason "nonsense" is unknown; known are malformed_event, mapping_failed,`,
		"list --reason duplicate":                    `--reason "duplicate" is unknown`, // a skip's
		"list --disposition x":                       `--disposition "x" is unknown; known are permanent, exhausted, ambiguous, expired, malformed`,
		"list --since yesterday":                     `"yesterday" is no time: write 24h, 7d, 2026-03-01, or 2026-03-01T10:00:00Z`,
		"list --until 2026-02-30":                    `"2026-02-30" is no time`,
		"list --since 0h":                            `"0h" is no time`,
		"list --since 2026-03-02 --until 2026-03-01": `--since must be before --until`,
		"list --code abc":                            `--code`,
		// A script's variable that is empty must not choose everything.
		"list --reason=":                               `--reason needs a value`,
		"list --user=":                                 `--user needs a value`,
		"list --code=":                                 `--code needs a value`,
		"export --contains=":                           `--contains needs a value`,
		"replay --action= --yes":                       `--action needs a value`,
		"stats --by=":                                  `--by needs a value`,
		"list --limit 0":                               `--limit must be from 1 to 1000`,
		"list --page 0":                                `--page must be from 1 to`,
		"list --output xml":                            `--output must be one of "table","json","csv"`,
		"stats --by colour":                            `--by "colour" is unknown; known are state, reason, disposition,`,
		"show 0123456789abcdef":                        `audience-events.dlq holds no dead letter with the id "0123456789abcdef"`,
		"export --format xls":                          `--format must be one of`,
		"export all.xlsx":                              `the ending of "all.xlsx" names no format: end it in .jsonl, .csv or .parquet`,
		"export all.parquet.gz":                        `leave .gz out`,
		"export --format parquet --columns id":         `--columns is for jsonl and csv`,
		"export --columns id,colour":                   `--columns "colour" is unknown; known are id, failed_at,`,
		"export --follow all.csv":                      `--follow is for jsonl and csv on standard output`,
		"list --columns colour":                        `--columns "colour" is unknown; known are failed_at, id,`,
		"list --follow --page 2":                       `--follow goes on from the first page`,
		"list --page 2":                                `--page 2 is beyond the end: there are 0 pages`,
		"list --tz Berlin":                             `"Berlin" is no time zone: write UTC, local, or a name as Europe/Berlin`,
		"list --destination other":                     `--destination "other" is unknown; known are onboarding`,
		"stats --action other":                         `--action "other" is unknown; known are welcome-sms`,
		"export --region other":                        `--region "other" is unknown; known are us-west-2`,
		"replay --destination onboarding,onboard":      `--destination "onboard" is unknown; known are onboarding`,
		"export " + filepath.Join(t.TempDir(), "no/x"): `no/x: no such file or directory`,
		"export --force " + t.TempDir():                `is a folder: name a file`,
		"replay --rate 0":                              `--rate must be from 0.01`,
		"replay --rate NaN":                            `--rate must be from 0.01`,
		"replay --max-replays 0":                       `--max-replays must be 1 or more`,
		"replay 0123456789abcdef":                      `holds no dead letter with such an id`,
		"dismiss --state open":                         `--because: say why: it stands in the record of replays`,
		"dismiss --reopen --state dismissed":           `--because: say why`,
		"dismiss --state open --because " + strings.Repeat("y", 501): `--because: why has 500 characters at most`,
		"dismiss --because known":                                    `which? name ids, or choose with the options`,
		"replay --yes --dry-run":                                     `--yes and --dry-run can't be used together`,
	} {
		t.Run(args, func(t *testing.T) {
			code, _, stderr := p.run(strings.Fields(args)...)
			if code != cli.ExitBadInput || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
				t.Errorf("code %d, %q, want one line with %q", code, stderr, want)
			}
		})
	}
}

func TestDLQWithoutKafka(t *testing.T) {
	commands := [][]string{{"stats"}, {"list"}, {"show", "0123456789abcdef"}, {"export"}, {"replay"}}
	each := func(t *testing.T, p *dlqPlace, exit int, want string) {
		for _, args := range commands {
			code, stdout, stderr := p.run(args...)
			if code != exit || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%s: code %d, stdout %q, stderr %q, want one line with %q", args, code, stdout, stderr, want)
			}
		}
	}
	t.Run("unreachable", func(t *testing.T) {
		p := newDLQPlace(t)
		p.configure("127.0.0.1:1")
		each(t, p, cli.ExitFailure, "127.0.0.1:1 refused the connection")
	})
	t.Run("no topic", func(t *testing.T) {
		p := newDLQPlace(t)
		text, err := os.ReadFile(p.config)
		if err == nil {
			err = os.WriteFile(p.config, bytes.Replace(text, []byte("topic: audience-events"), []byte("topic: other"), 1), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		each(t, p, cli.ExitBadInput, "a topic is missing, or this user may not see it (other.dlq is where the dead letters would be): run `engage-worker topics create`")
	})
	t.Run("no permission", func(t *testing.T) {
		p := newDLQPlace(t)
		p.put(dlqLetter(1))
		p.broker.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			p.broker.KeepControl()
			fetch := req.(*kmsg.FetchRequest)
			res := fetch.ResponseKind().(*kmsg.FetchResponse)
			for _, topic := range fetch.Topics {
				rt := kmsg.NewFetchResponseTopic()
				rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
				for _, partition := range topic.Partitions {
					rp := kmsg.NewFetchResponseTopicPartition()
					rp.Partition, rp.ErrorCode = partition.Partition, int16(kafka.TopicAuthorizationFailed)
					rt.Partitions = append(rt.Partitions, rp)
				}
				res.Topics = append(res.Topics, rt)
			}
			return res, nil, true
		})
		each(t, p, cli.ExitFailure, "denies access to the topic")
	})
}
