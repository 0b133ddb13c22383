package twiliosim

import (
	"encoding/json"
	"hash/fnv"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Message is a message that was accepted.
type Message struct {
	Seq                 uint64      `json:"seq"` // the order of acceptance, from 1; only inbound messages take others
	SID                 string      `json:"sid"`
	Account             string      `json:"account"`
	To                  string      `json:"to"`   // its number as E.164, its channel before it
	From                string      `json:"from"` // as posted, or "" when a messaging service chooses
	MessagingServiceSID string      `json:"messagingServiceSid,omitempty"`
	Form                [][2]string `json:"form"`       // names and values exactly as posted, in their order
	ReceivedAt          time.Time   `json:"receivedAt"` // when the request was read, to the nanosecond
	AcceptedAt          time.Time   `json:"acceptedAt"`
	Remote              string      `json:"remote"`          // the client's address
	Host                string      `json:"host"`            // as the client named it
	Fault               string      `json:"fault,omitempty"` // what befell it after it was accepted
	End                 string      `json:"end,omitempty"`   // the status in which it ends, where it isn't delivered
	Code                int         `json:"code,omitempty"`  // why it fails, or isn't delivered
}

// Value is the first value that was posted by the name, or "".
func (m *Message) Value(name string) string {
	for _, pair := range m.Form {
		if pair[0] == name {
			return pair[1]
		}
	}
	return ""
}

// Sender is the messaging service's SID, or else From.
func (m *Message) Sender() string {
	if m.MessagingServiceSID != "" {
		return m.MessagingServiceSID
	}
	return m.From
}

// Messages yields everything that was accepted and is still kept, in the
// order of acceptance, up to the moment of the call. What was received isn't
// among it.
func (s *Sim) Messages() iter.Seq[Message] { return s.MessagesSince(1) }

// MessagesSince is Messages from a Seq on.
func (s *Sim) MessagesSince(seq uint64) iter.Seq[Message] {
	s.mu.Lock()
	first, chunks := s.store.snapshot()
	s.mu.Unlock()
	return func(yield func(Message) bool) {
		for i, chunk := range chunks {
			if first+uint64(i*chunkSize+len(chunk)) <= seq {
				continue
			}
			for j := range chunk {
				if chunk[j].seq >= seq && !chunk[j].inbound && !yield(s.message(&chunk[j])) {
					return
				}
			}
		}
	}
}

func (s *Sim) message(rec *record) Message {
	m := Message{
		Seq: rec.seq, SID: s.sid(rec), Account: rec.account, To: rec.to, From: rec.from, MessagingServiceSID: rec.service,
		ReceivedAt: time.Unix(0, rec.received).UTC(), AcceptedAt: time.Unix(0, rec.accepted).UTC(),
		Remote: rec.remote, Host: rec.host, Fault: rec.fault.String(), Code: rec.fate.code,
	}
	if end := rec.fate.end(); end != statusDelivered {
		m.End = end
	}
	for name, value := range formValues(rec.raw) {
		m.Form = append(m.Form, [2]string{name, value})
	}
	return m
}

func (s *Sim) sid(rec *record) string {
	if rec.media {
		return s.id("MM", rec.seq)
	}
	return s.id("SM", rec.seq)
}

// resource is Twilio's document of a message.
type resource struct {
	AccountSID          string            `json:"account_sid"`
	APIVersion          string            `json:"api_version"`
	Body                string            `json:"body"`
	DateCreated         string            `json:"date_created"`
	DateSent            *string           `json:"date_sent"`
	DateUpdated         string            `json:"date_updated"`
	Direction           string            `json:"direction"`
	ErrorCode           *int              `json:"error_code"`
	ErrorMessage        *string           `json:"error_message"`
	From                *string           `json:"from"`
	MessagingServiceSID *string           `json:"messaging_service_sid"`
	NumMedia            string            `json:"num_media"`
	NumSegments         string            `json:"num_segments"`
	Price               *string           `json:"price"`
	PriceUnit           *string           `json:"price_unit"`
	SID                 string            `json:"sid"`
	Status              string            `json:"status"`
	SubresourceURIs     map[string]string `json:"subresource_uris"`
	To                  string            `json:"to"`
	URI                 string            `json:"uri"`
}

// listed shows a message as lists do at a moment: with what Twilio made of
// its body.
func (s *Sim) listed(rec *record, now time.Time) *resource {
	form := parseCreateForm(rec.raw)
	if s.opts.SmartEncoding {
		form.body = plainCharacters.Replace(form.body)
	}
	if form.shortenURLs {
		form.body = link.ReplaceAllStringFunc(form.body, s.shorten)
	}
	return s.resource(rec, now, &form)
}

// resource shows a message as it is at a moment.
func (s *Sim) resource(rec *record, now time.Time, form *createForm) *resource {
	created := time.Unix(0, rec.accepted)
	sent, isSent := s.sentAt(rec, now)
	sid := s.sid(rec)
	uri := accountsPrefix + rec.account + "/Messages/" + sid
	r := &resource{
		AccountSID: rec.account, APIVersion: "2010-04-01", Body: form.body, Direction: "outbound-api",
		DateCreated: s.date(created), DateUpdated: s.date(created),
		NumMedia: strconv.Itoa(form.media), NumSegments: "0", SID: sid, Status: statusQueued, To: rec.to, URI: uri + ".json",
		SubresourceURIs: map[string]string{"media": uri + "/Media.json"},
	}
	if form.hasContentSID && form.body == "" {
		r.Body = s.renderTemplate(form.contentSID, form.contentVariables)
	}
	if rec.service != "" {
		r.Status, r.MessagingServiceSID = statusAccepted, &rec.service
	} else {
		r.From = &rec.from
	}
	if rec.inbound {
		return receivedResource(r)
	}
	age := now.Sub(created)
	status, since := rec.fate.at(age, r.Status)
	r.Status, r.DateUpdated = status, s.date(created.Add(since))
	if failed := rec.fate.failed; failed >= 0 && failed <= age {
		r.ErrorCode = &rec.fate.code
	}
	if !isSent {
		if rec.service == "" {
			r.NumSegments = strconv.Itoa(segments(r.Body))
		}
		return r
	}
	from, dateSent, unit := poolSender(rec), s.date(sent), "USD"
	r.From, r.DateSent, r.PriceUnit = &from, &dateSent, &unit
	r.NumSegments = strconv.Itoa(segments(r.Body))
	return r
}

// sentAt is when the message was sent, and whether that is past.
func (s *Sim) sentAt(rec *record, now time.Time) (time.Time, bool) {
	at := time.Unix(0, rec.accepted).Add(rec.fate.sent)
	return at, rec.fate.sent >= 0 && !at.After(now)
}

// date is a time by the vendor's clock, in RFC 2822 to the second.
func (s *Sim) date(t time.Time) string {
	return t.Add(s.opts.ClockOffset).UTC().Format(time.RFC1123Z)
}

// poolSender is the sender of a sent message: that which was asked for, or
// the number of the service's pool that this recipient always gets.
func poolSender(rec *record) string {
	if rec.service == "" {
		return rec.from
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(rec.service + rec.to)) // never fails
	channel, _ := address(rec.to)
	if channel == messenger {
		return channel + "1500555" + strconv.Itoa(1000+int(h.Sum32()%9000))
	}
	return channel + "+1500555" + strconv.Itoa(1000+int(h.Sum32()%9000))
}

var (
	link            = regexp.MustCompile(`https?://[^\s]+`)
	plainCharacters = strings.NewReplacer("\u2018", "'", "\u2019", "'", "\u201c", `"`, "\u201d", `"`, "\u2013", "-", "\u2014", "-", "\u2026", "...", "\u00a0", " ")
)

func (s *Sim) shorten(url string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(url)) // never fails
	return "https://" + s.opts.ShortDomain + "/" + strconv.FormatUint(h.Sum64()&(1<<35-1), 36)
}

// gsm7 are the characters of GSM 03.38; extended ones take two units.
const (
	gsm7         = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7Extended = "^{}\\[~]|€\f"
)

// segments is how many messages a body is billed as.
func segments(body string) int {
	units := 0
	for _, r := range body {
		switch {
		case r >= 'a' && r <= 'z', r == ' ', strings.ContainsRune(gsm7, r):
			units++
		case strings.ContainsRune(gsm7Extended, r):
			units += 2
		default:
			return parts(len(utf16.Encode([]rune(body))), 70, 67)
		}
	}
	return parts(units, 160, 153)
}

func parts(units, single, joined int) int {
	if units <= single {
		return 1
	}
	return (units + joined - 1) / joined
}

// renderTemplate is a template's body with its {{variables}} filled in.
func (s *Sim) renderTemplate(sid, variables string) string {
	var body string
	for _, kind := range s.template(sid) {
		if document, ok := kind.(map[string]any); ok {
			body, _ = document["body"].(string)
		}
	}
	var values map[string]string
	_ = json.Unmarshal([]byte(variables), &values) // validated on acceptance
	for name, value := range values {
		body = strings.ReplaceAll(body, "{{"+name+"}}", value)
	}
	return body
}
