package dlq

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
)

// exported is a dead letter as `dlq export` writes it: the columns, their
// names and their order are documented in docs/dead-letters.md and stay. A
// fact that is unknown is absent (JSON Lines), empty (CSV) or null (Parquet).
type exported struct {
	ID              string `parquet:"id"`
	FailedAt        millis `parquet:"failed_at,optional,timestamp(millisecond)"`
	FirstFailedAt   millis `parquet:"first_failed_at,optional,timestamp(millisecond)"`
	Reason          string `parquet:"reason,optional,dict"`
	Disposition     string `parquet:"disposition,optional,dict"`
	Destination     string `parquet:"destination,optional,dict"`
	Action          string `parquet:"action,optional,dict"`
	Region          string `parquet:"region,optional,dict"`
	UserID          string `parquet:"user_id,optional"`
	MessageID       string `parquet:"message_id,optional"`
	Recipient       string `parquet:"recipient,optional"`
	Message         string `parquet:"message,optional"`
	TwilioCode      int32  `parquet:"twilio_code,optional"`
	TwilioStatus    int32  `parquet:"twilio_status,optional"`
	TwilioRequestID string `parquet:"twilio_request_id,optional"`
	Attempts        int32  `parquet:"attempts,optional"`
	Replays         int32  `parquet:"replays"`
	Group           string `parquet:"group,optional,dict"`
	Topic           string `parquet:"topic,optional,dict"`
	Partition       int32  `parquet:"partition"`
	Offset          int64  `parquet:"offset"`
	RecordTimestamp millis `parquet:"record_timestamp,optional,timestamp(millisecond)"`
	DLQPartition    int32  `parquet:"dlq_partition"`
	DLQOffset       int64  `parquet:"dlq_offset"`
	DLQTimestamp    millis `parquet:"dlq_timestamp,optional,timestamp(millisecond)"`
	Key             string `parquet:"key,optional"`
	KeyEncoding     string `parquet:"key_encoding,optional,dict"`
	Value           string `parquet:"value,optional"`
	ValueEncoding   string `parquet:"value_encoding,optional,dict"`
	Headers         string `parquet:"headers,optional"`
	State           string `parquet:"state,optional,dict"`
	StateWhy        string `parquet:"state_why,optional,dict"`
	TwilioSID       string `parquet:"twilio_sid,optional"`
}

// millis is a time in Unix milliseconds, 0 for none, as Parquet has it.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func exportedOf(r *deadletter.Record) exported {
	key, keyEncoding := encoded(r.Key)
	value, valueEncoding := encoded(r.Value)
	return exported{
		ID: r.ID(), FailedAt: millisOf(r.FailedAt()), FirstFailedAt: millisOf(r.FirstFailedAt),
		Reason: r.Reason, Disposition: string(r.Disposition), Destination: r.Destination, Action: r.Action, Region: r.Region,
		UserID: r.UserID, MessageID: r.MessageID, Recipient: r.Recipient, Message: r.Message,
		TwilioCode: int32(r.TwilioCode), TwilioStatus: int32(r.TwilioStatus), TwilioRequestID: r.RequestID,
		Attempts: int32(r.DeliveryCount), Replays: int32(r.Replays), Group: r.Group,
		Topic: r.Topic, Partition: int32(r.Partition), Offset: r.Offset, RecordTimestamp: millisOf(r.Timestamp),
		DLQPartition: int32(r.Position.Partition), DLQOffset: r.Position.Offset, DLQTimestamp: millisOf(r.Position.Time),
		Key: key, KeyEncoding: keyEncoding, Value: value, ValueEncoding: valueEncoding, Headers: headersJSON(r),
		State: string(r.State), StateWhy: r.StateWhy, TwilioSID: r.TwilioSID,
	}
}

// encoded is b as text, and how: utf8, base64, or "" for nothing.
func encoded(b []byte) (text, encoding string) {
	switch {
	case len(b) == 0:
		return "", ""
	case utf8.Valid(b):
		return string(b), "utf8"
	default:
		return base64.StdEncoding.EncodeToString(b), "base64"
	}
}

// headersJSON is the event's own headers as [["name","value"],...], or "".
// What is no UTF-8 in a value becomes U+FFFD.
func headersJSON(r *deadletter.Record) string {
	if len(r.Headers) == 0 {
		return ""
	}
	pairs := make([][2]string, len(r.Headers))
	for i, h := range r.Headers {
		pairs[i] = [2]string{h.Key, string(h.Value)}
	}
	// Strings always marshal.
	b, _ := json.Marshal(pairs)
	return string(b)
}

// exportColumns are the columns' names.
func exportColumns() []string {
	fields := parquet.SchemaOf(exported{}).Fields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name()
	}
	return names
}

// textRows writes JSON Lines or CSV.
type textRows struct {
	to     rowWriter
	record exported
	fields []reflect.Value // of record, those that are asked for
	row    []cell
	always []bool // whether a zero is known
}

func newTextRows(to rowWriter, columns []string) *textRows {
	t := &textRows{to: to}
	all, record := parquet.SchemaOf(exported{}).Fields(), reflect.ValueOf(&t.record).Elem()
	for _, name := range columns {
		i := slices.Index(exportColumns(), name)
		t.fields = append(t.fields, record.Field(i))
		t.row = append(t.row, cell{name: name, number: record.Field(i).CanInt() && record.Field(i).Type() != reflect.TypeFor[millis]()})
		t.always = append(t.always, !all[i].Optional())
	}
	return t
}

func (t *textRows) Write(r *deadletter.Record) error {
	t.record = exportedOf(r)
	for i, f := range t.fields {
		c := &t.row[i]
		switch c.text, c.unknown = "", f.IsZero() && !t.always[i]; {
		case c.unknown:
		case c.number:
			c.text = strconv.FormatInt(f.Int(), 10)
		case f.CanInt():
			c.text = letters.Stamp(time.UnixMilli(f.Int()))
		default:
			c.text = f.String()
		}
	}
	return t.to.Write(t.row)
}

func (t *textRows) Close() error { return t.to.Flush() }

// parquetRows writes Parquet, zstd-compressed.
type parquetRows struct {
	w    *parquet.GenericWriter[exported]
	size int // about what the open row group holds
}

// rowGroup is about how many bytes of events are in one row group, which the
// writer keeps in memory until it is full.
const rowGroup = 16 << 20

func newParquetRows(w io.Writer) *parquetRows {
	return &parquetRows{w: parquet.NewGenericWriter[exported](w, parquet.Compression(&zstd.Codec{}))}
}

func (p *parquetRows) Write(r *deadletter.Record) error {
	if _, err := p.w.Write([]exported{exportedOf(r)}); err != nil {
		return err
	}
	const rest = 512 // of a row
	if p.size += len(r.Key) + len(r.Value) + rest; p.size < rowGroup {
		return nil
	}
	p.size = 0
	return p.w.Flush()
}

func (p *parquetRows) Close() error { return p.w.Close() }
