package desk

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is for what a machine that does other things as well may take. No
// test passes sooner or later by it.
const patience = 60 * time.Second

// browsers are the names that Chromium goes by. CHROMIUM names another.
var browsers = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}

func findBrowser() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return exec.LookPath(path)
	}
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no chromium is found: make install-deps, or CHROMIUM=path")
}

// startBrowser starts a browser that can reach loopback addresses alone.
func startBrowser(path string) (ctx context.Context, stop func(), err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("disable-gpu", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which needs another user than root
	}
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	stop = func() {
		_ = chromedp.Cancel(ctx) // which waits for its processes
		end()
		endAllocator()
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, stop, nil
}

// tab is a tab of the browser, with cookies of its own, and what went wrong in it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu     sync.Mutex
	faults []string
	ended  int // documents that were loaded
}

// newTab opens a tab for the pages of an origin (http://host:port).
func newTab(t *testing.T, origin string) *tab {
	t.Helper()
	wanted(t)
	p := &tab{t: t, origin: origin}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.heard))
	t.Cleanup(end)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	call(p, network.Enable, network.EnableParams{})
	if err := chromedp.ListenBrowser(ctx, func(ev any) {
		if e, ok := ev.(*target.EventTargetCreated); ok && e.TargetInfo.Type == "page" && e.TargetInfo.OpenerID != "" {
			p.fault("a window opened: %s", e.TargetInfo.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	p.size(1280, 900)
	t.Cleanup(func() {
		if t.Failed() {
			p.keep(t)
		}
	})
	return p
}

// fault notes what went wrong.
func (p *tab) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// heard looks at what the page does.
func (p *tab) heard(ev any) {
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			for _, a := range e.Args {
				p.fault("console: %s", a.Value)
			}
		}
	case *runtime.EventExceptionThrown:
		p.fault("exception: %s", e.ExceptionDetails.Text+" "+describe(e.ExceptionDetails.Exception))
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			p.fault("console: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme+"://"+u.Host != p.origin && u.Scheme != "data" {
			p.fault("a request to elsewhere: %s", e.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		p.fault("a dialog: %s", e.Message)
		go func() { // a listener mustn't wait for the browser
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	case *page.EventLoadEventFired:
		p.mu.Lock()
		p.ended++
		p.mu.Unlock()
	}
}

func describe(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	return o.Description
}

// found are the faults so far, and forgets them.
func (p *tab) found() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.faults
	p.faults = nil
	return all
}

// wellBehaved fails the test for each fault so far.
func (p *tab) wellBehaved() {
	p.t.Helper()
	for _, f := range p.found() {
		p.t.Errorf("%s: %s", p.path(), f)
	}
}

// open goes to a path.
func (p *tab) open(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(p.origin+path)); err != nil {
		p.t.Fatalf("open %s: %v", path, err)
	}
}

// path is where the tab is.
func (p *tab) path() string {
	p.t.Helper()
	return evaluate[string](p, `location.pathname + location.search`)
}

// evaluate is the value of a script's expression, of a promise as well.
func evaluate[T any](p *tab, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %.80s: %v", script, err)
	}
	return v
}

// until waits for an expression to be true, over the loading of other pages.
func (p *tab) until(script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+script+`)`))
		if ok && err == nil { // an error: the page is being left
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s: still not true: %s\nthe page says:\n%s", p.path(), script, p.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// text is what a reader sees.
func (p *tab) text() string {
	p.t.Helper()
	return evaluate[string](p, `document.body.innerText`)
}

// says fails the test where the page doesn't say a text.
func (p *tab) says(texts ...string) {
	p.t.Helper()
	all := p.text()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			p.t.Errorf("%s doesn't say %q; it says:\n%s", p.path(), text, all)
		}
	}
}

// press types keys, as on a keyboard.
func (p *tab) press(keys string, options ...chromedp.KeyOption) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, options...)); err != nil {
		p.t.Fatal(err)
	}
}

// size is the window's, in CSS pixels.
func (p *tab) size(width, height int64) {
	p.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// theme is light or dark, without motion.
func (p *tab) theme(name string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// picture is the window as a PNG.
func (p *tab) picture() []byte {
	p.t.Helper()
	return call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
}
