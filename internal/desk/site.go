package desk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"engage-worker/internal/desk/guard"
	"engage-worker/internal/terminal"
)

//go:embed templates/* static/*
var files embed.FS

// site is what the pages are made of.
type site struct {
	pages  map[string]*template.Template // by name: the layout with it
	static map[string][]byte             // by the path of the address, which has a hash in it
	paths  map[string]string             // of the static files, by name
}

// newSite reads what is in the program. An error is a mistake in that.
func newSite() (*site, error) {
	s := &site{pages: map[string]*template.Template{}, static: map[string][]byte{}, paths: map[string]string{}}
	statics, err := fs.Glob(files, "static/*")
	if err != nil {
		return nil, err
	}
	for _, name := range statics {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		name = path.Base(name)
		s.paths[name] = "/static/" + hex.EncodeToString(sum[:6]) + "/" + name
		s.static[s.paths[name]] = content
	}
	pages, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range pages {
		if strings.HasPrefix(path.Base(name), "_") {
			continue // a part of others
		}
		t, err := template.New("_layout.html").Funcs(words()).Funcs(template.FuncMap{"static": s.path}).ParseFS(files, "templates/_*.html", name)
		if err != nil {
			return nil, fmt.Errorf("the desk's page %s: %w", name, err)
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return s, nil
}

func (s *site) path(name string) (string, error) {
	if p := s.paths[name]; p != "" {
		return p, nil
	}
	return "", fmt.Errorf("there is no file %s", name)
}

// serveStatic serves what never changes under its address.
func (s *site) serveStatic(w http.ResponseWriter, r *http.Request) {
	content, ok := s.static[r.URL.Path]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	w.Header().Set("Content-Type", types[path.Ext(r.URL.Path)])
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	if _, err := w.Write(content); err != nil {
		return // whoever asked has gone
	}
}

// page is what the layout is made of.
type page struct {
	Title   string
	Section string // of the navigation
	Live    bool   // it asks for itself again when something changes
	Refresh int    // it does so after so many seconds, without script
	View    any    // of the page itself

	// Set by show.
	Session  *guard.Session
	ReadOnly bool
	Unmask   bool
	Version  string
	Address  string // of this page
	State    state
}

// show answers with a page.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Session, p.ReadOnly, p.Unmask, p.Version = guard.Of(r.Context()), d.o.ReadOnly, d.o.Unmask, d.o.Version
	p.Address = r.URL.RequestURI()
	if p.Session != nil {
		p.State = d.state()
	}
	var html bytes.Buffer
	if err := d.site.pages[name].Execute(&html, p); err != nil {
		d.o.Log.Error().Err(err).Str("page", name).Msg("a page can't be made")
		http.Error(w, "The page can't be made; the desk's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// In the whole answer, so that it is forgotten nowhere.
	if _, err := io.WriteString(w, terminal.PlainLines(html.String())); err != nil {
		d.o.Log.Debug().Err(err).Msg("writing an answer") // whoever asked has gone
	}
}
