package pages

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"engage-worker/actions/trigger"
	"engage-worker/deadletter"
	"engage-worker/internal/desk/query"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/desk/words"
	"engage-worker/internal/letters"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
	"engage-worker/internal/trace"
)

// Fact is a name and what is known under it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// letterView is the page of one dead letter.
type letterView struct {
	ID      string             `json:"id"`
	Reason  string             `json:"reason"`
	State   deadletter.State   `json:"state"`
	Why     string             `json:"why"`
	What    string             `json:"whatHappened,omitempty"`
	Code    int                `json:"twilioCode,omitempty"`
	Meaning string             `json:"twilioMeaning,omitempty"`
	Mend    string             `json:"whatMendsIt,omitempty"`
	InWords string             `json:"stateInWords"`
	End     string             `json:"kindOfEnd,omitempty"`
	Facts   []Fact             `json:"facts"`
	Deaths  []store.Death      `json:"deaths"`
	Replays []deadletter.Audit `json:"replays"`
	Look    *lookView          `json:"history,omitempty"` // nil: it isn't asked for
	Named   bool               `json:"-"`                 // it can be
	Partly  string             `json:"partly,omitempty"`  // what couldn't be read
	Trace   string             `json:"-"`                 // the address of the page Trace
	Bytes   int                `json:"eventBytes"`

	Revealed bool       `json:"-"`
	Event    string     `json:"-"`
	Headers  []Fact     `json:"-"`
	Now      []compared `json:"-"`
	NowFault string     `json:"-"`
	Group    string     `json:"-"` // the address of those that died alike
	Replay   string     `json:"-"` // the address to send it again from
	CanClose bool       `json:"-"`
	CanOpen  bool       `json:"-"`
}

// Letter shows one dead letter, but for what it holds of its event.
func (p *Pages) Letter(r *http.Request) (Page, error) {
	for name := range r.URL.Query() {
		if name != "history" {
			return Page{}, bad("There is no option " + name + ": history is known.")
		}
	}
	detail, err := p.store.Letter(r.Context(), r.PathValue("id"))
	if err != nil {
		return Page{}, err
	}
	v := p.letterOf(detail)
	shown := Page{Title: "Dead letter " + v.ID, Section: "letters", Live: true}
	if v.Look = p.history(r, detail.Record); v.Look != nil && v.Look.Looking {
		shown.Refresh = 1
	}
	shown.View = v
	return shown, nil
}

// young is what age of an event its history is looked for at without being asked
// for: all that was written since then is read for it.
const young = 6 * time.Hour

// history is what the topics tell of a letter's event, nil where they don't know it
// by a name, or where nobody asks.
func (p *Pages) history(r *http.Request, letter *deadletter.Record) *lookView {
	if letter.MessageID == "" || r.FormValue("history") == "" && p.now().Sub(begun(letter)) > young {
		return nil
	}
	look := p.look(r.Context(), "letter\x00"+letter.ID(), trace.Query{MessageID: letter.MessageID, Since: begun(letter)})
	return &look
}

// begun is a time before all that has to do with a letter: its event's record, or
// where that isn't told, the longest that a worker holds one.
func begun(r *deadletter.Record) time.Time {
	first := cmp.Or(r.Timestamp, r.FirstFailedAt, r.FailedAt())
	if r.Timestamp.IsZero() || r.Replays > 0 {
		return first.Add(-7 * day)
	}
	return first.Add(-time.Minute)
}

func (p *Pages) letterOf(detail *store.Detail) letterView {
	r := detail.Record
	in := letters.Explain(r)
	v := letterView{
		ID: r.ID(), Reason: r.Reason, State: r.State, Why: in.Means, What: p.veiled(r.Message), Code: r.TwilioCode, Meaning: in.Code, Mend: in.Mend,
		InWords: in.State, End: in.End, Named: r.MessageID != "", Partly: detail.Partly, Replays: detail.Replays, Bytes: len(r.Value), Deaths: detail.Deaths,
	}
	fact := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, Fact{name, p.veiled(value)})
		}
	}
	fact("Destination", r.Destination)
	fact("Action", r.Action)
	fact("Region", r.Region)
	fact("Recipient", r.Recipient)
	fact("User id", r.UserID)
	fact("Message id", r.MessageID)
	fact("Attempts", letters.Number(r.DeliveryCount))
	fact("First failed", words.When(r.FirstFailedAt))
	fact("Last failed", words.When(r.LastFailedAt))
	fact("HTTP status", letters.Number(r.TwilioStatus))
	fact("Twilio request", r.RequestID)
	fact("Twilio message", r.TwilioSID)
	fact("Group", r.Group)
	if r.Topic != "" {
		fact("Event at", deadletter.Origin(r.Topic, r.Partition, r.Offset))
		fact("Event written", words.When(r.Timestamp))
	}
	fact("First seen at", r.Origin)
	fact("Dead letter at", r.Position.String())
	v.Group = query.Address("/dead-letters", url.Values{"destination": {r.Destination}, "action": {r.Action}, "reason": {r.Reason}})
	if r.Action == "" {
		v.Group = query.Address("/dead-letters", url.Values{"destination": {r.Destination}, "reason": {r.Reason}})
	}
	v.Replay = query.Address("/replays", url.Values{"id": {v.ID}})
	v.CanClose, v.CanOpen = letters.Dismissible(r.State, false), letters.Dismissible(r.State, true)
	if id := r.MessageID; id != "" && p.veiled(id) == id {
		v.Trace = query.Address("/trace", url.Values{"message-id": {id}, "since": {begun(r).UTC().Format(time.RFC3339)}})
	}
	return v
}

// Reveal shows a dead letter with its event and what would be sent now. Who looks
// is logged.
func (p *Pages) Reveal(r *http.Request) (Page, error) {
	detail, err := p.store.Letter(r.Context(), r.PathValue("id"))
	if err != nil {
		return Page{}, err
	}
	v := p.letterOf(detail)
	p.log.Info().Str("who", who(r)).Str("deadLetter", v.ID).Msg("an event's content is looked at")
	v.Revealed, v.Event, v.Look = true, p.pretty(detail.Record.Value), p.history(r, detail.Record)
	for _, h := range detail.Record.Headers {
		v.Headers = append(v.Headers, Fact{h.Key, p.veiled(text(h.Value))})
	}
	v.Now, v.NowFault = p.sentNow(r.Context(), detail.Record)
	return Page{Title: "Dead letter " + v.ID, Section: "letters", View: v}, nil
}

// pretty is an event, laid out.
func (p *Pages) pretty(value []byte) string {
	switch {
	case value == nil:
		return "(the value is null)"
	case len(value) == 0:
		return "(the value is empty)"
	}
	unframed, err := trigger.Unframed(value)
	var pretty bytes.Buffer
	if err == nil {
		err = json.Indent(&pretty, unframed, "", "  ")
	}
	if err != nil {
		const most = 8000
		return "(not JSON, " + words.Plural(len(value), "byte") + ")\n" + p.veiled(words.Short(most, text(value)))
	}
	return p.veiled(string(terminal.EscapeJSON(pretty.Bytes())))
}

// text is b as text, or in base64 when it isn't any.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(b)
}

// compared is what would be sent now beside what is known of what was to be.
type compared struct {
	Line previewView
	Rows []difference
}

// difference is a fact then and now.
type difference struct {
	Name, Then, Now string
	Differs         bool
}

// sentNow is what the configuration at hand makes of a letter's event.
func (p *Pages) sentNow(ctx context.Context, r *deadletter.Record) (all []compared, faultWords string) {
	if !p.lookups.TryAcquire(1) {
		return nil, "Others are looking things up; try again in a moment."
	}
	defer p.lookups.Release(1)
	ctx, cancel := context.WithTimeout(ctx, preview.LookupTime)
	defer cancel()
	lines, err := p.preview.Letter(ctx, r.Destination, r.Action, r.Value)
	if err != nil {
		return nil, words.Capital(p.veiled(err.Error())) + "."
	}
	for _, line := range lines {
		c := compared{Line: p.viewOf(line)}
		row := func(name, then, now string) {
			if then != "" || now != "" {
				c.Rows = append(c.Rows, difference{name, then, now, then != now})
			}
		}
		to := ""
		if line.Request != nil {
			to = p.masked(line.Request.Field("To"))
		}
		row("Decision", "fail: "+strings.ReplaceAll(r.Reason, "_", " "), strings.ReplaceAll(line.Verdict(), "_", " "))
		row("Action", cmp.Or(r.Action, line.Action), line.Action)
		row("Region", cmp.Or(r.Region, line.Region), line.Region)
		row("Recipient", cmp.Or(r.Recipient, to), to)
		all = append(all, c)
	}
	return all, ""
}

// Dismiss closes letters, or opens them again.
func (p *Pages) Dismiss(r *http.Request) (next string, err error) {
	if err := r.ParseForm(); err != nil {
		return "", bad("The form can't be read: " + err.Error() + ".")
	}
	form := url.Values{}
	for name, values := range r.PostForm {
		if name != "form" && name != "why" && name != "reopen" && name != "back" {
			form[name] = values
		}
	}
	q, err := p.parse(form, "id")
	if err != nil {
		return "", err
	}
	if !q.Chosen() {
		return "", bad("Choose which dead letters: all of them are too many to close at once.")
	}
	why, err := letters.Because(r.PostFormValue("why"))
	if err != nil {
		return "", bad(words.Capital(err.Error()) + ".")
	}
	reopen := r.PostFormValue("reopen") != ""
	n, err := p.replays.Dismiss(r.Context(), q.Filter, who(r), why, reopen)
	if err != nil {
		return "", err
	}
	p.log.Info().Str("who", who(r)).Int("letters", n).Bool("reopen", reopen).Msg("dead letters are dismissed")
	return query.Within(r.PostFormValue("back")), nil
}
