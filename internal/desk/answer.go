package desk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"engage-worker/internal/desk/guard"
	"engage-worker/internal/desk/pages"
	"engage-worker/internal/terminal"
)

// framed is what the layout is made of: a page, and what it stands in.
type framed struct {
	pages.Page
	Session  *guard.Session
	ReadOnly bool
	Address  string // of this page
	State    state
}

// show answers with a page.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, name string, p pages.Page) {
	framed := framed{Page: p, Session: guard.Of(r.Context()), ReadOnly: d.o.ReadOnly, Address: r.URL.RequestURI()}
	if framed.Session != nil {
		framed.State = d.state()
	}
	var html bytes.Buffer
	if err := d.site.Page(&html, name, framed); err != nil {
		d.o.Log.Error().Err(err).Str("page", name).Msg("a page can't be made")
		http.Error(w, "The page can't be made; the desk's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(cmp.Or(p.Status, http.StatusOK))
	// In the whole answer, so that it is forgotten nowhere.
	if _, err := io.WriteString(w, terminal.PlainLines(html.String())); err != nil {
		d.o.Log.Debug().Err(err).Msg("writing an answer") // whoever asked has gone
	}
}

// refuse answers with a fault where the guard lets nothing through.
func (d *Desk) refuse(w http.ResponseWriter, r *http.Request, status int, words string) {
	d.fail(w, r, &pages.Fault{Status: status, Words: words})
}

// fail answers with an error: as JSON below /api, else as a page.
func (d *Desk) fail(w http.ResponseWriter, r *http.Request, err error) {
	if m, ok := errors.AsType[*pages.Moved](err); ok {
		http.Redirect(w, r, m.To, http.StatusSeeOther)
		return
	}
	f := d.pages.Fault(r.Context(), err)
	if f.Status >= http.StatusInternalServerError {
		d.o.Log.Warn().Err(err).Str("path", r.URL.Path).Int("status", f.Status).Msg("a page can't be shown")
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		d.writeJSON(w, f.Status, f)
		return
	}
	d.show(w, r, "fault", pages.Page{Title: http.StatusText(f.Status), Status: f.Status, View: f})
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
