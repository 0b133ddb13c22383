package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/actions/twilio"
	"engage-worker/internal/kafka/tail"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
)

// previewView is what one action makes of an event, as it is shown.
type previewView struct {
	preview.Line
	To      string   `json:"-"`
	From    string   `json:"-"`
	Body    string   `json:"-"`
	Media   []string `json:"-"`
	Content string   `json:"-"` // a content template and its variables
	Fields  []fact   `json:"-"` // of the request
	Why     []string `json:"-"`
}

func (d *Desk) viewOf(line preview.Line) previewView {
	v := previewView{Line: line}
	if line.Request != nil {
		v.To, v.From = d.masked(line.Request.Field("To")), line.Request.Field("From")
		if v.From == "" {
			v.From = line.Request.Field("MessagingServiceSid")
		}
		v.Body = d.veiled(line.Request.Field("Body"))
		if sid := line.Request.Field("ContentSid"); sid != "" {
			v.Content = strings.TrimSpace(sid + " " + d.veiled(line.Request.Field("ContentVariables")))
		}
		for _, f := range line.Request.Form {
			value := d.veiled(f[1])
			switch f[0] {
			case "MediaUrl":
				v.Media = append(v.Media, value)
			case "To":
				value = v.To
			}
			v.Fields = append(v.Fields, fact{f[0], value})
		}
	}
	if line.Error != nil {
		v.Why = append(v.Why, d.veiled(line.Error.Message))
	}
	if x := line.Explain; x != nil {
		for _, why := range []string{x.Trigger, x.Recipient, x.Template} {
			if why != "" {
				v.Why = append(v.Why, d.veiled(why))
			}
		}
	}
	return v
}

// masked is a number for whom may see it.
func (d *Desk) masked(number string) string {
	if d.o.Unmask {
		return number
	}
	return twilio.Mask(number)
}

// Segments is what the message's text costs, in words.
func (v previewView) Segments() string {
	if v.Explain == nil || v.Explain.Segments == nil {
		return ""
	}
	s := v.Explain.Segments
	return fmt.Sprintf("%s of %s, %s", plural(s.Segments, "segment"), s.Encoding, plural(s.Units, "unit"))
}

// tryView is the page Try.
type tryView struct {
	Event  string        `json:"-"`
	Lines  []previewView `json:"decisions"`
	Tried  bool          `json:"-"`
	Wrong  string        `json:"error,omitempty"`
	Recent []recentView  `json:"recent"`
	Fault  string        `json:"fault,omitempty"` // why there are no recent ones
	Open   bool          `json:"-"`

	Taken string `json:"-"` // where one of the topic's is
	Shown string `json:"-"` // that one, for whom may see it
}

// recentView is one of the last events of the topic, as far as that tells nothing
// of a person.
type recentView struct {
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	At        time.Time `json:"at"`
	Type      string    `json:"type,omitempty"`
	Event     string    `json:"event,omitempty"`
	MessageID string    `json:"messageId,omitempty"`
	Bytes     int       `json:"bytes"`
}

const (
	recentEvents = 20
	recentTime   = 5 * time.Second
)

// try shows the form, and with the option recent the topic's last events.
func (d *Desk) try(r *http.Request) (page, error) {
	v := tryView{Lines: []previewView{}, Recent: []recentView{}}
	for name := range r.URL.Query() {
		if name != "recent" {
			return page{}, bad("There is no option " + name + ": recent is known.")
		}
	}
	if r.FormValue("recent") != "" {
		v.Open = true
		var err error
		if v.Recent, err = d.recent(r.Context()); err != nil {
			v.Recent, v.Fault = []recentView{}, d.faultOf(r.Context(), err).Words
		}
	}
	return page{Title: "Try", Section: "try", View: v}, nil
}

// recent are the last events of the source.
func (d *Desk) recent(ctx context.Context) ([]recentView, error) {
	if !d.enter() {
		return nil, busy("Others are looking things up.")
	}
	defer d.leave()
	ctx, cancel := context.WithTimeout(ctx, recentTime)
	defer cancel()
	last, err := tail.New(ctx, d.letters.Cluster, d.o.Config.Kafka.Topic)
	if err != nil {
		return nil, err
	}
	messages, err := last.Last(ctx, recentEvents, func(m *kafka.Message) bool { return m.Value != nil })
	if err != nil {
		return nil, err
	}
	all := make([]recentView, 0, len(messages))
	for _, m := range messages {
		var said struct{ Type, Event, MessageID string }
		_ = json.Unmarshal(m.Value, &said) // what is no event says nothing
		const most = 80
		all = append(all, recentView{m.Partition, m.Offset, m.Time, short(most, said.Type), short(most, said.Event), d.veiled(short(most, said.MessageID)), len(m.Value)})
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, nil
}

// tryPosted shows what each action makes of an event that is given, or of one of
// the topic's.
func (d *Desk) tryPosted(w http.ResponseWriter, r *http.Request) {
	value := []byte(r.PostFormValue("event"))
	v := tryView{Event: string(value), Tried: true}
	if place := r.PostFormValue("take"); place != "" {
		var err error
		if value, err = d.taken(r.Context(), place); err != nil {
			d.fail(w, r, err)
			return
		}
		d.o.Log.Info().Str("who", who(r)).Str("event", place).Msg("an event's content is looked at")
		v.Event, v.Taken, v.Shown = "", place, d.pretty(value)
	} else if json.Valid(value) { // what could turn writing around is escaped, and stays the same event
		v.Event = string(terminal.EscapeJSON(value))
	}
	status := http.StatusOK
	switch {
	case len(bytes.TrimSpace(value)) == 0:
		v.Wrong, status = "Paste an event: a JSON object.", http.StatusBadRequest
	case len(value) > eventBytes && v.Taken == "":
		v.Wrong, status = "The event is longer than a mebibyte.", http.StatusRequestEntityTooLarge
	case !d.enter():
		v.Wrong, status = "Others are looking things up. Try again in a moment.", http.StatusServiceUnavailable
	default:
		defer d.leave()
		ctx, cancel := context.WithTimeout(r.Context(), preview.LookupTime)
		defer cancel()
		if err := d.preview.Event(ctx, value, true, func(line preview.Line) error {
			v.Lines = append(v.Lines, d.viewOf(line))
			return nil
		}); err != nil {
			v.Wrong, status = "The look-ups take too long now. Try again.", http.StatusGatewayTimeout
		}
	}
	d.show(w, r, status, "try", page{Title: "Try", Section: "try", View: v})
}

// taken is an event of the source, by its "partition/offset".
func (d *Desk) taken(ctx context.Context, place string) ([]byte, error) {
	first, second, _ := strings.Cut(place, "/")
	partition, err := strconv.Atoi(first)
	offset, errOffset := strconv.ParseInt(second, 10, 64)
	if err != nil || errOffset != nil || partition < 0 || offset < 0 {
		return nil, bad(fmt.Sprintf("%q is no partition/offset.", place))
	}
	ctx, cancel := context.WithTimeout(ctx, recentTime)
	defer cancel()
	last, err := tail.New(ctx, d.letters.Cluster, d.o.Config.Kafka.Topic)
	if err != nil {
		return nil, err
	}
	m, ok, err := last.At(ctx, partition, offset)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &fault{http.StatusNotFound, "There is no such event any more.", "Take another one: the topic's retention deleted it."}
	}
	return m.Value, nil
}
