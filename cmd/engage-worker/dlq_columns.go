package main

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// exported is a dead letter as `dlq export` writes it: the columns, their
// names and their order are documented in docs/dead-letters.md and stay. A
// fact that is unknown is absent (JSON Lines), empty (CSV) or null (Parquet).
type exported struct {
	ID              string `json:"id" parquet:"id"`
	FailedAt        millis `json:"failed_at,omitzero" parquet:"failed_at,optional,timestamp(millisecond)"`
	FirstFailedAt   millis `json:"first_failed_at,omitzero" parquet:"first_failed_at,optional,timestamp(millisecond)"`
	Reason          string `json:"reason,omitempty" parquet:"reason,optional,dict"`
	Disposition     string `json:"disposition,omitempty" parquet:"disposition,optional,dict"`
	Destination     string `json:"destination,omitempty" parquet:"destination,optional,dict"`
	Action          string `json:"action,omitempty" parquet:"action,optional,dict"`
	Region          string `json:"region,omitempty" parquet:"region,optional,dict"`
	UserID          string `json:"user_id,omitempty" parquet:"user_id,optional"`
	MessageID       string `json:"message_id,omitempty" parquet:"message_id,optional"`
	Recipient       string `json:"recipient,omitempty" parquet:"recipient,optional"`
	Message         string `json:"message,omitempty" parquet:"message,optional"`
	TwilioCode      int32  `json:"twilio_code,omitempty" parquet:"twilio_code,optional"`
	TwilioStatus    int32  `json:"twilio_status,omitempty" parquet:"twilio_status,optional"`
	TwilioRequestID string `json:"twilio_request_id,omitempty" parquet:"twilio_request_id,optional"`
	Attempts        int32  `json:"attempts,omitempty" parquet:"attempts,optional"`
	Replays         int32  `json:"replays" parquet:"replays"`
	Group           string `json:"group,omitempty" parquet:"group,optional,dict"`
	Topic           string `json:"topic,omitempty" parquet:"topic,optional,dict"`
	Partition       int32  `json:"partition" parquet:"partition"`
	Offset          int64  `json:"offset" parquet:"offset"`
	RecordTimestamp millis `json:"record_timestamp,omitzero" parquet:"record_timestamp,optional,timestamp(millisecond)"`
	DLQPartition    int32  `json:"dlq_partition" parquet:"dlq_partition"`
	DLQOffset       int64  `json:"dlq_offset" parquet:"dlq_offset"`
	DLQTimestamp    millis `json:"dlq_timestamp,omitzero" parquet:"dlq_timestamp,optional,timestamp(millisecond)"`
	Key             string `json:"key,omitempty" parquet:"key,optional"`
	KeyEncoding     string `json:"key_encoding,omitempty" parquet:"key_encoding,optional,dict"`
	Value           string `json:"value,omitempty" parquet:"value,optional"`
	ValueEncoding   string `json:"value_encoding,omitempty" parquet:"value_encoding,optional,dict"`
	Headers         string `json:"headers,omitempty" parquet:"headers,optional"`
	State           string `json:"state,omitempty" parquet:"state,optional,dict"`
	StateWhy        string `json:"state_why,omitempty" parquet:"state_why,optional,dict"`
	TwilioSID       string `json:"twilio_sid,omitempty" parquet:"twilio_sid,optional"`
}

// millis is a time in Unix milliseconds, 0 for none, as Parquet has it; as
// text it is RFC 3339.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) String() string {
	if m == 0 {
		return ""
	}
	return letters.Stamp(time.UnixMilli(int64(m)))
}

// MarshalText makes it text in JSON.
func (m millis) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

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

// jsonRows writes JSON Lines.
type jsonRows struct {
	enc     *json.Encoder
	columns []string // none: all
}

func newJSONRows(w io.Writer, columns []string) *jsonRows {
	enc := json.NewEncoder(terminal.JSON{To: w})
	enc.SetEscapeHTML(false)
	return &jsonRows{enc, columns}
}

func (j *jsonRows) Write(r *deadletter.Record) error {
	row := exportedOf(r)
	if len(j.columns) > 0 {
		return j.enc.Encode(pick(row, j.columns))
	}
	return j.enc.Encode(&row)
}

func (j *jsonRows) Close() error { return nil }

// csvRows writes RFC 4180 with a header line. No cell drives a spreadsheet or a
// terminal.
type csvRows struct {
	w      *csv.Writer
	fields []string
	chosen []int // none: all
}

func newCSVRows(w io.Writer, columns []string) *csvRows {
	c := &csvRows{w: csv.NewWriter(w)}
	for _, name := range columns {
		c.chosen = append(c.chosen, slices.Index(exportColumns(), name))
	}
	// An error stays with the writer and comes with the next Write or Close.
	_ = c.w.Write(c.some(exportColumns()))
	return c
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

func (c *csvRows) Write(r *deadletter.Record) error {
	e := exportedOf(r)
	text := terminal.Cell
	c.fields = append(c.fields[:0],
		text(e.ID), e.FailedAt.String(), e.FirstFailedAt.String(), text(e.Reason), text(e.Disposition), text(e.Destination), text(e.Action), text(e.Region),
		text(e.UserID), text(e.MessageID), text(e.Recipient), text(e.Message), letters.Number(int(e.TwilioCode)), letters.Number(int(e.TwilioStatus)), text(e.TwilioRequestID),
		letters.Number(int(e.Attempts)), strconv.Itoa(int(e.Replays)), text(e.Group),
		text(e.Topic), strconv.Itoa(int(e.Partition)), strconv.FormatInt(e.Offset, 10), e.RecordTimestamp.String(),
		strconv.Itoa(int(e.DLQPartition)), strconv.FormatInt(e.DLQOffset, 10), e.DLQTimestamp.String(),
		text(e.Key), e.KeyEncoding, jsonCell(e.Value), e.ValueEncoding, jsonCell(e.Headers),
		e.State, text(e.StateWhy), text(e.TwilioSID),
	)
	return c.w.Write(c.some(c.fields))
}

func (c *csvRows) some(all []string) []string {
	if len(c.chosen) == 0 {
		return all
	}
	some := make([]string, len(c.chosen))
	for i, from := range c.chosen {
		some[i] = all[from]
	}
	return some
}

// jsonCell is a cell of JSON, with the same value; or of any text.
func jsonCell(s string) string {
	if json.Valid([]byte(s)) {
		s = string(terminal.EscapeJSON([]byte(s)))
	}
	return terminal.Cell(s)
}

func (c *csvRows) Close() error {
	c.w.Flush()
	return c.w.Error()
}

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
