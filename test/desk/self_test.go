package desk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What the checks are for, they find: on a page that does all of it wrong.
func TestChecksFind(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/good" {
			io.WriteString(w, `<!doctype html><html lang="en"><title>Good</title><main><h1>Good</h1><p>Nothing is wrong.</p></main></html>`)
			return
		}
		io.WriteString(w, `<!doctype html><html><title>Bad</title><main><h1>Bad</h1>
			<div style="width:2000px">wide</div><input><p style="color:#ccc;background:#fff">pale</p>
			<img alt="" src="`+elsewhere.URL+`/x.png">
			<script>console.error("oh"); alert("hello"); window.open("/good"); nothing.there()</script></main></html>`)
	}))
	defer s.Close()
	p := newTab(t, s.URL)

	p.open("/good")
	p.says("Nothing is wrong.")
	if found := p.found(); len(found) > 0 {
		t.Errorf("the good page: %q", found)
	}
	if b := p.barriers(); len(b) > 0 || p.sideways() > 0 {
		t.Errorf("the good page: %q, %d pixels too wide", b, p.sideways())
	}

	p.open("/bad")
	found := p.found()
	for _, want := range []string{`console: "oh"`, "a dialog: hello", "a window opened", "exception: Uncaught ReferenceError: nothing is not defined", "a request to elsewhere: " + elsewhere.URL} {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("not found: %s; only %q", want, found)
		}
	}
	barriers := p.barriers()
	for _, want := range []string{"html-has-lang", "label", "color-contrast"} {
		if !slices.ContainsFunc(barriers, func(b string) bool { return strings.HasPrefix(b, want+": ") }) {
			t.Errorf("not found: %s; only %q", want, barriers)
		}
	}
	if by := p.sideways(); by < 700 {
		t.Errorf("%d pixels too wide, want over 700", by)
	}
}
