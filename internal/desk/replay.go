package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/fleet"
	"engage-worker/internal/desk/replays"
	"engage-worker/internal/letters"
)

// word is what confirms a replay, as on the command line.
const word = "replay"

// replayView is one replay.
type replayView struct {
	ID         string        `json:"id"`
	State      replays.State `json:"state"`
	By         string        `json:"by"`
	Begun      time.Time     `json:"begun,omitzero"`
	Ended      time.Time     `json:"ended,omitzero"`
	Words      string        `json:"selection"`
	WayOut     string        `json:"wayOut,omitempty"`
	Read       int64         `json:"read,omitempty"` // offsets, while it is planned
	ToRead     int64         `json:"toRead,omitempty"`
	Chosen     int           `json:"chosen,omitempty"`
	Send       int           `json:"send"`
	Later      int           `json:"later,omitempty"`
	Continues  string        `json:"continues,omitempty"`
	PassedOver []passedOver  `json:"passedOver"`
	Reasons    []fleet.Count `json:"reasons,omitempty"`
	Estimate   string        `json:"estimate,omitempty"`
	Segments   int           `json:"segments,omitempty"`
	SegmentsOf int           `json:"segmentsOf,omitempty"`
	Published  int           `json:"published"`
	Left       int           `json:"left"`
	Outcome    []outcomeView `json:"outcome"`
	Err        string        `json:"error,omitempty"`

	Word  string   `json:"-"`
	Again string   `json:"-"` // the address to choose the same again
	Rows  []rowRow `json:"letters,omitempty"`
	Total int      `json:"-"`
}

type passedOver struct {
	Why   deadletter.Why `json:"why"`
	Words string         `json:"words"`
	N     int            `json:"n"`
}

type outcomeView struct {
	State deadletter.State `json:"state"`
	N     int              `json:"n"`
}

// rowRow is one letter of a replay.
type rowRow struct {
	ID     string           `json:"id"`
	State  deadletter.State `json:"state"`
	Why    string           `json:"why,omitempty"`
	Reason string           `json:"reason"`
	Action string           `json:"action"`
	To     string           `json:"recipient,omitempty"`
}

func replayOf(v replays.View) replayView {
	r := replayView{
		ID: v.ID, State: v.State, By: v.By, Begun: v.Begun, Ended: v.Ended, Words: v.Words, WayOut: v.WayOut, Read: v.Read, ToRead: v.ToRead,
		Chosen: v.Chosen, Send: v.Send, Later: v.Later, Continues: v.Continues, Reasons: countsOf(v.Reasons), Segments: v.Segments, SegmentsOf: v.SegmentsOf,
		Published: v.Published, Left: v.Left, Err: v.Err, Word: word, PassedOver: []passedOver{}, Outcome: []outcomeView{},
	}
	if v.Estimate > 0 {
		r.Estimate = lasting(v.Estimate)
	}
	for _, p := range v.PassedOver {
		r.PassedOver = append(r.PassedOver, passedOver(p))
	}
	for _, s := range deadletter.AllStates() {
		if n := v.Outcome[s]; n > 0 {
			r.Outcome = append(r.Outcome, outcomeView{s, n})
		}
	}
	if v.Asked != "" {
		r.Again = "/replays?" + letters.AskAgain(v.Asked)
	}
	return r
}

// Moving reports whether the replay goes on by itself.
func (r replayView) Moving() bool {
	return slices.Contains([]replays.State{replays.Planning, replays.Running, replays.Waiting}, r.State)
}

// Stoppable reports whether Stop does anything.
func (r replayView) Stoppable() bool {
	return r.State == replays.Planning || r.State == replays.Running || r.State == replays.Planned
}

// Percent is how far it is.
func (r replayView) Percent() int {
	switch {
	case r.State == replays.Planning && r.ToRead > 0:
		return int(100 * r.Read / r.ToRead)
	case r.Send > 0:
		return 100 * (r.Send - r.Left) / r.Send
	}
	return 0
}

// replaysView is the page Replays: what may be asked for, and what was.
type replaysView struct {
	Query   *query            `json:"-"`
	Choices map[string]choice `json:"-"`
	Replays []replayView      `json:"replays"`
	Flags   []flagField       `json:"-"`
}

// flagField is a box to tick that takes more letters in.
type flagField struct {
	Name, Words string
	On          bool
}

func flags(q *query) []flagField {
	all := []flagField{
		{Name: "undelivered", Words: "What Twilio accepted and didn't deliver"},
		{Name: "again", Words: "What was replayed and came to nothing"},
		{Name: "ambiguous", Words: "Those of which nobody knows whether they were sent: some people may get the message twice"},
		{Name: "even-if-sent", Words: "Those that may have been sent where neither the ledger nor Twilio can tell any more: some people will get the message twice"},
	}
	for i := range all {
		all[i].On = q.values.Get(all[i].Name) == "true"
	}
	return all
}

// replayOptions are the names of a replay's own options, as `dlq replay` has them.
var replayOptions = []string{"id", "undelivered", "again", "ambiguous", "even-if-sent", "rate", "max-replays", "limit", "columns", "page", "left-out"}

// replayList shows the replays, and the form for another one.
func (d *Desk) replayList(r *http.Request) (page, error) {
	q, err := d.parseQuery(r.URL.Query(), replayOptions...)
	if err != nil {
		return page{}, err
	}
	v := replaysView{Query: q, Choices: d.choices(q), Flags: flags(q), Replays: []replayView{}}
	p := page{Title: "Replays", Section: "replays", Live: true}
	for _, job := range d.replays.Jobs() {
		one := replayOf(job)
		if one.Moving() {
			p.Refresh = 2
		}
		v.Replays = append(v.Replays, one)
	}
	p.View = v
	return p, nil
}

// replay shows one.
func (d *Desk) replay(r *http.Request) (page, error) {
	job, ok := d.replays.Job(r.PathValue("id"))
	if !ok {
		return page{}, replays.ErrUnknown
	}
	v := replayOf(job)
	if v.Published > 0 {
		found, err := d.store.Replayed(r.Context(), job.ID, 0, mostRows/5)
		if err != nil {
			return page{}, err
		}
		v.Total = found.Total
		for _, record := range found.Rows {
			v.Rows = append(v.Rows, rowRow{record.ID(), record.State, record.StateWhy, record.Reason, record.Action, record.Recipient})
		}
	}
	p := page{Title: "Replay " + v.ID, Section: "replays", Live: true, View: v}
	if v.Moving() {
		p.Refresh = 1
	}
	return p, nil
}

// plan begins to plan what a form asks for.
func (d *Desk) plan(r *http.Request) (next string, err error) {
	if err := r.ParseForm(); err != nil {
		return "", bad("The form can't be read: " + err.Error() + ".")
	}
	form := url.Values{}
	for name, values := range r.PostForm {
		if name != "form" {
			form[name] = values
		}
	}
	limit := form.Get("limit")
	delete(form, "limit") // which is a page's where letters are listed
	q, err := d.parseQuery(form, replayOptions...)
	if err != nil {
		return "", err
	}
	o := replays.Options{Filter: q.Filter, Since: q.Since, Until: q.Until, Rate: 20, MaxReplays: 3, By: who(r)}
	for name, into := range map[string]*int{"max-replays": &o.MaxReplays, "limit": &o.Limit} {
		text := q.values.Get(name)
		if name == "limit" {
			text = limit
		}
		if text == "" {
			continue
		}
		if *into, err = strconv.Atoi(text); err != nil || *into < 0 || name == "max-replays" && *into < 1 {
			return "", bad(fmt.Sprintf("%s %q must be a whole number, 1 or more.", name, text))
		}
	}
	const fastest = 100_000
	if text := q.values.Get("rate"); text != "" {
		if o.Rate, err = strconv.ParseFloat(text, 64); err != nil || !(o.Rate >= 0.01 && o.Rate <= fastest) {
			return "", bad(fmt.Sprintf("rate must be from 0.01 to %d events a second.", fastest))
		}
	}
	for name, into := range map[string]*bool{"undelivered": &o.Undelivered, "again": &o.Again, "ambiguous": &o.Ambiguous, "even-if-sent": &o.EvenIfSent} {
		switch text := q.values.Get(name); text {
		case "":
		case "true":
			*into = true
		default:
			return "", bad(name + " is true, or isn't there.")
		}
	}
	// The plan outlives the request that asked for it.
	job, err := d.replays.Plan(context.WithoutCancel(r.Context()), o)
	if err != nil {
		return "", err
	}
	d.o.Log.Info().Str("who", who(r)).Str("replay", job.ID).Msg("a replay is planned")
	return "/replays/" + url.PathEscape(job.ID), nil
}

// start carries a plan out, if the form has the word.
func (d *Desk) start(r *http.Request) (next string, err error) {
	id := r.PathValue("id")
	if strings.TrimSpace(r.PostFormValue("word")) != word {
		return "", bad(fmt.Sprintf("Nothing was replayed: type %q into the field to carry the plan out.", word))
	}
	if err := d.replays.Start(id); err != nil {
		return "", err
	}
	d.o.Log.Info().Str("who", who(r)).Str("replay", id).Msg("a replay is started")
	return "/replays/" + url.PathEscape(id), nil
}

// stop ends a replay after what is on its way.
func (d *Desk) stop(r *http.Request) (next string, err error) {
	id := r.PathValue("id")
	if err := d.replays.Stop(id); err != nil {
		return "", err
	}
	d.o.Log.Info().Str("who", who(r)).Str("replay", id).Msg("a replay is stopped")
	return "/replays/" + url.PathEscape(id), nil
}
