package desk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"engage-worker/internal/desk/guard"
	"engage-worker/internal/desk/pages"
	"engage-worker/internal/desk/store"
)

// state is how far the desk knows what there is.
type state struct {
	store.Progress
	Version uint64    `json:"version"`
	Asked   time.Time `json:"asked,omitzero"` // when the replicas answered last
}

func (d *Desk) state() state {
	version, _ := d.store.Changes()
	return state{d.store.Progress(), version, d.fleet.View().At}
}

// Percent is how much of all is read.
func (s state) Percent() int {
	if s.Total <= 0 {
		return 0
	}
	return int(100 * min(s.Done, s.Total) / s.Total)
}

const (
	pace        = time.Second // at which changes are told
	beat        = 15          // paces between signs of life, and looks whether the session is over
	streamWrite = 10 * time.Second
)

// events tells of changes as they come: each has the state, and a page that wants
// to know more asks for itself again.
func (d *Desk) events(w http.ResponseWriter, r *http.Request) {
	if !d.streams.TryAcquire(1) {
		d.fail(w, r, pages.Busy("Too many pages are open and watch for changes."))
		return
	}
	defer d.streams.Release(1)
	session, out := guard.Of(r.Context()), http.NewResponseController(w)
	if err := out.SetReadDeadline(time.Time{}); err != nil { // nothing more is read, and that may last
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy that would wait for more
	tell := func(format string, args ...any) bool {
		if out.SetWriteDeadline(time.Now().Add(streamWrite)) != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	ticks := time.NewTicker(pace)
	defer ticks.Stop()
	var told state
	for n := 0; ; n++ {
		switch now := d.state(); {
		case now != told || n == 0:
			told = now
			text, err := json.Marshal(now)
			if err != nil || !tell("event: state\ndata: %s\n\n", text) {
				return
			}
		case n%beat == 0:
			if !tell(": still here\n\n") {
				return
			}
		}
		if n%beat == 0 && d.guard.Ended(session) {
			return
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-d.closing:
			return
		}
	}
}
