package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/desk/guard"
	"engage-worker/internal/sim/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source     = "audience-events"
	dlq        = source + ".dlq"
	partitions = 2
)

// rig is a desk on an embedded broker.
type rig struct {
	*scene.Scene
	t    *testing.T
	base string // the desk's address
	http *http.Client
	log  *scene.Log
	end  func() // ends the desk, and waits for it
}

// settings are those of a rig that a test may change.
type settings struct {
	Options
	more string // of the configuration
}

func newRig(t *testing.T, edit func(*settings)) *rig {
	t.Helper()
	r := &rig{Scene: scene.New(t, partitions, source, dlq, dlq+".replays", source+".onboarding.ledger", source+".onboarding.status"), t: t, log: &scene.Log{}}
	r.open(r.Broker.Brokers()[0], edit)
	return r
}

// open opens a desk.
func (r *rig) open(broker string, edit func(*settings)) {
	r.t.Helper()
	s := settings{Options: Options{Who: "root@here", Version: "v0", Log: zerolog.New(r.log)}}
	if edit != nil {
		edit(&s)
	}
	path := filepath.Join(r.t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `
kafka: {brokers: [%q]}
%s
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC0, twilioApiKeySID: SK0, twilioApiKeySecret: secret, profileApiAccessToken: token, spaceId: spa_1, region: us-west-2}
    actions:
      - {name: welcome-sms, type: sendSms, trigger: type = "track", mapping: {from: MG0, body: "Hi {{ profile.traits.first_name | default: 'there' }}!", toNumber: {"@path": $.properties.to}}}
`, broker, s.more), 0o600); err != nil {
		r.t.Fatal(err)
	}
	var err error
	if s.Config, err = config.Load(path); err != nil {
		r.t.Fatal(err)
	}
	d, err := New(s.Options)
	if err != nil {
		r.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := d.Serve(ctx, listener); err != nil {
			r.t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	transport := &http.Transport{}
	r.base = "http://" + listener.Addr().String()
	r.http = &http.Client{Transport: transport, Jar: jar, Timeout: 30 * time.Second}
	r.end = sync.OnceFunc(func() {
		cancel()
		served.Wait()
		d.Close()
		transport.CloseIdleConnections()
	})
	r.t.Cleanup(r.end)
}

// answer is what came back; header checks are made of each.
type answer struct {
	status int
	body   string
	header http.Header
	path   string // where it ended after redirects
}

func (r *rig) do(method, path string, form url.Values, headers ...string) answer {
	r.t.Helper()
	body := io.Reader(http.NoBody)
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{res.StatusCode, string(text), res.Header, res.Request.URL.RequestURI()}
	if a.header.Get("Content-Security-Policy") != guard.Policy || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
		r.t.Errorf("%s %s: %v", method, path, a.header)
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		wellFormed(r.t, method+" "+path, a.body)
	}
	return a
}

func (r *rig) get(path string, headers ...string) answer {
	r.t.Helper()
	return r.do(http.MethodGet, path, nil, headers...)
}

// post sends a form with the session's own token.
func (r *rig) post(path string, pairs ...string) answer {
	r.t.Helper()
	form := url.Values{guard.FormField: {r.formToken()}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return r.do(http.MethodPost, path, form)
}

// formToken is what the forms of a page carry.
func (r *rig) formToken() string {
	r.t.Helper()
	_, rest, found := strings.Cut(r.get("/try").body, `name="form" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if !found || token == "" {
		r.t.Fatal("the page Try has no form token")
	}
	return token
}

func (r *rig) await(what string, holds func() bool) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not within 30 s: %s\n%s", what, r.log)
		}
	}
}

// loaded awaits that the topics are read, and that there are so many letters.
func (r *rig) loaded(letters int) {
	r.t.Helper()
	r.await("the topics are read", func() bool {
		return strings.Contains(r.get("/api/dead-letters").body, fmt.Sprintf("\n  \"total\": %d,", letters))
	})
}

func (r *rig) letters(letters ...*deadletter.Record) {
	r.t.Helper()
	for _, l := range letters {
		m := deadletter.Encode(l)
		m.WriterData = l.Partition
		r.Put(dlq, m)
	}
}

// letter is the nth of letters that are like another.
func letter(n int, edits ...func(*deadletter.Record)) *deadletter.Record {
	l := &deadletter.Record{
		Key:   fmt.Append(nil, "u", n),
		Value: fmt.Appendf(nil, `{"type":"track","messageId":"m%d","userId":"u%d","properties":{"to":"+14155550%03d"}}`, n, n, n),
		Topic: source, Partition: n % partitions, Offset: int64(n), Destination: "onboarding", Action: "welcome-sms", Reason: "rate_limited",
		Disposition: deadletter.Exhausted, MessageID: fmt.Sprint("m", n), UserID: fmt.Sprint("u", n), Region: "us-west-2", Recipient: "+14***000",
		Message: "too many requests", TwilioCode: 20429, LastFailedAt: time.Now().Add(-time.Duration(n) * time.Second).UTC().Truncate(time.Millisecond),
	}
	l.Timestamp = l.LastFailedAt.Add(-time.Second)
	for _, edit := range edits {
		edit(l)
	}
	return l
}

// voids are elements without an end.
var voids = []string{"meta", "link", "input", "br", "img"}

// wellFormed checks that a page's elements are nested as they are written, that its
// headings go down by one, that ids stand once and labels have a field, and that
// nothing in it is script or style.
func wellFormed(t *testing.T, what, text string) {
	t.Helper()
	var open []string
	heading, ids := 0, map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 || !errors.Is(z.Err(), io.EOF) {
				t.Errorf("%s: open in the end: %v, %v", what, open, z.Err())
			}
			return
		case html.StartTagToken:
			tag := z.Token()
			if !slices.Contains(voids, tag.Data) {
				open = append(open, tag.Data)
			}
			if len(tag.Data) == 2 && tag.Data[0] == 'h' && tag.Data[1] >= '1' && tag.Data[1] <= '6' {
				if level := int(tag.Data[1] - '0'); level > heading+1 {
					t.Errorf("%s: a heading h%d follows h%d", what, level, heading)
				}
				heading = int(tag.Data[1] - '0')
			}
			for _, a := range tag.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s: <%s %s=%q>", what, tag.Data, a.Key, a.Val)
				}
				if a.Key == "id" && ids[a.Val] {
					t.Errorf("%s: the id %s stands twice", what, a.Val)
				}
				ids[a.Val] = ids[a.Val] || a.Key == "id"
				if (a.Key == "src" || a.Key == "href" && tag.Data != "a" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") {
					t.Errorf("%s: <%s %s=%q>", what, tag.Data, a.Key, a.Val)
				}
				if tag.Data == "a" && a.Key == "href" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s: a link to %q", what, a.Val)
				}
			}
			if tag.Data == "style" || tag.Data == "script" && !slices.ContainsFunc(tag.Attr, func(a html.Attribute) bool { return a.Key == "src" }) {
				t.Errorf("%s: <%s> in the page", what, tag.Data)
			}
		case html.EndTagToken:
			tag := z.Token()
			if len(open) == 0 || open[len(open)-1] != tag.Data {
				t.Errorf("%s: </%s> ends %v", what, tag.Data, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}
