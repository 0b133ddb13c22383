package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/query"
	"engage-worker/internal/desk/replays"
)

// word is what confirms a replay, as on the command line.
const word = "replay"

// replayView is the page of one replay.
type replayView struct {
	replays.View
	Word    string      `json:"-"`
	Letters []letterRow `json:"letters,omitempty"`
	Total   int         `json:"-"`
}

// letterRow is one letter of a replay.
type letterRow struct {
	ID     string           `json:"id"`
	State  deadletter.State `json:"state"`
	Why    string           `json:"why,omitempty"`
	Reason string           `json:"reason"`
	Action string           `json:"action"`
	To     string           `json:"recipient,omitempty"`
}

// replaysView is the page Replays: what may be asked for, and what was.
type replaysView struct {
	Query   *query.Query            `json:"-"`
	Choices map[string]query.Choice `json:"-"`
	Replays []replays.View          `json:"replays"`
	Flags   []flagField             `json:"-"`
}

// flagField is a box to tick that takes more letters in.
type flagField struct {
	Name, Words string
	On          bool
}

func flags(q *query.Query) []flagField {
	all := []flagField{
		{Name: "undelivered", Words: "What Twilio accepted and didn't deliver"},
		{Name: "again", Words: "What was replayed and came to nothing"},
		{Name: "ambiguous", Words: "Those of which nobody knows whether they were sent: some people may get the message twice"},
		{Name: "even-if-sent", Words: "Those that may have been sent where neither the ledger nor Twilio can tell any more: some people will get the message twice"},
	}
	for i := range all {
		all[i].On = q.Get(all[i].Name) == "true"
	}
	return all
}

// replayOptions are the names of a replay's own options, as `dlq replay` has them.
var replayOptions = []string{"id", "undelivered", "again", "ambiguous", "even-if-sent", "rate", "max-replays", "limit", "columns", "page", "left-out"}

// ReplayList shows the replays, and the form for another one.
func (p *Pages) ReplayList(r *http.Request) (Page, error) {
	q, err := p.parse(r.URL.Query(), replayOptions...)
	if err != nil {
		return Page{}, err
	}
	v := replaysView{Query: q, Choices: q.Choices(p.cfg), Flags: flags(q), Replays: p.replays.Jobs()}
	shown := Page{Title: "Replays", Section: "replays", Live: true}
	if slices.ContainsFunc(v.Replays, replays.View.Moving) {
		shown.Refresh = 2
	}
	shown.View = v
	return shown, nil
}

// Replay shows one.
func (p *Pages) Replay(r *http.Request) (Page, error) {
	job, ok := p.replays.Job(r.PathValue("id"))
	if !ok {
		return Page{}, replays.ErrUnknown
	}
	v := replayView{View: job, Word: word}
	if v.Published > 0 {
		found, err := p.store.Replayed(r.Context(), job.ID, 0, query.MostRows/5)
		if err != nil {
			return Page{}, err
		}
		v.Total = found.Total
		for _, record := range found.Rows {
			v.Letters = append(v.Letters, letterRow{record.ID(), record.State, record.StateWhy, record.Reason, record.Action, record.Recipient})
		}
	}
	shown := Page{Title: "Replay " + v.ID, Section: "replays", Live: true, View: v}
	if v.Moving() {
		shown.Refresh = 1
	}
	return shown, nil
}

// Plan begins to plan what a form asks for.
func (p *Pages) Plan(r *http.Request) (next string, err error) {
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
	q, err := p.parse(form, replayOptions...)
	if err != nil {
		return "", err
	}
	o := replays.Options{Filter: q.Filter, Since: q.Since, Until: q.Until, Rate: 20, MaxReplays: 3, By: who(r)}
	for name, into := range map[string]*int{"max-replays": &o.MaxReplays, "limit": &o.Limit} {
		text := q.Get(name)
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
	if text := q.Get("rate"); text != "" {
		if o.Rate, err = strconv.ParseFloat(text, 64); err != nil || !(o.Rate >= 0.01 && o.Rate <= fastest) {
			return "", bad(fmt.Sprintf("rate must be from 0.01 to %d events a second.", fastest))
		}
	}
	for name, into := range map[string]*bool{"undelivered": &o.Undelivered, "again": &o.Again, "ambiguous": &o.Ambiguous, "even-if-sent": &o.EvenIfSent} {
		switch text := q.Get(name); text {
		case "":
		case "true":
			*into = true
		default:
			return "", bad(name + " is true, or isn't there.")
		}
	}
	// The plan outlives the request that asked for it.
	job, err := p.replays.Plan(context.WithoutCancel(r.Context()), o)
	if err != nil {
		return "", err
	}
	p.log.Info().Str("who", who(r)).Str("replay", job.ID).Msg("a replay is planned")
	return "/replays/" + url.PathEscape(job.ID), nil
}

// Start carries a plan out, if the form has the word.
func (p *Pages) Start(r *http.Request) (next string, err error) {
	id := r.PathValue("id")
	if strings.TrimSpace(r.PostFormValue("word")) != word {
		return "", bad(fmt.Sprintf("Nothing was replayed: type %q into the field to carry the plan out.", word))
	}
	if err := p.replays.Start(id); err != nil {
		return "", err
	}
	p.log.Info().Str("who", who(r)).Str("replay", id).Msg("a replay is started")
	return "/replays/" + url.PathEscape(id), nil
}

// Stop ends a replay after what is on its way.
func (p *Pages) Stop(r *http.Request) (next string, err error) {
	id := r.PathValue("id")
	if err := p.replays.Stop(id); err != nil {
		return "", err
	}
	p.log.Info().Str("who", who(r)).Str("replay", id).Msg("a replay is stopped")
	return "/replays/" + url.PathEscape(id), nil
}
