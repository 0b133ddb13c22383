package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"engage-worker/actions/trigger"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/sim/embedded"
)

const produceTopic = "audience-events"

// produceTo runs the command against a broker of its own with four
// partitions, and returns its records by partition, then order.
func produceTo(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string, records []*kgo.Record) {
	t.Helper()
	broker, err := embedded.Start(kfake.SeedTopics(4, produceTopic))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	brokers := strings.Join(broker.Brokers(), ",")
	var out, errs bytes.Buffer
	args = append([]string{"produce", "--brokers", brokers, "--topic", produceTopic}, args...)
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errs)

	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...), kgo.ConsumeTopics(produceTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	count := 0
	for partition := range int32(4) {
		count += int(broker.PartitionInfo(produceTopic, partition).HighWatermark)
	}
	for len(records) < count {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	return code, out.String(), errs.String(), records
}

// startBroker is a broker of the test's own, with the topic.
func startBroker(t *testing.T, partitions int32) *embedded.Broker {
	t.Helper()
	broker, err := embedded.Start(kfake.SeedTopics(partitions, produceTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

// show is what a record holds, without the partition's number.
func show(records []*kgo.Record) map[string]bool {
	shown := map[string]bool{}
	for _, r := range records {
		shown[string(r.Key)+" "+string(r.Value)] = true
	}
	return shown
}

func TestProduceStandardInput(t *testing.T) {
	const in = `{"userId": "jane", "n": 1}
{"anonymousId":"anon-1"}

{"type":"page"}
{"userId":"jane",
`
	code, stdout, stderr, records := produceTo(t, in)
	if code != cli.ExitOK {
		t.Fatal(code, stderr)
	}
	got := show(records)
	for _, want := range []string{
		`jane {"userId": "jane", "n": 1}`,
		`anon-1 {"anonymousId":"anon-1"}`,
		` {"type":"page"}`,
		` {"userId":"jane",`,
	} {
		if !got[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if len(records) != 4 {
		t.Errorf("%d records", len(records))
	}
	const warnings = `engage-worker: warning: line 1 isn't as the schema wants it: type and messageId are missing
engage-worker: warning: line 2 isn't as the schema wants it: type and messageId are missing
engage-worker: warning: line 4 has neither userId nor anonymousId: without a key, its order isn't kept
engage-worker: warning: line 4 isn't as the schema wants it: messageId is missing; userId and anonymousId are missing: one is needed
engage-worker: warning: line 5 is malformed: the JSON object is cut off at byte 17; the worker will dead-letter it
`
	if stderr != warnings {
		t.Errorf("stderr:\n%s", stderr)
	}
	if !strings.HasPrefix(stdout, "4 events published to audience-events in ") || !strings.HasSuffix(stdout, " (1 malformed, 3 not as the schema wants them, 1 without a key)\n") {
		t.Errorf("stdout: %s", stdout)
	}
}

func TestProduceKeepsUsersTogether(t *testing.T) {
	var in strings.Builder
	for i := range 400 {
		in.WriteString(`{"userId":"u` + string(rune('a'+i%20)) + `","n":"` + strings.Repeat("x", i) + `"}` + "\n")
	}
	code, _, stderr, records := produceTo(t, in.String(), "--rate", "100000")
	if code != cli.ExitOK || len(records) != 400 {
		t.Fatal(code, stderr, len(records))
	}
	partitions, last, used := map[string]int32{}, map[string]int{}, map[int32]bool{}
	for _, r := range records {
		key := string(r.Key)
		if p, seen := partitions[key]; seen && p != r.Partition {
			t.Errorf("%s is in partitions %d and %d", key, p, r.Partition)
		}
		if len(r.Value) < last[key] {
			t.Errorf("%s is out of order", key)
		}
		partitions[key], last[key], used[r.Partition] = r.Partition, len(r.Value), true
	}
	if len(used) < 2 {
		t.Errorf("all in partitions %v", used)
	}
}

// page is an event as the schema wants it.
func page(user string) string {
	return `{"type":"page","messageId":"m-` + user + `","userId":"` + user + `"}`
}

func TestProduceFileStrictly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, []byte(page("a")+"\n[]\n"+page("b")+"\nx\n{\"userId\":\"c\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr, records := produceTo(t, "", file, "--strict")
	want := "engage-worker: " + file + ": line 2 is malformed: a JSON list, whose elements are to be published one by one, at byte 0\n" +
		"engage-worker: " + file + ": line 4 is malformed: unexpected character 'x' at byte 0\n" +
		"engage-worker: " + file + ": line 5 isn't as the schema wants it: type and messageId are missing\n"
	if code != cli.ExitBadInput || stdout != "" || stderr != want || len(records) != 0 {
		t.Errorf("exit %d, %d records\n%s%s", code, len(records), stdout, stderr)
	}
	code, _, stderr, records = produceTo(t, "", file)
	if code != cli.ExitOK || len(records) != 5 {
		t.Errorf("without --strict: exit %d, %d records\n%s", code, len(records), stderr)
	}
	// Standard input can't be read twice: what comes before is published.
	code, stdout, stderr, records = produceTo(t, page("a")+"\nx\n{}\n", "-", "--strict")
	if code != cli.ExitBadInput || len(records) != 1 || stderr != "engage-worker: line 2 is malformed: unexpected character 'x' at byte 0\n" ||
		!strings.HasPrefix(stdout, "1 event published") {
		t.Errorf("exit %d, %d records\n%s%s", code, len(records), stdout, stderr)
	}
}

func TestProduceDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.json")
	if err := os.WriteFile(file, []byte("[\n  "+page("a")+",\n  "+page("b")+"\n]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr, records := produceTo(t, "", file, "--strict")
	if got := show(records); code != cli.ExitOK || len(got) != 2 || !got["a "+page("a")] || !got["b "+page("b")] {
		t.Errorf("exit %d: %v\n%s", code, got, stderr)
	}
}

// TestProduceFramed: a value behind a schema registry's frame is published as
// it is, by the key of its event.
func TestProduceFramed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.bin")
	avro := framing + "\x02a"
	if err := os.WriteFile(file, []byte(framing+page("a")+"\n"+framing+page("b")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr, records := produceTo(t, "", file, "--strict")
	if got := show(records); code != cli.ExitOK || len(got) != 2 || !got["a "+framing+page("a")] || !got["b "+framing+page("b")] {
		t.Errorf("exit %d: %v\n%s", code, got, stderr)
	}
	code, _, stderr, records = produceTo(t, avro+"\n"+framing+`{"userId":"c"}`, "-", "--strict")
	if code != cli.ExitBadInput || len(records) != 0 || !strings.HasPrefix(stderr, "engage-worker: line 1 is malformed: not JSON: a schema registry's Avro or Protobuf serializer wrote it (magic byte 0, schema 10)") {
		t.Errorf("exit %d, %d records\n%s", code, len(records), stderr)
	}
	code, _, stderr, records = produceTo(t, framing+`{"userId":"c"}`, "-", "--strict")
	if code != cli.ExitBadInput || len(records) != 0 || stderr != "engage-worker: line 1 isn't as the schema wants it: type and messageId are missing\n" {
		t.Errorf("exit %d, %d records\n%s", code, len(records), stderr)
	}
}

func TestProduceGenerated(t *testing.T) {
	code, stdout, stderr, records := produceTo(t, "", "--generate", "2500", "--seed", "3")
	if code != cli.ExitOK || len(records) != 2500 || !strings.HasPrefix(stdout, "2500 events published to ") {
		t.Fatalf("exit %d, %d records\n%s%s", code, len(records), stdout, stderr)
	}
	malformed := 0
	for _, r := range records {
		if !strings.HasPrefix(string(r.Key), "usr_") {
			t.Fatalf("key %q", r.Key)
		}
		if trigger.Valid(r.Value) != nil {
			malformed++
		}
	}
	if malformed == 0 || malformed > 50 {
		t.Errorf("%d malformed", malformed)
	}
	code, _, stderr, records = produceTo(t, "", "--generate", "500", "--seed", "3", "--strict")
	if code != cli.ExitOK || len(records) != 500 || stderr != "" {
		t.Errorf("--strict: exit %d, %d records\n%s", code, len(records), stderr)
	}
}

func TestProduceBadInput(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"exclude each other", []string{"x.json", "--generate", "5"}},
		{"--generate must be", []string{"--generate=-5"}},
		{"--seed is of use", []string{"--seed", "1"}},
		{"--rate must not", []string{"--rate=-1"}},
		{"no such file", []string{missing}},
		{"no such file", []string{missing, "--strict"}},
	} {
		if code, _, stderr, _ := produceTo(t, "", c.args...); code != cli.ExitBadInput || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d\n%s", c.args, code, stderr)
		}
	}
	big := `{"userId":"a","x":"` + strings.Repeat("x", 1_048_000) + `"}`
	code, _, stderr, records := produceTo(t, "{\"userId\":\"b\"}\n"+big+"\n")
	if code != cli.ExitBadInput || !strings.Contains(stderr, "line 2 has 1048022 bytes") || len(records) != 1 {
		t.Errorf("exit %d, %d records\n%s", code, len(records), stderr)
	}
}

func TestProduceWithoutBrokers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var stdout, stderr bytes.Buffer
	args := []string{"produce", "--brokers", "127.0.0.1:1", "--topic", "t"}
	if code := run(ctx, args, strings.NewReader("{}\n"), &stdout, &stderr); code != cli.ExitFailure {
		t.Errorf("exit %d\n%s", code, stderr.String())
	}
	if !strings.HasPrefix(stdout.String(), "0 events published") {
		t.Errorf("stdout: %s", stdout.String())
	}
}

func TestProduceRefusesATable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(file, []byte("userId,first_name,phone\r\nu1,Jane,+14155550134\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr, records := produceTo(t, "", file)
	if code != cli.ExitBadInput || stdout != "" || len(records) != 0 || !strings.HasPrefix(stderr, "engage-worker: "+file+": this looks like a table (CSV)") {
		t.Errorf("exit %d, %d records\n%s%s", code, len(records), stdout, stderr)
	}
}

func TestProducePrintsOffsets(t *testing.T) {
	const in = `{"type":"page","messageId":"a","userId":"u"}` + "\n\n" + `{"type":"page","messageId":"b","userId":"u"}` + "\n"
	code, stdout, stderr, records := produceTo(t, in, "--offsets", "--strict")
	if code != cli.ExitOK || len(records) != 2 || stderr != "" || !strings.Contains(stdout, "line 1: partition ") || !strings.Contains(stdout, "line 3: partition ") ||
		strings.Count(stdout, ", offset ") != 2 || !strings.Contains(stdout, ", offset 1\n") {
		t.Errorf("exit %d, %d records\n%s%s", code, len(records), stdout, stderr)
	}
}
