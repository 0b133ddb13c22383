package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/desk/words"
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
	Fields  []Fact   `json:"-"` // of the request
	Why     []string `json:"-"`
}

func (p *Pages) viewOf(line preview.Line) previewView {
	v := previewView{Line: line}
	if line.Request != nil {
		v.To, v.From = p.masked(line.Request.Field("To")), line.Request.Field("From")
		if v.From == "" {
			v.From = line.Request.Field("MessagingServiceSid")
		}
		v.Body = p.veiled(line.Request.Field("Body"))
		if sid := line.Request.Field("ContentSid"); sid != "" {
			v.Content = strings.TrimSpace(sid + " " + p.veiled(line.Request.Field("ContentVariables")))
		}
		for _, f := range line.Request.Form {
			value := p.veiled(f[1])
			switch f[0] {
			case "MediaUrl":
				v.Media = append(v.Media, value)
			case "To":
				value = v.To
			}
			v.Fields = append(v.Fields, Fact{f[0], value})
		}
	}
	if line.Error != nil {
		v.Why = append(v.Why, p.veiled(line.Error.Message))
	}
	if x := line.Explain; x != nil {
		for _, why := range []string{x.Trigger, x.Recipient, x.Template} {
			if why != "" {
				v.Why = append(v.Why, p.veiled(why))
			}
		}
	}
	return v
}

// Segments is what the message's text costs, in words.
func (v previewView) Segments() string {
	if v.Explain == nil || v.Explain.Segments == nil {
		return ""
	}
	s := v.Explain.Segments
	return fmt.Sprintf("%s of %s, %s", words.Plural(s.Segments, "segment"), s.Encoding, words.Plural(s.Units, "unit"))
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

// Try shows the form, and with the option recent the topic's last events.
func (p *Pages) Try(r *http.Request) (Page, error) {
	v := tryView{Lines: []previewView{}, Recent: []recentView{}}
	for name := range r.URL.Query() {
		if name != "recent" {
			return Page{}, bad("There is no option " + name + ": recent is known.")
		}
	}
	if r.FormValue("recent") != "" {
		v.Open = true
		var err error
		if v.Recent, err = p.recent(r.Context()); err != nil {
			v.Recent, v.Fault = []recentView{}, p.Fault(r.Context(), err).Words
		}
	}
	return Page{Title: "Try", Section: "try", View: v}, nil
}

// recent are the last events of the source.
func (p *Pages) recent(ctx context.Context) ([]recentView, error) {
	if !p.lookups.TryAcquire(1) {
		return nil, Busy("Others are looking things up.")
	}
	defer p.lookups.Release(1)
	ctx, cancel := context.WithTimeout(ctx, recentTime)
	defer cancel()
	last, err := tail.New(ctx, p.letters.Cluster, p.cfg.Kafka.Topic)
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
		all = append(all, recentView{m.Partition, m.Offset, m.Time, words.Short(most, said.Type), words.Short(most, said.Event), p.veiled(words.Short(most, said.MessageID)), len(m.Value)})
	}
	slices.Reverse(all)
	return all, nil
}

// Tried shows what each action makes of an event that is given, or of one of the
// topic's.
func (p *Pages) Tried(r *http.Request) (Page, error) {
	value := []byte(r.PostFormValue("event"))
	v := tryView{Event: string(value), Tried: true}
	if place := r.PostFormValue("take"); place != "" {
		var err error
		if value, err = p.taken(r.Context(), place); err != nil {
			return Page{}, err
		}
		p.log.Info().Str("who", who(r)).Str("event", place).Msg("an event's content is looked at")
		v.Event, v.Taken, v.Shown = "", place, p.pretty(value)
	} else if json.Valid(value) { // what could turn writing around is escaped, and stays the same event
		v.Event = string(terminal.EscapeJSON(value))
	}
	status := http.StatusOK
	switch {
	case len(bytes.TrimSpace(value)) == 0:
		v.Wrong, status = "Paste an event: a JSON object.", http.StatusBadRequest
	case len(value) > EventBytes && v.Taken == "":
		v.Wrong, status = "The event is longer than a mebibyte.", http.StatusRequestEntityTooLarge
	case !p.lookups.TryAcquire(1):
		v.Wrong, status = "Others are looking things up. Try again in a moment.", http.StatusServiceUnavailable
	default:
		defer p.lookups.Release(1)
		ctx, cancel := context.WithTimeout(r.Context(), preview.LookupTime)
		defer cancel()
		if err := p.preview.Event(ctx, value, true, func(line preview.Line) error {
			v.Lines = append(v.Lines, p.viewOf(line))
			return nil
		}); err != nil {
			v.Wrong, status = "The look-ups take too long now. Try again.", http.StatusGatewayTimeout
		}
	}
	return Page{Title: "Try", Section: "try", Status: status, View: v}, nil
}

// taken is an event of the source, by its "partition/offset".
func (p *Pages) taken(ctx context.Context, place string) ([]byte, error) {
	first, second, _ := strings.Cut(place, "/")
	partition, err := strconv.Atoi(first)
	offset, errOffset := strconv.ParseInt(second, 10, 64)
	if err != nil || errOffset != nil || partition < 0 || offset < 0 {
		return nil, bad(fmt.Sprintf("%q is no partition/offset.", place))
	}
	ctx, cancel := context.WithTimeout(ctx, recentTime)
	defer cancel()
	last, err := tail.New(ctx, p.letters.Cluster, p.cfg.Kafka.Topic)
	if err != nil {
		return nil, err
	}
	m, ok, err := last.At(ctx, partition, offset)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Fault{http.StatusNotFound, "There is no such event any more.", "Take another one: the topic's retention deleted it."}
	}
	return m.Value, nil
}
