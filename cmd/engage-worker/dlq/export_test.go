package dlq

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
)

// The columns have one name, order and meaning in all formats.
func TestFormatsAgree(t *testing.T) {
	failed := time.Date(2026, 3, 1, 10, 7, 0, 0, time.UTC)
	r := &deadletter.Record{
		Key: []byte("user-7"), Value: []byte(`{"type":"track","name":"<\"Jane\">"}`), Headers: []kafka.Header{{Key: "traceparent", Value: []byte("00-1")}},
		Topic: "audience-events", Partition: 0, Offset: 1 << 60, Timestamp: failed.Add(-time.Second), Group: "engage-worker.onboarding",
		DeliveryCount: 1, Message: "21610: the recipient opted out", Destination: "onboarding", Action: "welcome-sms",
		Reason: "opted_out", Disposition: deadletter.Permanent, MessageID: "m-7", UserID: "user-7",
		Region: "us-west-2", Recipient: "+15***007", TwilioCode: 21610, RequestID: "RQ1", FirstFailedAt: failed, LastFailedAt: failed,
		Position: deadletter.Position{Topic: "audience-events.dlq", Partition: 1, Offset: 2, Time: failed}, State: deadletter.StateOpen,
	}
	written := func(c Export) string {
		var b bytes.Buffer
		rows := c.records(&b)
		if err := rows.Write(r); err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range []struct {
		export Export
		want   string
	}{
		{Export{Format: "jsonl"}, `{"id":"` + r.ID() + `","failed_at":"2026-03-01T10:07:00.000Z","first_failed_at":"2026-03-01T10:07:00.000Z","reason":"opted_out",` +
			`"disposition":"permanent","destination":"onboarding","action":"welcome-sms","region":"us-west-2","user_id":"user-7","message_id":"m-7","recipient":"+15***007",` +
			`"message":"21610: the recipient opted out","twilio_code":21610,"twilio_request_id":"RQ1","attempts":1,"replays":0,"group":"engage-worker.onboarding",` +
			`"topic":"audience-events","partition":0,"offset":1152921504606846976,"record_timestamp":"2026-03-01T10:06:59.000Z","dlq_partition":1,"dlq_offset":2,` +
			`"dlq_timestamp":"2026-03-01T10:07:00.000Z","key":"user-7","key_encoding":"utf8","value":"{\"type\":\"track\",\"name\":\"<\\\"Jane\\\">\"}","value_encoding":"utf8",` +
			`"headers":"[[\"traceparent\",\"00-1\"]]","state":"open"}` + "\n"},
		{Export{Format: "csv"}, strings.Join(exportColumns(), ",") + "\n" + r.ID() + ",2026-03-01T10:07:00.000Z,2026-03-01T10:07:00.000Z,opted_out,permanent,onboarding,welcome-sms," +
			`us-west-2,user-7,m-7,'+15***007,21610: the recipient opted out,21610,,RQ1,1,0,engage-worker.onboarding,audience-events,0,1152921504606846976,2026-03-01T10:06:59.000Z,` +
			`1,2,2026-03-01T10:07:00.000Z,user-7,utf8,"{""type"":""track"",""name"":""<\""Jane\"">""}",utf8,"[[""traceparent"",""00-1""]]",open,,` + "\n"},
		{Export{Format: "jsonl", Columns: []string{"message_id", "twilio_status", "id"}}, `{"message_id":"m-7","id":"` + r.ID() + `"}` + "\n"},
		{Export{Format: "csv", Columns: []string{"twilio_status", "replays"}}, "twilio_status,replays\n,0\n"},
	} {
		if got := written(c.export); got != c.want {
			t.Errorf("%+v\ngot  %s\nwant %s", c.export, got, c.want)
		}
	}
	file := written(Export{Format: "parquet"})
	rows, err := parquet.Read[exported](strings.NewReader(file), int64(len(file)))
	if err != nil || len(rows) != 1 || rows[0] != exportedOf(r) {
		t.Errorf("%+v (%v)\nwant %+v", rows, err, exportedOf(r))
	}
}

// What has come under a file's name while it was written is not replaced without
// --force.
func TestLateFileStays(t *testing.T) {
	late := filepath.Join(t.TempDir(), "late.csv")
	out, err := (&Export{File: late}).output(&cli.App{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(late, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := out.keep(); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(late); string(text) != "another's" {
		t.Errorf("%q (%v)", text, err)
	}
	if left, err := os.ReadDir(filepath.Dir(late)); err != nil || len(left) != 1 {
		t.Errorf("%v (%v)", left, err)
	}
}
