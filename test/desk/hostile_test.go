package desk

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
)

// payloads would run, open, fetch, hide or turn around, wherever they were taken
// for more than text.
var payloads = []string{
	`<script>window.ran = 1; alert(1)</script>`,
	`"><script>window.ran = 1</script>`,
	`</textarea><script>window.ran = 1</script>`,
	`</title><script>window.ran = 1</script>`,
	`</pre><img src=x onerror="window.ran = 1">`,
	`<svg onload="window.ran = 1"><animate onbegin="window.ran = 1" attributeName="x"></svg>`,
	`<img src="//example.com/x.png">`,
	`<iframe srcdoc="<script>parent.ran = 1</script>"></iframe>`,
	`<object data="data:text/html,<script>window.ran = 1</script>"></object>`,
	`<style>body { display: none }</style>`,
	`<base href="http://example.com/">`,
	`<meta http-equiv="refresh" content="0; url=http://example.com/">`,
	`<form action="http://example.com/"><button autofocus onfocus="window.ran = 1">x</button></form>`,
	`' onmouseover='window.ran = 1' autofocus onfocus='window.ran = 1`,
	`" onfocus="window.ran = 1" autofocus x="`,
	`javascript:window.ran=1//`,
	`{{.Session.FormToken}} {{define "main"}}{{end}} ${window.ran = 1}`,
	"`-alert(1)-`; window.ran = 1; //",
	`<!--<script>window.ran = 1//--><!--`,
	`<a href="javascript:window.ran = 1" target=_blank>click me</a>`,
	`<details open ontoggle="window.ran = 1"><summary>x</summary></details>`,
	`<video><source onerror="window.ran = 1"></video>`,
	`&lt;script&gt;window.ran = 1&lt;/script&gt; &#60;script&#62;`,
	"\x1b[2J\x1b]0;owned\x07\u009b31m",
	"gnp\u202Eexe.\u202C \u2066abc\u2069 \u200F\u061C",
	"\u0000\u0001\ufeff\u2028window.ran = 1\u2029",
	`../../sign-out?x=1#"><script>window.ran = 1</script>`,
	`%3Cscript%3Ewindow.ran%20=%201%3C/script%3E`,
	`+ADw-script+AD4-window.ran=1+ADw-/script+AD4-`,
	strings.Repeat("wide", 200),
	strings.Repeat("<b>", 300),
	`=HYPERLINK("http://example.com/?"&A1, "x")`,
}

// hostile is a letter with a payload in every field.
func hostile(w *world, n int) *deadletter.Record {
	x := payloads[n%len(payloads)]
	event, err := json.Marshal(map[string]any{
		"type": "track", "event": "Audience Entered", "messageId": fmt.Sprint(n, x), "userId": x, x: x,
		"context": map[string]any{"traits": map[string]any{"first_name": x}}, "properties": map[string]any{"region": x, x: []string{x}},
	})
	if err != nil {
		panic(err)
	}
	if n%3 == 0 {
		event = []byte(x) // no event at all
	}
	r := &deadletter.Record{
		Key: []byte(x), Value: event, Headers: []kafka.Header{{Key: x, Value: []byte(x)}},
		Topic: w.cfg.Kafka.Topic, Offset: int64(n), Timestamp: time.Now(), Group: x, DeliveryCount: 1, Message: x,
		Destination: "onboarding", Action: "welcome-sms", Reason: outcome.ReasonRecipientRejected.String(), Disposition: deadletter.Permanent,
		MessageID: fmt.Sprint(n, x), UserID: x, Region: x, Recipient: x, TwilioCode: 21211, TwilioStatus: 400, RequestID: x, TwilioSID: x,
		FirstFailedAt: time.Now(), LastFailedAt: time.Now(),
	}
	if n%2 == 0 { // of a configuration that isn't this one
		r.Destination, r.Action, r.Reason, r.Disposition = x, x, x, deadletter.Disposition(x)
	}
	return r
}

// unmoved fails the test where a page did anything with what it shows but show it.
func (p *tab) unmoved(scripts int) {
	p.t.Helper()
	p.answered()
	p.wellBehaved()
	for _, wrong := range evaluate[[]string](p, `(() => {
		const wrong = [];
		if (window.ran) wrong.push("a script ran");
		for (const e of document.querySelectorAll("img, iframe, object, embed, video, audio, base, style, animate, b, meta[http-equiv], [target], form[action*=example]"))
			wrong.push("an element that isn't the page's: " + e.outerHTML.slice(0, 100));
		for (const e of document.querySelectorAll("*"))
			for (const a of e.attributes) {
				if (a.name.startsWith("on")) wrong.push("a handler: " + e.outerHTML.slice(0, 100));
				if (["href", "src", "action", "formaction"].includes(a.name) && new URL(a.value, location).origin !== location.origin)
					wrong.push("it leads elsewhere: " + e.outerHTML.slice(0, 100));
			}
		if (document.scripts.length !== `+fmt.Sprint(scripts)+`) wrong.push(document.scripts.length + " scripts");
		const drives = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
		const all = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
		while (all.nextNode()) if (drives.test(all.currentNode.data)) wrong.push("it drives: " + JSON.stringify(all.currentNode.data.slice(0, 100)));
		for (const e of document.querySelectorAll("input, textarea")) if (drives.test(e.value)) wrong.push("it drives: " + JSON.stringify(e.value.slice(0, 100)));
		return wrong.slice(0, 10);
	})()`) {
		p.t.Errorf("%s: %s", p.path(), wrong)
	}
}

// A thousand letters with script, marks that turn writing around and escape codes
// in every field: all of it is text on every page, nothing runs, nothing is asked
// elsewhere.
func TestHostileLetters(t *testing.T) {
	const n = 1000
	w := newWorld(t, "")
	publisher := deadletter.NewPublisher(w.client.Addr, w.client.Transport, w.cfg.DeadLetterTopic())
	var published []chan error
	for i := range n {
		done := make(chan error, 1) // its goroutine's result, which is read once
		published = append(published, done)
		go func() { done <- publisher.Publish(t.Context(), hostile(w, i)) }()
	}
	for _, done := range published {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := publisher.Close(); err != nil {
		t.Fatal(err)
	}
	origin := w.desk(nil)
	await(t, origin, "limit=1", n)
	p := newTab(t, origin)
	p.open("/")
	scripts := evaluate[int](p, `document.scripts.length`)
	p.unmoved(scripts)

	p.open("/dead-letters")
	columns := evaluate[[]string](p, `[...document.querySelectorAll("input[name=columns]")].map(e => e.value)`)
	if len(columns) < 10 {
		t.Fatalf("the page offers the columns %q", columns)
	}
	rows, ids := 0, map[string]bool{}
	for page := 1; rows < n; page++ {
		p.open(fmt.Sprintf("/dead-letters?limit=200&page=%d&columns=%s", page, strings.Join(columns, ",")))
		p.unmoved(scripts)
		found := evaluate[[]string](p, `[...document.querySelectorAll("table.letters a[href^='/dead-letters/']")].map(a => a.getAttribute("href"))`)
		if len(found) == 0 {
			break
		}
		rows += len(found)
		for _, id := range found {
			ids[id] = true
		}
	}
	if rows != n || len(ids) != n {
		t.Errorf("the tables show %d rows of %d letters, want %d", rows, len(ids), n)
	}
	p.size(360, 740)
	p.fits()
	opened := 0
	for i := range 2 * len(payloads) {
		id := hostile(w, i).ID()
		p.open("/dead-letters/" + id)
		p.unmoved(scripts)
		p.fits()
		evaluate[chromedp.Void](p, `document.querySelector("form[action*='#event'] button").focus()`)
		p.press(kb.Enter)
		p.until(`document.querySelector("pre.event")`)
		p.unmoved(scripts)
		p.fits()
		opened++
	}
	t.Logf("%d letters in tables of %d columns, %d pages of one with its event", rows, len(columns), opened)
	for _, x := range payloads {
		q := url.QueryEscape(x)
		for _, path := range []string{
			"/dead-letters?contains=" + q, "/dead-letters?user=" + q, "/dead-letters?reason=" + q + "&destination=" + q, "/dead-letters/" + url.PathEscape(x),
			"/replays?reason=" + q + "&user=" + q, "/trace?user=" + q, "/?span=" + q, "/try?" + q, "/sign-in?next=" + q, "/" + url.PathEscape(x),
		} {
			if strings.ContainsRune(x, 0) && strings.Contains(path, "/"+url.PathEscape(x)) {
				continue // a browser asks for no such address
			}
			p.open(path)
			p.unmoved(scripts)
		}
	}
}
