package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// call is a command of the browser's protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// axe is axe-core's script, which npm ci has put beside this file.
var axe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core isn't there (make install-deps, or npm ci in test/desk): %w", err)
	}
	return string(source), nil
})

// barriers are what axe finds on the page against WCAG 2.2, levels A and AA.
func (p *tab) barriers() []string {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	evaluate[chromedp.Void](p, script)
	return evaluate[[]string](p, `axe.run(document, {
		resultTypes: ["violations"],
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
	}).then(r => r.violations.flatMap(v => v.nodes.map(n =>
		v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " " + n.any.concat(n.all, n.none).map(c => c.message).join("; "))))`)
}

// accessible fails the test for each barrier.
func (p *tab) accessible(what string) {
	p.t.Helper()
	for _, b := range p.barriers() {
		p.t.Errorf("%s, %s: %s", p.path(), what, b)
	}
}

// sideways is by how many pixels the page is wider than the window.
func (p *tab) sideways() int {
	p.t.Helper()
	return evaluate[int](p, `Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - document.documentElement.clientWidth`)
}

// fits fails the test where one has to scroll sideways, and names what is too wide.
func (p *tab) fits() {
	p.t.Helper()
	if by := p.sideways(); by > 0 {
		wide := evaluate[[]string](p, `[...document.querySelectorAll("body *")]
			.filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
			.filter(e => { for (let p = e.parentElement; p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return false; return true; })
			.slice(0, 5).map(e => e.outerHTML.slice(0, 120))`)
		p.t.Errorf("%s: %d pixels too wide: %s", p.path(), by, strings.Join(wide, "\n"))
	}
}

// keep leaves a picture of a failed test's page in the folder that
// DESK_PICTURES names.
func (p *tab) keep(t *testing.T) {
	dir := os.Getenv("DESK_PICTURES")
	if dir == "" || p.ctx.Err() != nil {
		return
	}
	name := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".png")
	if err := os.WriteFile(name, p.picture(), 0o600); err != nil {
		t.Log(err)
	}
}
