package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
)

// timeFormat is RFC 3339 to the millisecond, which is as exact as Kafka is.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// maxText bounds each of our headers, so that all of them together stay far
// below HeaderRoom whatever an event claims its user or message id to be.
const maxText = 1024

// HeaderRoom is how many bytes our headers may add to an event, with room to
// spare: a dead-letter topic's max.message.bytes should exceed the source's by
// this much.
const HeaderRoom = 64 << 10

// Encode makes the Kafka message of r: the event's key, value and headers,
// then ours. It sets neither topic nor time, so that the message is stamped
// when it is written. The message shares r's memory.
func Encode(r *Record) kafka.Message {
	own := Foreign(r.Headers)
	b := headerBuilder{headers: append(make([]kafka.Header, 0, len(own)+25), own...)}
	if r.Topic != "" {
		b.text(HeaderTopic, r.Topic)
		b.number(HeaderPartition, int64(r.Partition))
		b.number(HeaderOffset, r.Offset)
	}
	b.text(HeaderGroup, r.Group)
	b.number(HeaderDeliveryCount, int64(r.DeliveryCount)) // 0: it was never tried, which is known
	b.text(HeaderMessage, r.Message)
	b.text(HeaderID, r.ID())
	b.text(HeaderDestination, r.Destination)
	b.text(HeaderAction, r.Action)
	b.text(HeaderReason, r.Reason)
	b.text(HeaderDisposition, string(r.Disposition))
	b.text(HeaderMessageID, r.MessageID)
	b.text(HeaderUserID, r.UserID)
	b.text(HeaderRegion, r.Region)
	b.text(HeaderRecipient, r.Recipient)
	b.positive(HeaderTwilioCode, r.TwilioCode)
	b.positive(HeaderTwilioStatus, r.TwilioStatus)
	b.text(HeaderTwilioRequestID, r.RequestID)
	b.text(HeaderTwilioSID, r.TwilioSID)
	b.time(HeaderFirstFailedAt, r.FirstFailedAt)
	b.time(HeaderLastFailedAt, r.LastFailedAt)
	b.time(HeaderRecordTimestamp, r.Timestamp)
	b.positive(HeaderReplays, r.Replays)
	b.text(HeaderReplayOrigin, r.Origin)
	b.text(HeaderDoubt, r.Doubt)
	return kafka.Message{Key: r.Key, Value: r.Value, Headers: b.headers}
}

// headerBuilder appends headers, leaving out those without a fact.
type headerBuilder struct{ headers []kafka.Header }

func (b *headerBuilder) text(name, value string) {
	if value != "" {
		b.headers = append(b.headers, kafka.Header{Key: name, Value: []byte(clean(value))})
	}
}

func (b *headerBuilder) number(name string, n int64) {
	b.headers = append(b.headers, kafka.Header{Key: name, Value: strconv.AppendInt(nil, n, 10)})
}

func (b *headerBuilder) positive(name string, n int) {
	if n > 0 {
		b.number(name, int64(n))
	}
}

func (b *headerBuilder) time(name string, t time.Time) {
	if !t.IsZero() {
		b.headers = append(b.headers, kafka.Header{Key: name, Value: t.UTC().AppendFormat(nil, timeFormat)})
	}
}

// clean makes s valid UTF-8 of at most maxText bytes.
func clean(s string) string {
	if len(s) > maxText {
		cut := maxText
		for cut > maxText-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// ErrForeign marks a record of the dead-letter topic that this worker did not
// write: it has neither an id nor a reason.
var ErrForeign = errors.New("not a dead letter of engage-worker")

// Decode reads a dead letter from m, whose memory the Record shares.
//
// It returns a Record in any case, with all that could be understood. The
// error says what could not: ErrForeign, or one *HeaderError for each of our
// headers that isn't what it should be, joined.
func Decode(m kafka.Message) (*Record, error) {
	raw := records.Record{Offset: m.Offset, Time: m.Time, Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		raw.Headers = append(raw.Headers, records.Header{Name: []byte(h.Key), Value: h.Value})
	}
	r := new(Record)
	err := new(decoder).decode(&raw, r)
	r.Position.Topic, r.Position.Partition = m.Topic, m.Partition
	return r, err
}

// decoder decodes the records of one partition. They name the same few
// topics, actions and reasons again and again: names, if it isn't nil, keeps
// one copy of each. It is not safe for concurrent use.
type decoder struct {
	topic     string
	partition int
	names     map[string]string
}

// maxNames bounds names, should somebody fill a topic with ever new ones.
const maxNames = 4096

func (d *decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.names != nil && len(d.names) < maxNames {
		d.names[s] = s
	}
	return s
}

// decode is Decode into r, which shares m's memory except for its texts, and may
// have been another record before.
func (d *decoder) decode(m *records.Record, r *Record) error {
	*r = Record{
		Key: m.Key, Value: m.Value, Headers: r.Headers[:0],
		Position: Position{Topic: d.topic, Partition: d.partition, Offset: m.Offset, Time: m.Time},
	}
	var faults []error
	for _, h := range m.Headers {
		known, err := r.setHeader(d, h.Name, h.Value)
		if err != nil {
			faults = append(faults, &HeaderError{Name: string(h.Name), Err: err})
		}
		if !known {
			r.Headers = append(r.Headers, kafka.Header{Key: d.name(h.Name), Value: h.Value})
		}
	}
	if r.id == "" && r.Reason == "" {
		return ErrForeign
	}
	return errors.Join(faults...)
}

// HeaderError is a header that isn't what it should be. Its text quotes
// nothing, for headers hold personal data.
type HeaderError struct {
	Name string
	Err  error
}

func (e *HeaderError) Error() string { return fmt.Sprintf("header %s: %v", e.Name, e.Err) }
func (e *HeaderError) Unwrap() error { return e.Err }

var (
	errNotNumber = errors.New("not a whole number")
	errNotTime   = errors.New("not an RFC 3339 time")
)

// setHeader takes a header if it is one of ours. Of two of a name, the later
// one counts.
func (r *Record) setHeader(d *decoder, name, value []byte) (known bool, err error) {
	switch string(name) {
	case HeaderTopic:
		r.Topic = d.name(value)
	case HeaderPartition:
		err = setInt(&r.Partition, value)
	case HeaderOffset:
		r.Offset, err = parseInt(value, 64)
	case HeaderGroup:
		r.Group = d.name(value)
	case HeaderDeliveryCount:
		err = setInt(&r.DeliveryCount, value)
	case HeaderMessage:
		r.Message = string(value)
	case HeaderID:
		r.id = string(value)
	case HeaderDestination:
		r.Destination = d.name(value)
	case HeaderAction:
		r.Action = d.name(value)
	case HeaderReason:
		r.Reason = d.name(value)
	case HeaderDisposition:
		r.Disposition = Disposition(d.name(value))
	case HeaderMessageID:
		r.MessageID = string(value)
	case HeaderUserID:
		r.UserID = string(value)
	case HeaderRegion:
		r.Region = d.name(value)
	case HeaderRecipient:
		r.Recipient = string(value)
	case HeaderTwilioCode:
		err = setInt(&r.TwilioCode, value)
	case HeaderTwilioStatus:
		err = setInt(&r.TwilioStatus, value)
	case HeaderTwilioRequestID:
		r.RequestID = string(value)
	case HeaderTwilioSID:
		r.TwilioSID = string(value)
	case HeaderFirstFailedAt:
		err = setTime(&r.FirstFailedAt, value)
	case HeaderLastFailedAt:
		err = setTime(&r.LastFailedAt, value)
	case HeaderRecordTimestamp:
		err = setTime(&r.Timestamp, value)
	case HeaderDoubt:
		r.Doubt = string(value)
	case HeaderReplays:
		err = setInt(&r.Replays, value)
	case HeaderReplayOrigin:
		r.Origin = string(value)
	case HeaderReplayID, HeaderReplayDestination, HeaderReplayAction, HeaderReplayPlan, HeaderReplayRecord:
		// A trace of an earlier death.
	default:
		return false, nil
	}
	return true, err
}

// setInt takes a number that counts or indexes something.
func setInt(dst *int, value []byte) error {
	n, err := parseInt(value, 32)
	*dst = int(n)
	return err
}

func parseInt(value []byte, bits int) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, bits)
	if err != nil || n < 0 {
		return 0, errNotNumber
	}
	return n, nil
}

func setTime(dst *time.Time, value []byte) error {
	var t time.Time
	if err := t.UnmarshalText(value); err != nil {
		return errNotTime
	}
	*dst = t.UTC()
	return nil
}
