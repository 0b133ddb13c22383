package pages

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"engage-worker/internal/desk/traces"
	"engage-worker/internal/desk/words"
	"engage-worker/internal/letters"
	"engage-worker/internal/trace"
)

// lookView is how far a look is, and what it found.
type lookView struct {
	Looking bool   `json:"looking"`
	Done    int64  `json:"done,omitempty"` // offsets
	Total   int64  `json:"total,omitempty"`
	Fault   string `json:"fault,omitempty"`
	trace.Timeline
}

// look waits a little for what a query finds.
func (p *Pages) look(ctx context.Context, key string, q trace.Query) lookView {
	line, far, err := p.traces.Look(ctx, key, q)
	v := lookView{Done: far.Done, Total: far.Total, Timeline: trace.Timeline{Steps: []trace.Step{}}}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		v.Fault = "Looking took longer than " + words.Lasting(traces.Longest) + ". Look less far back."
	case err != nil:
		v.Fault = p.letters.Explain(err)
	case line == nil:
		v.Looking = true
	default:
		v.Events, v.More = line.Events, line.More
		for _, s := range line.Steps {
			s.Detail, s.UserID, s.MessageID = p.veiled(s.Detail), p.veiled(s.UserID), p.veiled(s.MessageID)
			v.Steps = append(v.Steps, s)
		}
	}
	return v
}

// Percent is how much was looked through.
func (v lookView) Percent() int {
	if v.Total <= 0 {
		return 0
	}
	return int(100 * min(v.Done, v.Total) / v.Total)
}

// traceView is the page Trace.
type traceView struct {
	MessageID string    `json:"messageId,omitempty"`
	User      string    `json:"user,omitempty"`
	To        string    `json:"to,omitempty"`
	Since     string    `json:"since"`
	Asked     bool      `json:"-"`
	Look      *lookView `json:"timeline,omitempty"`
}

// Trace shows what became of an event, a person or a number.
func (p *Pages) Trace(r *http.Request) (Page, error) {
	v := traceView{Since: "24h"}
	for name, given := range r.URL.Query() {
		into := map[string]*string{"message-id": &v.MessageID, "user": &v.User, "to": &v.To, "since": &v.Since}[name]
		switch {
		case into == nil:
			return Page{}, bad("There is no option " + name + ": message-id, user, to and since are known.")
		case len(given) > 1:
			return Page{}, bad(name + " stands there twice.")
		case given[0] != "":
			*into = strings.TrimSpace(given[0])
		}
	}
	shown := Page{Title: "Trace", Section: "trace"}
	asked := 0
	for _, text := range []string{v.MessageID, v.User, v.To} {
		if text != "" {
			asked++
		}
	}
	since, err := letters.ParseTime(v.Since, p.now(), time.UTC)
	const leastDigits = 5
	switch {
	case err != nil:
		return Page{}, bad("since: " + err.Error())
	case asked > 1:
		return Page{}, bad("A trace is of a message id, of a user or of a number: give one of them.")
	case v.To != "" && digits(v.To) < leastDigits:
		return Page{}, bad("That is no phone number: it needs at least 5 digits.")
	}
	if asked == 1 {
		look := p.look(r.Context(), strings.Join([]string{v.MessageID, v.User, v.To, v.Since}, "\x00"), trace.Query{MessageID: v.MessageID, User: v.User, To: v.To, Since: since})
		v.Look, v.Asked = &look, true
		if look.Looking {
			shown.Live, shown.Refresh = true, 1
		}
	}
	shown.View = v
	return shown, nil
}

func digits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}
