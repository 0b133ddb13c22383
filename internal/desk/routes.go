package desk

import (
	"context"
	"io"
	"net/http"
	"strings"

	"engage-worker/internal/desk/pages"
)

// shown is a page's way: its view, which the template of the name shows, and /api
// gives as JSON.
type shown struct {
	path, name string
	view       func(r *http.Request) (pages.Page, error)
	unloaded   bool // it is of use before the topics are read
}

func (d *Desk) shown() []shown {
	return []shown{
		{"/{$}", "overview", d.pages.Overview, false},
		{"/dead-letters", "letters", d.pages.List, false},
		{"/dead-letters/{id}", "letter", d.pages.Letter, false},
		{"/replays", "replays", d.pages.ReplayList, false},
		{"/replays/{id}", "replay", d.pages.Replay, false},
		{"/trace", "trace", d.pages.Trace, true},
		{"/try", "try", d.pages.Try, true},
	}
}

// routes is who answers what.
func (d *Desk) routes() http.Handler {
	inside := http.NewServeMux()
	for _, s := range d.shown() {
		inside.HandleFunc("GET "+s.path, func(w http.ResponseWriter, r *http.Request) { d.asPage(w, r, s) })
		inside.HandleFunc("GET /api"+strings.Replace(s.path, "/{$}", "/overview", 1), func(w http.ResponseWriter, r *http.Request) { d.asJSON(w, r, s) })
	}
	inside.HandleFunc("GET /events", d.events)
	for _, path := range []string{"/dead-letters.csv", "/dead-letters.jsonl"} {
		inside.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := d.pages.Export(w, r); err != nil {
				d.fail(w, r, err)
			}
		})
	}
	for _, s := range []shown{{"/dead-letters/{id}", "letter", d.pages.Reveal, true}, {"/try", "try", d.pages.Tried, true}} {
		inside.HandleFunc("POST "+s.path, func(w http.ResponseWriter, r *http.Request) { d.asPage(w, r, s) })
	}
	inside.HandleFunc("POST /sign-out", d.signOut)
	for path, write := range map[string]func(*http.Request) (next string, err error){
		"POST /dead-letters/dismiss": d.pages.Dismiss,
		"POST /replays":              d.pages.Plan,
		"POST /replays/{id}/start":   d.pages.Start,
		"POST /replays/{id}/stop":    d.pages.Stop,
	} {
		inside.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { d.write(w, r, write) })
	}
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, &pages.Fault{Status: http.StatusNotFound, Words: "There is no such page."})
	})

	outside := http.NewServeMux()
	outside.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "alive\n") })
	outside.HandleFunc("GET /static/", d.site.Static)
	outside.HandleFunc("GET /sign-in", d.signInPage)
	outside.HandleFunc("POST /sign-in", d.signIn)
	outside.Handle("/", d.guard.Inside(d.methods(inside), http.HandlerFunc(d.stranger)))
	return d.guard.Outside(limited(outside))
}

// limited bounds what a request's body may hold.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(formBytes)
		if r.URL.Path == "/try" {
			most = 3*pages.EventBytes + formBytes // a form writes most characters of JSON as three
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// methods answers as a page where an address has no such method.
func (d *Desk) methods(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "/" && r.Method != http.MethodGet && r.Method != http.MethodHead {
			d.fail(w, r, &pages.Fault{Status: http.StatusMethodNotAllowed, Words: "That can't be done here."})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// asPage answers with a page, or says how far the reading is.
func (d *Desk) asPage(w http.ResponseWriter, r *http.Request, s shown) {
	if !s.unloaded && !d.store.Progress().Loaded {
		d.show(w, r, "loading", pages.Page{Title: "Reading the topics", Section: s.name, Live: true, Refresh: 2})
		return
	}
	p, err := d.within(r, s.view)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.show(w, r, s.name, p)
}

// within makes a view in the time that there is for it.
func (d *Desk) within(r *http.Request, view func(*http.Request) (pages.Page, error)) (pages.Page, error) {
	ctx, cancel := context.WithTimeout(r.Context(), pages.Time)
	defer cancel()
	return view(r.WithContext(ctx))
}

// asJSON answers with a page's view.
func (d *Desk) asJSON(w http.ResponseWriter, r *http.Request, s shown) {
	if !s.unloaded && !d.store.Progress().Loaded {
		w.Header().Set("Retry-After", "2")
		d.writeJSON(w, http.StatusServiceUnavailable, struct {
			pages.Fault
			Progress state `json:"progress"`
		}{pages.Fault{Words: "the topics are still being read"}, d.state()})
		return
	}
	p, err := d.within(r, s.view)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.writeJSON(w, http.StatusOK, p.View)
}

// write does what changes something, and goes on to a page.
func (d *Desk) write(w http.ResponseWriter, r *http.Request, write func(*http.Request) (next string, err error)) {
	if d.o.ReadOnly {
		d.fail(w, r, &pages.Fault{Status: http.StatusForbidden, Words: "This desk only shows: it was started with --read-only.", WayOut: "Use another desk, or `engage-worker dlq`."})
		return
	}
	if !d.store.Progress().Loaded {
		d.fail(w, r, pages.Busy("The topics are still being read."))
		return
	}
	next, err := write(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}
