package site

import (
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
)

//go:embed templates/* static/*
var files embed.FS

// Site is what the pages are made of. It is safe for concurrent use.
type Site struct {
	pages  map[string]*template.Template // by name: the layout with it
	static map[string][]byte             // by the path of the address, which has a hash in it
	paths  map[string]string             // of the static files, by name
}

// New reads what is in the program. An error is a mistake in that.
func New() (*Site, error) {
	s := &Site{pages: map[string]*template.Template{}, static: map[string][]byte{}, paths: map[string]string{}}
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
		t, err := template.New("_layout.html").Funcs(funcs()).Funcs(template.FuncMap{"static": s.path}).ParseFS(files, "templates/_*.html", name)
		if err != nil {
			return nil, fmt.Errorf("the desk's page %s: %w", name, err)
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return s, nil
}

func (s *Site) path(name string) (string, error) {
	if p := s.paths[name]; p != "" {
		return p, nil
	}
	return "", fmt.Errorf("there is no file %s", name)
}

// Static serves what never changes under its address.
func (s *Site) Static(w http.ResponseWriter, r *http.Request) {
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

// Page writes the page of a name, with what its layout and it are made of.
func (s *Site) Page(w io.Writer, name string, of any) error {
	return s.pages[name].Execute(w, of)
}
