package pages

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"engage-worker/internal/desk/replays"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/desk/words"
)

// Fault is an answer that something can't be shown or done.
type Fault struct {
	Status int    `json:"-"`
	Words  string `json:"error"`
	WayOut string `json:"wayOut,omitempty"`
}

func (f *Fault) Error() string { return f.Words }

func bad(why string) error { return &Fault{Status: http.StatusBadRequest, Words: why} }

// Busy is a fault that passes.
func Busy(why string) error {
	return &Fault{Status: http.StatusServiceUnavailable, Words: why, WayOut: "Try again in a moment."}
}

// Moved is an answer that goes on at another address.
type Moved struct{ To string }

func (m *Moved) Error() string { return "see " + m.To }

// Fault is what an error is for whoever asked; ctx is the request's.
func (p *Pages) Fault(ctx context.Context, err error) *Fault {
	var own *Fault
	var ambiguous *store.AmbiguousError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &ambiguous):
		ids := strings.Join(ambiguous.IDs, ", ")
		if ambiguous.More {
			ids += ", and more"
		}
		return &Fault{http.StatusMultipleChoices, "That is the beginning of several ids: " + ids + ".", "Write more of the id."}
	case errors.Is(err, store.ErrUnknown):
		return &Fault{http.StatusNotFound, "No dead letter has such an id.", "It may be older than the topic keeps them, or beyond what the desk has room for. The list of dead letters shows those that are there."}
	case errors.Is(err, replays.ErrUnknown):
		return &Fault{http.StatusNotFound, "There is no such replay.", "The list of replays shows those that are known."}
	case errors.Is(err, replays.ErrState):
		return &Fault{http.StatusConflict, "The replay isn't in a state for that: somebody was first, or it has ended.", "Its page shows how far it is."}
	case errors.Is(err, replays.ErrBusy):
		return &Fault{http.StatusServiceUnavailable, "Too many replays are under way here.", "Wait for one to end, or stop one."}
	case errors.Is(err, replays.ErrLoading):
		return &Fault{http.StatusServiceUnavailable, "The topics are still being read.", "Try again in a moment."}
	case errors.Is(err, replays.ErrTooMany):
		return &Fault{http.StatusBadRequest, words.Capital(err.Error()) + ".", ""}
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{http.StatusGatewayTimeout, "That takes too long now.", "Choose less, or try again when Kafka is well."}
	case ctx.Err() != nil:
		return &Fault{http.StatusServiceUnavailable, "The desk is ending.", ""}
	}
	return &Fault{http.StatusBadGateway, p.letters.Explain(err), ""}
}
