package desk

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/desk/pages"
	"engage-worker/internal/sim/port"
	"engage-worker/internal/sim/scene"
)

// has checks an answer's status, and that it has texts in it.
func (a answer) has(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: %d, want %d\n%s", a.path, a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: without %q\n%s", a.path, text, a.body)
		}
	}
}

// lacks checks that an answer hasn't texts in it.
func (a answer) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s: with %q", a.path, text)
		}
	}
}

// TestPages: each page shows what it should, and /api the same.
func TestPages(t *testing.T) {
	r := newRig(t, nil)
	first, second := letter(1), letter(2, func(l *deadletter.Record) {
		l.Reason, l.TwilioCode, l.Disposition = "opted_out", 21610, deadletter.Permanent
	})
	r.letters(first, second, letter(3))
	r.Put(source, kafka.Message{Key: []byte("u1"), Value: first.Value, WriterData: 0})
	r.loaded(3)

	r.get("/").has(t, 200, `aria-current="page">Overview`, "3 dead letters", "onboarding", "desk.workers names no replicas")
	for _, span := range []string{"hour", "day", "week"} {
		r.get("/?span="+span).has(t, 200, "last "+span)
	}
	r.get("/dead-letters").has(t, 200, "<strong>3</strong> in all", first.ID(), second.ID(), "opted out", "21610")
	r.get("/dead-letters?groups=all").has(t, 200, first.ID())
	list := r.get("/dead-letters?reason=opted_out&columns=id,message")
	list.has(t, 200, "<strong>1</strong> chosen", second.ID(), `<th scope="col">Message</th>`)
	list.lacks(t, first.ID(), `<th scope="col">Failed</th>`)
	one := r.get("/dead-letters/" + first.ID())
	one.has(t, 200, "Twilio was asked too fast", "too many requests", "Never replayed", "What mends it", `name="why"`)
	one.lacks(t, "+14155550001", "properties")
	r.get("/dead-letters/"+first.ID()[:8]).has(t, 200, first.ID())
	r.await("the history is found", func() bool {
		return strings.Contains(r.get("/dead-letters/"+first.ID()).body, "<strong>Failed</strong>")
	})
	r.get("/replays").has(t, 200, "Nothing was replayed yet", "Make a plan")
	r.get("/trace").has(t, 200, `name="message-id"`)
	r.await("the trace is found", func() bool {
		a := r.get("/trace?message-id=m1&since=1h")
		return a.status == 200 && strings.Contains(a.body, "<strong>Event</strong>") && strings.Contains(a.body, first.ID())
	})
	r.get("/trace?user=nobody").has(t, 200)
	r.get("/try?recent=true").has(t, 200, `value="0/0"`)
	r.get("/healthz").has(t, 200, "alive\n")

	for path, want := range map[string]string{
		"/api/overview":                             `"openDeadLetters": 3`,
		"/api/dead-letters?reason=opted_out":        `"id": "` + second.ID() + `"`,
		"/api/dead-letters/" + first.ID():           `"whatHappened": "too many requests"`,
		"/api/replays":                              `"replays": []`,
		"/api/trace?message-id=m1":                  `"messageId": "m1"`,
		"/api/try?recent=true":                      `"partition": 0`,
		"/api/dead-letters?columns=twilio_code,id":  `"twilio_code": 20429`,
		"/api/dead-letters?state=open&since=1h&n=1": `"error": "There is no option \"n\"."`,
	} {
		a := r.get(path)
		if ct := a.header.Get("Content-Type"); !json.Valid([]byte(a.body)) || ct != "application/json; charset=utf-8" || !strings.Contains(a.body, want) {
			t.Errorf("%s: %s\n%s", path, ct, a.body)
		}
	}
}

// TestBadQueries are refused, and the answer says what is wrong.
func TestBadQueries(t *testing.T) {
	r := newRig(t, nil)
	r.letters(letter(1))
	r.loaded(1)
	for path, want := range map[string]string{
		"/?span=month":                       "span is hour, day or week",
		"/dead-letters?state=opened":         "state &#34;opened&#34; is unknown; known are open, replayed",
		"/dead-letters?reason=no_match":      "reason &#34;no_match&#34; is unknown",
		"/dead-letters?disposition=x":        "disposition &#34;x&#34; is unknown; known are permanent",
		"/dead-letters?destination=other":    "destination &#34;other&#34; is unknown; known are onboarding",
		"/dead-letters?code=many":            "is no number",
		"/dead-letters?since=soon":           "is no time: write 24h",
		"/dead-letters?since=1h&until=2h":    "since must be before until",
		"/dead-letters?since=1h&since=2h":    "since stands there twice",
		"/dead-letters?tz=Berlin":            "is no time zone",
		"/dead-letters?limit=0":              "limit must be from 1 to 1000",
		"/dead-letters?limit=1001":           "limit must be from 1 to 1000",
		"/dead-letters?page=2":               "is beyond the end: there are 1 page",
		"/dead-letters?page=99999":           "page must be from 1 to 2000",
		"/dead-letters?columns=id,value":     "columns: &#34;value&#34; is unknown; known are failed_at",
		"/dead-letters?colour=red":           "There is no option &#34;colour&#34;",
		"/dead-letters?id=1":                 "There is no option &#34;id&#34;",
		"/trace?message-id=a&user=b":         "give one of them",
		"/trace?to=12":                       "at least 5 digits",
		"/trace?since=x&user=u":              "is no time",
		"/trace?who=x":                       "There is no option who",
		"/try?x=1":                           "There is no option x",
		"/dead-letters.csv?state=opened":     "is unknown",
		"/dead-letters/0123456789abcdef?x=y": "There is no option x",
	} {
		r.get(path).has(t, 400, want)
	}
	r.get("/dead-letters/ffffffffffffffff").has(t, 404, "No dead letter has such an id")
	r.get("/replays/nothing").has(t, 404, "There is no such replay")
	r.get("/nowhere").has(t, 404, "There is no such page")
	r.get("/static/0/desk.css").has(t, 404)
	r.get("/api/dead-letters/ffff").has(t, 404, `"error": "No dead letter has such an id."`)
	for _, method := range []string{"PUT", "DELETE", "PATCH", "POST"} {
		if a := r.do(method, "/dead-letters", url.Values{"form": {r.formToken()}}); a.status != 405 && a.status != 403 {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	r.post("/trace").has(t, 405, "That can&#39;t be done here")
	// A form's empty fields ask nothing, and don't stay in the address.
	if a := r.get("/dead-letters?contains=&state=open&user="); a.status != 200 || a.path != "/dead-letters?state=open" {
		t.Errorf("%d %s", a.status, a.path)
	}
	r.post("/try", "event", strings.Repeat("x", 4<<20)).has(t, 413, "more than a form here may hold")
	r.post("/dead-letters/dismiss", "why", strings.Repeat("x", formBytes)).has(t, 413)
}

// TestHostile: whatever letters hold, it is text; nothing in it is markup, drives a
// terminal or turns writing around, and no cell is a formula.
func TestHostile(t *testing.T) {
	r := newRig(t, nil)
	evil := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `';alert(1)//`, `{{.Session.FormToken}}`, `</title><svg onload=alert(1)>`,
		"\u202Egnp.exe\u2066", "\x1b[2J\x1b]0;x\a", "=HYPERLINK(\"http://evil.example\")", `javascript:alert(1)`, "\u0000\u2028\u2029\uFEFF",
	}
	var all []*deadletter.Record
	for i, text := range evil {
		all = append(all, letter(i, func(l *deadletter.Record) {
			value, err := json.Marshal(map[string]any{"type": "track", "messageId": text, "userId": text, "properties": map[string]string{"to": text, text: text}})
			if err != nil {
				t.Fatal(err)
			}
			l.Key, l.Value, l.MessageID, l.UserID, l.Message, l.Reason, l.Action, l.Region, l.Recipient, l.RequestID, l.Group = []byte(text), value, text, text, text, text, text, text, text, text, text
			l.Headers = []kafka.Header{{Key: text, Value: []byte(text)}}
		}))
		all = append(all, letter(100+i, func(l *deadletter.Record) {
			l.Value, l.Message = []byte(`{"type":"track","properties":{"to":"+14155550100","x":`+jsonOf(text)+`}}`), text
		}))
	}
	r.letters(all...)
	r.loaded(len(all))
	harmless := func(a answer) {
		t.Helper()
		if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "text/csv") && !strings.HasPrefix(ct, "application/x-ndjson") { // which no browser takes for a page
			a.lacks(t, "<script>alert", "<img", "<svg onload")
		}
		for _, c := range a.body {
			if c != '\n' && c != '\t' && c != '\r' && c != '\u200D' && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("%s: %q", a.path, c)
				break
			}
		}
	}
	columns := "columns=failed_at,id,reason,disposition,destination,action,region,twilio_code,recipient,user_id,message_id,replays,message,position,twilio_meaning,state,state_why"
	harmless(r.get("/"))
	harmless(r.get("/dead-letters?" + columns))
	harmless(r.get("/api/dead-letters?" + columns))
	harmless(r.get("/dead-letters.csv?" + columns))
	harmless(r.get("/dead-letters.jsonl?" + columns))
	for _, l := range all {
		harmless(r.get("/dead-letters/" + l.ID()))
		harmless(r.get("/api/dead-letters/" + l.ID()))
		harmless(r.post("/dead-letters/" + l.ID()))
	}
	for _, text := range evil {
		harmless(r.get("/dead-letters?" + url.Values{"contains": {text}, "user": {text}, "tz": {"UTC"}}.Encode()))
		harmless(r.get("/replays?" + url.Values{"contains": {text}, "id": {text}}.Encode()))
		harmless(r.get("/trace?" + url.Values{"user": {text}}.Encode()))
		harmless(r.get("/dead-letters/" + url.PathEscape(text)))
		harmless(r.get("/dead-letters?" + url.Values{text: {text}}.Encode()))
		harmless(r.post("/try", "event", text))
		harmless(r.post("/try", "event", `{"type":"track","properties":{"to":`+jsonOf(text)+`}}`))
	}
	rows, err := csv.NewReader(strings.NewReader(r.get("/dead-letters.csv?columns=message").body)).ReadAll()
	if err != nil || len(rows) != len(all)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if strings.ContainsAny(row[0][:min(1, len(row[0]))], "=+-@\t\r") {
			t.Errorf("a cell is %q", row[0])
		}
	}
}

func jsonOf(text string) string {
	b, _ := json.Marshal(text) // a string always marshals
	return string(b)
}

// TestReveal: the event and the message are behind a click that is logged, numbers
// are masked even then, and not with Unmask.
func TestReveal(t *testing.T) {
	r := newRig(t, nil)
	l := letter(1, func(l *deadletter.Record) { l.Message = "the number +14155550001 is no mobile" })
	r.letters(l)
	r.Put(source, kafka.Message{Value: l.Value, WriterData: 0})
	r.loaded(1)
	if a := r.get("/dead-letters/" + l.ID()); strings.Contains(a.body, "14155550001") || !strings.Contains(a.body, "the number &#43;14***001 is no mobile") {
		t.Error(a.body)
	}
	a := r.post("/dead-letters/" + l.ID())
	a.has(t, 200, `&#34;userId&#34;: &#34;u1&#34;`, "Hi there!", "&#43;14***001", "1 segment of GSM-7", "<mark>send</mark>")
	a.lacks(t, "14155550001")
	if log := r.log.String(); !strings.Contains(log, `"who":"root@here","deadLetter":"`+l.ID()+`"`) {
		t.Error(log)
	}
	a = r.post("/try", "take", "0/0")
	a.has(t, 200, "Hi there!", "The event at 0/0", `&#34;messageId&#34;: &#34;m1&#34;`)
	a.lacks(t, "14155550001")
	if log := r.log.String(); !strings.Contains(log, `"who":"root@here","event":"0/0"`) {
		t.Error(log)
	}

	whole := newRig(t, func(s *settings) { s.Unmask = true })
	whole.letters(l)
	whole.loaded(1)
	whole.post("/dead-letters/"+l.ID()).has(t, 200, "&#43;14155550001")
	whole.get("/dead-letters/"+l.ID()).has(t, 200, "the number &#43;14155550001 is no mobile")
}

// TestTry shows decisions, and says what isn't an event.
func TestTry(t *testing.T) {
	r := newRig(t, nil)
	r.post("/try", "event", `{"type":"track","properties":{"to":"+14155550001"}}`).has(t, 200, "Hi there!", "welcome-sms", "1 segment")
	r.post("/try", "event", `{"type":"page"}`).has(t, 200, "no match")
	r.post("/try", "event", `[1]`).has(t, 200, "malformed event")
	r.post("/try", "event", ` `).has(t, 400, "Paste an event")
	r.post("/try", "event", strings.Repeat("x", pages.EventBytes+1)).has(t, 413, "longer than a mebibyte")
	r.post("/try", "take", "0/7").has(t, 404, "There is no such event any more")
	r.post("/try", "take", "x").has(t, 400, "is no partition/offset")
	r.get("/try?recent=true").has(t, 200, "The topic is empty")
}

// TestExport writes exactly what is shown, of all pages.
func TestExport(t *testing.T) {
	r := newRig(t, nil)
	for n := range 5 {
		r.letters(letter(n))
	}
	r.letters(letter(9, func(l *deadletter.Record) { l.Reason = "expired" }))
	r.loaded(6)
	a := r.get("/dead-letters.csv?reason=rate_limited&columns=id,message_id,twilio_code&limit=2&page=2")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 6 || !slices.Equal(rows[0], []string{"id", "message_id", "twilio_code"}) || rows[1][1] != "m0" || rows[5][2] != "20429" {
		t.Errorf("%v, %v", rows, err)
	}
	if d := a.header.Get("Content-Disposition"); !regexp.MustCompile(`^attachment; filename="dead-letters-\d{8}-\d{6}\.csv"$`).MatchString(d) {
		t.Error(d)
	}
	lines := strings.Split(strings.TrimSpace(r.get("/dead-letters.jsonl?reason=rate_limited&columns=message_id,twilio_code").body), "\n")
	if len(lines) != 5 || lines[0] != `{"message_id":"m0","twilio_code":20429}` {
		t.Errorf("%q", lines)
	}
}

// TestReplay: choose, plan, type the word, see what became of each; and closing
// letters, opening them again.
func TestReplay(t *testing.T) {
	r := newRig(t, nil)
	r.letters(letter(1), letter(2), letter(3, func(l *deadletter.Record) { l.Reason, l.Disposition = "opted_out", deadletter.Permanent }))
	r.loaded(3)
	r.get("/replays?reason=rate_limited&undelivered=true").has(t, 200, `<option value="rate_limited" selected>`, `name="undelivered" value="true" checked`)
	a := r.post("/replays", "reason", "rate_limited", "limit", "", "rate", "1000")
	a.has(t, 200, "Replay <small")
	path := a.path
	r.await("it is planned", func() bool { return strings.Contains(r.get(path).body, ">planned<") })
	r.get(path).has(t, 200, "to be sent again", "Type “replay”", "Drop the plan")
	for field, value := range map[string]string{"rate": "0", "limit": "-1", "max-replays": "0", "again": "yes", "state": "x", "since": "x"} {
		r.post("/replays", field, value).has(t, 400)
	}
	r.post(path+"/start", "word", "reply").has(t, 400, "Nothing was replayed")
	r.post(path+"/start", "word", " replay ").has(t, 200, path[len("/replays/"):])
	r.await("all are published", func() bool { return strings.Contains(r.get("/api"+path).body, `"published": 2`) })
	r.await("each is told of", func() bool {
		return strings.Contains(r.get(path).body, "What became of each") && strings.Contains(r.get(path).body, letter(2).ID())
	})
	r.post(path+"/start", "word", "replay").has(t, 409, "state for that")
	r.get("/replays").has(t, 200, path, "root@here")
	r.post("/replays/nothing/stop").has(t, 404)
	if log := r.log.String(); !strings.Contains(log, `"who":"root@here","replay":"`+path[len("/replays/"):]+`","message":"a replay is started"`) {
		t.Error(log)
	}

	id := letter(3).ID()
	r.post("/dead-letters/dismiss", "id", id).has(t, 400, "Say why")
	r.post("/dead-letters/dismiss", "why", "x").has(t, 400, "Choose which")
	r.post("/dead-letters/dismiss", "id", id, "why", strings.Repeat("x", 501)).has(t, 400, "500 characters")
	if a := r.post("/dead-letters/dismiss", "id", id, "why", "they said\u202E no", "back", "//evil.example"); a.status != 200 || a.path != "/" {
		t.Errorf("%d %s", a.status, a.path)
	}
	r.await("it is dismissed", func() bool { return strings.Contains(r.get("/dead-letters/"+id).body, "Open it again") })
	r.get("/dead-letters/"+id).has(t, 200, "they said\uFFFD no", "root@here")
	if a := r.post("/dead-letters/dismiss", "id", id, "why", "they said yes", "reopen", "true", "back", "/dead-letters/"+id); a.status != 200 || a.path != "/dead-letters/"+id {
		t.Errorf("%d %s", a.status, a.path)
	}
	r.await("it is open again", func() bool { return strings.Contains(r.get("/api/dead-letters/"+id).body, `"state": "open"`) })
}

// TestReadOnly refuses each write and offers none; looking is allowed.
func TestReadOnly(t *testing.T) {
	r := newRig(t, func(s *settings) { s.ReadOnly = true })
	l := letter(1)
	r.letters(l)
	r.loaded(1)
	for _, path := range []string{"/replays", "/replays/x/start", "/replays/x/stop", "/dead-letters/dismiss"} {
		r.post(path, "id", l.ID(), "why", "x", "word", "replay").has(t, 403, "--read-only")
	}
	for _, path := range []string{"/", "/dead-letters?state=open", "/dead-letters/" + l.ID(), "/replays?reason=expired", "/try", "/trace"} {
		a := r.get(path)
		a.has(t, 200, "only shows")
		a.lacks(t, "Replay…", "Dismiss", "Make a plan", "/dismiss", `action="/replays`, "ticked")
	}
	r.post("/dead-letters/"+l.ID()).has(t, 200, "Hi there!")
	r.post("/try", "event", "{}").has(t, 200)
}

// TestSignIn: nobody sees anything before it.
func TestSignIn(t *testing.T) {
	r := newRig(t, func(s *settings) { s.more = "desk: {token: open-sesame-0123}" })
	if a := r.get("/dead-letters?state=open"); a.status != 200 || a.path != "/sign-in?next=%2Fdead-letters%3Fstate%3Dopen" || !strings.Contains(a.body, `type="password"`) {
		t.Errorf("%d %s\n%s", a.status, a.path, a.body)
	}
	r.get("/api/overview").has(t, 401, "needs a sign-in")
	r.get("/events").has(t, 401)
	r.do("POST", "/replays", url.Values{}).has(t, 401)
	r.get("/healthz").has(t, 200)
	in := func(next string) answer {
		return r.do("POST", "/sign-in", url.Values{"name": {"jane"}, "token": {"open-sesame-0123"}, "next": {next}})
	}
	r.do("POST", "/sign-in", url.Values{"name": {"jane"}, "token": {"open-sesame"}}).has(t, 403, "That isn&#39;t the token", `value="jane"`)
	r.do("POST", "/sign-in", url.Values{"name": {"jane"}, "token": {"open-sesame-0123"}}, "Origin", "http://evil.example").has(t, 403)
	if a := in("/try?recent=true"); a.status != 200 || a.path != "/try?recent=true" || !strings.Contains(a.body, ">jane<") {
		t.Errorf("%d %s", a.status, a.path)
	}
	for _, next := range []string{"//evil.example", "http://evil.example/", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)", ""} {
		if a := in(next); a.path != "/" {
			t.Errorf("next %q leads to %s", next, a.path)
		}
	}
	r.letters(letter(1))
	r.loaded(1)
	r.do("POST", "/dead-letters/dismiss", url.Values{"id": {letter(1).ID()}, "why": {"x"}}).has(t, 403, "another session")
	r.post("/dead-letters/dismiss", "id", letter(1).ID(), "why", "x").has(t, 200)
	r.await("the record has her name", func() bool { return strings.Contains(r.get("/dead-letters/"+letter(1).ID()).body, "<td>jane</td>") })
	if a := r.post("/sign-out"); a.path != "/sign-in" {
		t.Errorf("%s", a.path)
	}
	r.get("/api/overview").has(t, 401)
	r.get("/api/overview", "Authorization", "Bearer open-sesame-0123").has(t, 200)
	if log := r.log.String(); strings.Contains(log, "open-sesame") || !strings.Contains(log, `"who":"jane"`) {
		t.Error(log)
	}
}

// TestOutside: another host's name, and another site's page, get nothing.
func TestOutside(t *testing.T) {
	r := newRig(t, nil)
	r.get("/", "Host", "evil.example").has(t, 421, "localhost or 127.0.0.1 only")
	r.get("/healthz", "Host", "evil.example").has(t, 421)
	r.do("POST", "/try", url.Values{"form": {r.formToken()}, "event": {"{}"}}, "Sec-Fetch-Site", "cross-site").has(t, 403, "another site")
	r.do("POST", "/try", url.Values{"event": {"{}"}}).has(t, 403, "another session")
	if _, path, found := strings.Cut(r.get("/try").body, `href="/static/`); !found {
		t.Error("no style")
	} else if path, _, _ = strings.Cut(path, `"`); r.get("/static/"+path).header.Get("Cache-Control") != "private, max-age=31536000, immutable" {
		t.Error("a static file may be kept")
	}
	if c := r.get("/try").header.Get("Cache-Control"); c != "no-store" {
		t.Error(c)
	}
}

// TestWithoutKafka: the pages say so, and those that need no topic work.
func TestWithoutKafka(t *testing.T) {
	nowhere, err := port.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	r := &rig{t: t, log: &scene.Log{}}
	r.open(nowhere.Addr().String(), nil)
	r.get("/").has(t, 200, "Reading the topics", "<progress")
	r.get("/dead-letters").has(t, 200, "Reading the topics")
	r.get("/api/dead-letters").has(t, 503, `"loaded": false`)
	r.get("/dead-letters.csv").has(t, 503)
	r.post("/dead-letters/dismiss", "id", "x", "why", "y").has(t, 503)
	r.post("/try", "event", `{"type":"page"}`).has(t, 200, "no match")
	r.await("the fault is told", func() bool { return strings.Contains(r.get("/try").body, "Nothing new is known") })
}

// TestTLS: the cookie is kept to it.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	leaf := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, func(s *settings) {
		s.more = fmt.Sprintf("desk: {token: open-sesame-0123, tls: {certFile: %q, keyFile: %q}}", filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	})
	r.base = strings.Replace(r.base, "http:", "https:", 1)
	trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	r.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	r.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := r.do("POST", "/sign-in", url.Values{"name": {"jane"}, "token": {"open-sesame-0123"}})
	if c := a.header.Get("Set-Cookie"); a.status != 303 || !strings.Contains(c, "; Secure; SameSite=Strict") || !strings.Contains(c, "; HttpOnly;") {
		t.Errorf("%d %s", a.status, c)
	}
	r.get("/try").has(t, 200, ">jane<")
}

// TestBeyondLoopback needs a token.
func TestBeyondLoopback(t *testing.T) {
	cfg := config.Default()
	d, err := New(Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := d.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "needs desk.token") {
		t.Error(err)
	}
}

// TestEvents: a stream tells of the state, of changes, and ends with the desk; there
// are so many at most.
func TestEvents(t *testing.T) {
	r := newRig(t, nil)
	r.loaded(0)
	stream, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.http.Timeout = 0
	open := func() *http.Response {
		res, err := r.http.Do(stream)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := open()
	defer res.Body.Close()
	read := make(chan string, 100) // more than are told
	go func() {
		defer close(read)
		buffer := make([]byte, 4096)
		for {
			n, err := res.Body.Read(buffer)
			if n > 0 {
				read <- string(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	next := func(want string) {
		t.Helper()
		for end := time.After(30 * time.Second); ; {
			select {
			case text, ok := <-read:
				if !ok {
					t.Fatalf("it ended before %s", want)
				}
				if strings.HasPrefix(text, "event: state\ndata: {") && strings.Contains(text, want) {
					return
				}
			case <-end:
				t.Fatalf("not within 30 s: %s", want)
			}
		}
	}
	next(`"letters":0`)
	r.letters(letter(1))
	next(`"letters":1`)
	var more []*http.Response
	for range mostStreams - 1 {
		more = append(more, open())
	}
	if res := open(); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", res.StatusCode)
	} else {
		res.Body.Close()
	}
	for _, res := range more {
		res.Body.Close()
	}
	r.end()
	for range read { // until its end
	}
}
