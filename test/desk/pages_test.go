package desk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"engage-worker/actions/outcome"
	"engage-worker/internal/sim/sample"
)

// api reads a page's view.
func api[T any](t *testing.T, origin, path string) (view T, status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &view); err != nil {
			t.Fatalf("%s: %v\n%.500s", path, err, body)
		}
	}
	return view, response.StatusCode
}

// letterList is what /api/dead-letters tells.
type letterList struct {
	Total   int `json:"total"`
	Letters []struct {
		ID     string `json:"id"`
		Reason string `json:"reason"`
		State  string `json:"state"`
	} `json:"letters"`
}

// await asks for dead letters until there are as many.
func await(t *testing.T, origin, query string, n int) letterList {
	t.Helper()
	last := letterList{Total: -1}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got, status := api[letterList](t, origin, "/dead-letters?"+query); status == http.StatusOK {
			if last = got; got.Total == n {
				return got
			}
		}
	}
	t.Fatalf("of %s there are %d dead letters, want %d", query, last.Total, n)
	return letterList{}
}

// dead is how many dead letters come of events, of one destination.
func dead(all []sample.Event) (n int) {
	for _, e := range all {
		switch e.SMS {
		case outcome.ReasonMalformedEvent, outcome.ReasonRecipientRejected, outcome.ReasonAccountRejected, outcome.ReasonOptedOut:
			n++
		}
	}
	return n
}

// refused is how many senders' refusals make dead letters: the fifth in a row closes
// the sender, and its messages wait.
const refused = 4

// lively is a world in which something has happened: messages were delivered, some
// weren't, and some that can be sent again were refused.
func lively(t *testing.T) (w *world, origin string) {
	t.Helper()
	w = newWorld(t, "")
	w.refuse(true)
	w.worker()
	origin = w.desk(nil)
	w.produce(events(7, refused, false)...)
	await(t, origin, "reason=sender_rejected", refused)
	w.refuse(false)
	mixed := events(8, 150, true)
	w.produce(mixed...)
	await(t, origin, "", refused+dead(mixed))
	return w, origin
}

// looks are the ways a page is looked at.
var looks = []struct {
	theme         string
	width, height int64
}{{"light", 1280, 900}, {"dark", 1280, 900}, {"light", 360, 740}, {"dark", 360, 740}, {"light", 2560, 1300}}

// seen looks at the page that is open in each way.
func (p *tab) seen() {
	p.t.Helper()
	for _, look := range looks {
		p.theme(look.theme)
		p.size(look.width, look.height)
		p.fits()
		p.accessible(fmt.Sprintf("%s, %d wide", look.theme, look.width))
	}
	p.wellBehaved()
	if h := evaluate[[]int](p, `[...document.querySelectorAll("h1, h2, h3, h4")].map(h => Number(h.tagName[1]))`); len(h) == 0 || h[0] != 1 {
		p.t.Errorf("%s: its headings are of the levels %v", p.path(), h)
	}
}

// Each page opens, with what happened on it, fits from 360 pixels to a wall's
// screen, has no barrier that axe finds in either theme, and keeps quiet.
func TestPages(t *testing.T) {
	w, origin := lively(t)
	refusals, _ := api[letterList](t, origin, "/dead-letters?reason=sender_rejected")
	letter := refusals.Letters[0].ID
	malformed, _ := api[letterList](t, origin, "/dead-letters?reason=malformed_event")
	event := events(8, 1, false)[0]
	p := newTab(t, origin)
	for _, page := range []struct {
		path string
		says []string
	}{
		{"/", []string{"Overview", "onboarding", "welcome-sms", "us-west-2", "eu-west-1", w.cfg.HTTP.Listen}},
		{"/?span=week", []string{"Overview"}},
		{"/dead-letters", []string{"Dead letters", "sender rejected", "opted out", "21606"}},
		{"/dead-letters?reason=sender_rejected", []string{"sender rejected", letter}},
		{"/dead-letters?contains=nothing-like-this", []string{"There are none."}},
		{"/dead-letters/" + letter, []string{"Sender rejected", "21606", "What mends it", "History"}},
		{"/dead-letters/" + malformed.Letters[0].ID, []string{"Malformed event"}},
		{"/replays", []string{"Replays", "Make a plan"}},
		{"/trace", []string{"Trace"}},
		{"/trace?message-id=" + event.MessageID, []string{"What happened"}},
		{"/try", []string{"Try"}},
		{"/try?recent=true", []string{"The last events of the topic"}},
		{"/no-such-page", []string{"There is no such page."}},
		{"/dead-letters/ffffffffffffffff", nil},
		{"/dead-letters?limit=x", []string{"limit"}},
	} {
		t.Run(page.path, func(t *testing.T) {
			p := newTab(t, origin)
			p.open(page.path)
			p.answered()
			for _, text := range page.says {
				p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
			}
			p.seen()
		})
	}
	t.Run("the event and what would be sent now", func(t *testing.T) {
		p := newTab(t, origin)
		p.open("/dead-letters/" + letter)
		p.focus("Show the event")
		p.press("\r")
		p.until(`document.querySelector("pre.event")`)
		p.says("Audience Entered", "welcome! Your offer", "When it failed", "Now")
		p.seen()
	})
	t.Run("an event that is tried", func(t *testing.T) {
		p := newTab(t, origin)
		p.open("/try")
		p.focus("Event, as JSON")
		p.press(string(event.Value))
		p.focus("Try it")
		p.press("\r")
		p.until(`document.querySelector(".bubble")`)
		p.says("welcome! Your offer")
		p.seen()
	})
	t.Run("narrower than any telephone", func(t *testing.T) {
		p.open("/dead-letters")
		p.size(320, 600) // 1280 at 400%, of WCAG 1.4.10
		p.fits()
	})
}

// answered forgets that the document itself came with an error's status, which
// is what some pages are for.
func (p *tab) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var others []string
	for _, f := range p.faults {
		if !strings.HasPrefix(f, "console: Failed to load resource: the server responded with a status of 40") {
			others = append(others, f)
		}
	}
	p.faults = others
}

// Every page shows the same without its script.
func TestWithoutScript(t *testing.T) {
	_, origin := lively(t)
	p := newTab(t, origin)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for path, says := range map[string]string{
		"/": "welcome-sms", "/dead-letters": "sender rejected", "/replays": "Make a plan", "/trace?user=nobody": "What happened", "/try": "Event, as JSON",
	} {
		p.open(path)
		p.says(says)
		p.wellBehaved()
	}
}

// What happens shows on a page that is open.
func TestLive(t *testing.T) {
	w := newWorld(t, "")
	w.worker()
	origin := w.desk(nil)
	p := newTab(t, origin)
	p.open("/dead-letters")
	p.until(`document.body.innerText.includes("There are none.")`)
	w.refuse(true)
	w.produce(events(3, refused, false)...)
	p.until(`document.querySelectorAll("table.letters tbody tr").length === ` + fmt.Sprint(refused))
	p.open("/")
	w.refuse(false)
	w.produce(events(4, 20, false)...)
	p.until(`/welcome-sms\s+(\d+\s+)*20\s/.test(document.querySelector("#funnel").innerText)`)
	p.wellBehaved()
}
