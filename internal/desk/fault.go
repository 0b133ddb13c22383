package desk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"engage-worker/internal/desk/replays"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/terminal"
)

// fault is an answer that something can't be shown or done.
type fault struct {
	Status int    `json:"-"`
	Words  string `json:"error"`
	WayOut string `json:"wayOut,omitempty"`
}

func (f *fault) Error() string { return f.Words }

func bad(words string) error { return &fault{Status: http.StatusBadRequest, Words: words} }

func busy(words string) error {
	return &fault{Status: http.StatusServiceUnavailable, Words: words, WayOut: "Try again in a moment."}
}

// moved is an answer that goes on at another address.
type moved struct{ to string }

func (m *moved) Error() string { return "see " + m.to }

// faultOf is what an error is for whoever asked.
func (d *Desk) faultOf(ctx context.Context, err error) *fault {
	var own *fault
	var ambiguous *store.AmbiguousError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &ambiguous):
		ids := strings.Join(ambiguous.IDs, ", ")
		if ambiguous.More {
			ids += ", and more"
		}
		return &fault{http.StatusMultipleChoices, "That is the beginning of several ids: " + ids + ".", "Write more of the id."}
	case errors.Is(err, store.ErrUnknown):
		return &fault{http.StatusNotFound, "No dead letter has such an id.", "It may be older than the topic keeps them, or beyond what the desk has room for. The list of dead letters shows those that are there."}
	case errors.Is(err, replays.ErrUnknown):
		return &fault{http.StatusNotFound, "There is no such replay.", "The list of replays shows those that are known."}
	case errors.Is(err, replays.ErrState):
		return &fault{http.StatusConflict, "The replay isn't in a state for that: somebody was first, or it has ended.", "Its page shows how far it is."}
	case errors.Is(err, replays.ErrBusy):
		return &fault{http.StatusServiceUnavailable, "Too many replays are under way here.", "Wait for one to end, or stop one."}
	case errors.Is(err, replays.ErrLoading):
		return &fault{http.StatusServiceUnavailable, "The topics are still being read.", "Try again in a moment."}
	case errors.Is(err, replays.ErrTooMany):
		return &fault{http.StatusBadRequest, capital(err.Error()) + ".", ""}
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{http.StatusGatewayTimeout, "That takes too long now.", "Choose less, or try again when Kafka is well."}
	case ctx.Err() != nil:
		return &fault{http.StatusServiceUnavailable, "The desk is ending.", ""}
	}
	return &fault{http.StatusBadGateway, d.letters.Explain(err), ""}
}

// refuse answers with a fault where the guard lets nothing through.
func (d *Desk) refuse(w http.ResponseWriter, r *http.Request, status int, words string) {
	d.fail(w, r, &fault{Status: status, Words: words})
}

// fail answers with an error: as JSON below /api, else as a page.
func (d *Desk) fail(w http.ResponseWriter, r *http.Request, err error) {
	if m, ok := errors.AsType[*moved](err); ok {
		http.Redirect(w, r, m.to, http.StatusSeeOther)
		return
	}
	f := d.faultOf(r.Context(), err)
	if f.Status >= http.StatusInternalServerError {
		d.o.Log.Warn().Err(err).Str("path", r.URL.Path).Int("status", f.Status).Msg("a page can't be shown")
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		d.writeJSON(w, f.Status, f)
		return
	}
	d.show(w, r, f.Status, "fault", page{Title: http.StatusText(f.Status), View: f})
}

// writeJSON answers with a value; what could drive a terminal is escaped in it.
func (d *Desk) writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(terminal.JSON{To: w})
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		d.o.Log.Debug().Err(err).Msg("writing an answer") // whoever asked has gone
	}
}
