package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/twilio"
)

var since = time.Date(2026, 11, 1, 10, 0, 0, 500_000_000, time.UTC)

// at is a date as Twilio writes it, seconds after the start of since's second.
func at(seconds int) string {
	return since.Truncate(time.Second).Add(time.Duration(seconds) * time.Second).Format(time.RFC1123Z)
}

// sid is a message's, made of a few hexadecimal digits.
func sid(digits string) string { return "SM" + strings.Repeat("0", 32-len(digits)) + digits }

// item is a message of Twilio's list.
func item(sid, from, service, body string, created int) string {
	quote := func(s string) string {
		if s == "" {
			return "null"
		}
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf(`{"sid":%q,"from":%s,"messaging_service_sid":%s,"to":"+15551234567","direction":"outbound-api","body":%q,"status":"queued","date_created":%q,"date_sent":null,"num_segments":"1"}`,
		sid, quote(from), quote(service), body, at(created))
}

// page is the only page of a list of such messages.
func page(messages ...string) string {
	return `{"messages":[` + strings.Join(messages, ",") + `],"next_page_uri":null}`
}

func created(seconds int) time.Time {
	return since.Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
}

func TestListReadsAllPages(t *testing.T) {
	const path = "/2010-04-01/Accounts/AC0123/Messages.json"
	var asked []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		asked = append(asked, r.Method+" "+r.RequestURI+" "+user+":"+password)
		if r.FormValue("Page") == "" {
			_, _ = fmt.Fprintf(w, `{"messages":[%s,%s,%s],"next_page_uri":"%s?PageSize=3&Page=1&PageToken=PASM2"}`,
				item(sid("9"), "", "MG1111222233334444", "the newest", 9),
				item(sid("8"), "+15550001111", "MG9999", "another service", 8),
				item(sid("7"), "+15550001111", "MG1111222233334444", "seven", 7), path)
			return
		}
		_, _ = fmt.Fprintf(w, `{"messages":[%s,%s,%s],"next_page_uri":null}`,
			item(sid("7"), "+15550001111", "MG1111222233334444", "seven", 7), // shifted by a new message
			item(sid("0"), "", "MG1111222233334444", "in since's second", 0),
			item(sid("a"), "", "MG1111222233334444", "before", -1))
	})
	got, err := newClient(t, twilio.Config{}).List(t.Context(), message(server.URL), since)
	want := []twilio.Candidate{
		{SID: sid("0"), Body: "in since's second", Status: "queued", Service: "MG1111222233334444", Created: created(0)},
		{SID: sid("7"), Body: "seven", Status: "queued", Service: "MG1111222233334444", Created: created(7)},
		{SID: sid("9"), Body: "the newest", Status: "queued", Service: "MG1111222233334444", Created: created(9)},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	wantAsked := []string{
		"GET " + path + "?PageSize=1000&To=%2B15551234567 SK0123:sekret",
		"GET " + path + "?PageSize=3&Page=1&PageToken=PASM2 SK0123:sekret",
	}
	if !reflect.DeepEqual(asked, wantAsked) {
		t.Errorf("asked %q, want %q", asked, wantAsked)
	}
}

func TestListKnowsSenders(t *testing.T) {
	for _, tc := range []struct {
		from, listedFrom, service string
		want                      bool
	}{
		{"+15550001111", "+15550001111", "", true},
		{"15550001111", "+15550001111", "MG1", true},
		{"+1 (555) 000-1111", "+15550001111", "", true},
		{"+15550001112", "+15550001111", "", false},
		{"Acme", "ACME", "", true},
		{"Acme", "Acme2", "", false},
		{"12345", "12345", "", true},
		{"MG1", "", "MG1", true},
		{"MG1", "+15550001111", "MG2", false},
		{"whatsapp:+15550001111", "whatsapp:+15550001111", "", true},
		{"whatsapp:+15550001111", "+15550001111", "", false},
	} {
		server := serve(t, answer(200, page(item(sid("1"), tc.listedFrom, tc.service, "", 1))))
		m := message(server.URL)
		m.From = tc.from
		got, err := newClient(t, twilio.Config{}).List(t.Context(), m, since)
		if err != nil || (len(got) == 1) != tc.want {
			t.Errorf("%+v: got %+v, %v", tc, got, err)
		}
	}
}

func TestListKnowsRecipients(t *testing.T) {
	for _, tc := range []struct{ to, asked string }{
		{"+15551234567", "+15551234567"},
		{"+1 (555) 123-4567", "+15551234567"},
		{"2025550123", "+12025550123"},
		{"(202) 555-0123", "+12025550123"},
		{"12025550123", "+12025550123"},
		{"whatsapp:+15551234567", "whatsapp:+15551234567"},
		{"whatsapp:2025550123", "whatsapp:+12025550123"},
		{"messenger:123", "messenger:123"},
		{"12", ""},
		{"jane", ""},
		{"", ""},
		{"+1234567890123456789", ""},
	} {
		var asked string
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked = r.FormValue("To")
			answer(200, page())(w, r)
		})
		m := message(server.URL)
		m.To = tc.to
		got, err := newClient(t, twilio.Config{}).List(t.Context(), m, since)
		if asked != tc.asked || len(got) != 0 || (err == nil) != (tc.asked != "") {
			t.Errorf("%q: asked for %q, got %+v, %v; want %q", tc.to, asked, got, err, tc.asked)
		}
		if failure, ok := errors.AsType[*twilio.LookupError](err); err != nil && (!ok || failure.Retryable) {
			t.Errorf("%q: %v would be tried again", tc.to, err)
		}
	}
}

func TestListLeavesOutOthers(t *testing.T) {
	inbound := strings.Replace(item(sid("1"), "MG1111222233334444", "", "", 1), "outbound-api", "inbound", 1)
	other := strings.Replace(item(sid("2"), "", "MG1111222233334444", "", 1), "+15551234567", "+15557654321", 1)
	server := serve(t, answer(200, page(inbound, other)))
	got, err := newClient(t, twilio.Config{}).List(t.Context(), message(server.URL), since)
	if err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// endlessPages has a further page after each.
func endlessPages() http.HandlerFunc {
	var page atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		answer(200, fmt.Sprintf(`{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json?Page=%d"}`, page.Add(1)))(w, r)
	}
}

// manyCandidates has a thousand messages of the sender on each page.
func manyCandidates() http.HandlerFunc {
	var page atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		var messages []string
		for i := range 1000 {
			messages = append(messages, item(sid(fmt.Sprintf("%x", page.Load()<<16|int32(i))), "", "MG1111222233334444", "", 1))
		}
		answer(200, fmt.Sprintf(`{"messages":[%s],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json?Page=%d"}`, strings.Join(messages, ","), page.Add(1)))(w, r)
	}
}

// ringOfPages are three, of which the last leads to the second.
func ringOfPages() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next := map[string]string{"": "1", "1": "2", "2": "1"}[r.FormValue("Page")]
		answer(200, `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json?Page=`+next+`"}`)(w, r)
	}
}

func TestListErrors(t *testing.T) {
	other := item(sid("1"), "", "MG2", "", 1)
	undated := strings.Replace(item(sid("1"), "", "MG1111222233334444", "", 1), at(1), "yesterday", 1)
	type failure struct {
		Status, Code int
		Retryable    bool
		RetryAfter   time.Duration
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    failure
	}{
		"429":                    {answer(429, `{"code":20429}`, "Retry-After", "2"), failure{429, 20429, true, 2 * time.Second}},
		"503":                    {answer(503, `down`), failure{503, 0, true, 0}},
		"408":                    {answer(408, ``), failure{408, 0, true, 0}},
		"501":                    {answer(501, ``), failure{501, 0, false, 0}},
		"401":                    {answer(401, `{"code":20003,"message":"Authenticate"}`), failure{401, 20003, false, 0}},
		"a redirect":             {answer(302, ``, "Location", "https://elsewhere.example/"), failure{302, 0, false, 0}},
		"reset":                  {hangUp(""), failure{0, 0, true, 0}},
		"cut off":                {hangUp("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"messages\":[]"), failure{200, 0, true, 0}},
		"a proxy's page":         {answer(200, `<html>`), failure{200, 0, true, 0}},
		"no list":                {answer(200, `{"message":"hello"}`), failure{200, 0, true, 0}},
		"messages of other kind": {answer(200, `{"messages":"none"}`), failure{200, 0, true, 0}},
		"a message without date": {answer(200, `{"messages":[`+undated+`]}`), failure{200, 0, false, 0}},
		"next page is no list":   {answer(200, `{"messages":[],"next_page_uri":"https://elsewhere.example/x"}`), failure{200, 0, false, 0}},
		"next page without end":  {endlessPages(), failure{200, 0, false, 0}},
		"next page read already": {answer(200, `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
		"next page is the page":  {answer(200, `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json?PageSize=1000&To=%2B15551234567"}`), failure{200, 0, false, 0}},
		"next page of elsewhere": {answer(200, `{"messages":[],"next_page_uri":"https://elsewhere.example/2010-04-01/Accounts/AC0123/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
		"next page by //":        {answer(200, `{"messages":[],"next_page_uri":"//elsewhere.example/2010-04-01/Accounts/AC0123/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
		"next pages in a ring":   {ringOfPages(), failure{200, 0, false, 0}},
		"next page with a login": {answer(200, `{"messages":[],"next_page_uri":"http://user:secret@api.example/2010-04-01/Accounts/AC0123/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
		"next page above it":     {answer(200, `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC0123/Messages.json/../../AC9/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
		"compressed, unasked":    {answer(200, "\x1f\x8b\x08\x00"+strings.Repeat("\x00", 1<<20), "Content-Encoding", "gzip"), failure{200, 0, true, 0}},
		"an error with 200":      {answer(200, `{"code":20500,"message":"Internal","status":500}`), failure{200, 0, true, 0}},
		"an error of the key":    {answer(200, `{"code":20003,"message":"Authenticate","status":401}`), failure{200, 0, true, 0}},
		"no end":                 {answer(200, `{"messages":[]}`), failure{200, 0, true, 0}},
		"an end of other kind":   {answer(200, `{"messages":[],"next_page_uri":0}`), failure{200, 0, true, 0}},
		"messages are null":      {answer(200, `{"messages":null,"next_page_uri":null}`), failure{200, 0, true, 0}},
		"an end without list":    {answer(200, `{"next_page_uri":null}`), failure{200, 0, true, 0}},
		"texts for messages":     {answer(200, page(`"internal error"`)), failure{200, 0, true, 0}},
		"an error as a message":  {answer(200, page(`{"code":20500,"message":"Internal"}`)), failure{200, 0, true, 0}},
		"null":                   {answer(200, `null`), failure{200, 0, true, 0}},
		"a bare list":            {answer(200, `[]`), failure{200, 0, true, 0}},
		"a text":                 {answer(200, `"try again"`), failure{200, 0, true, 0}},
		"204":                    {answer(204, ``), failure{204, 0, true, 0}},
		"nothing, often":         {answer(200, `{"messages":[{},`+strings.Repeat("{},", 1<<20)+`{}]}`), failure{200, 0, true, 0}},
		"more than asked for":    {answer(200, `{"messages":[`+strings.Repeat(other+",", 1000)+other+`]}`), failure{200, 0, false, 0}},
		"a huge message":         {answer(200, `{"messages":[{"body":"`+strings.Repeat("x", 1<<20)+`"}]}`), failure{200, 0, true, 0}},
		"no SID":                 {answer(200, `{"messages":[`+strings.Replace(other, sid("1"), "SM1", 1)+`]}`), failure{200, 0, true, 0}},
		"another account's":      {answer(200, `{"messages":[`+strings.Replace(other, "{", `{"account_sid":"AC9",`, 1)+`]}`), failure{200, 0, false, 0}},
		"no recipient":           {answer(200, `{"messages":[`+strings.Replace(other, "+15551234567", "", 1)+`]}`), failure{200, 0, false, 0}},
		"no sender":              {answer(200, `{"messages":[`+item(sid("1"), "", "", "", 1)+`]}`), failure{200, 0, false, 0}},
		"too many candidates":    {manyCandidates(), failure{200, 0, false, 0}},
		"two values":             {answer(200, `{"messages":[]} {"messages":[]}`), failure{200, 0, true, 0}},
		"a load balancer's 404":  {answer(404, `<html>`), failure{404, 0, true, 0}},
		"a 404 that is cut off":  {hangUp("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{"), failure{404, 0, true, 0}},
		"next page of another":   {answer(200, `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC9999/Messages.json?Page=1"}`), failure{200, 0, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				tc.handler(w, r)
			})
			wantRequests := int32(1)
			switch name {
			case "next page without end":
				wantRequests = 20
			case "next page read already", "too many candidates":
				wantRequests = 2
			case "next pages in a ring":
				wantRequests = 3
			}
			got, err := newClient(t, twilio.Config{}).List(t.Context(), message(server.URL), since)
			if n := requests.Load(); n != wantRequests {
				t.Errorf("%d requests, want %d", n, wantRequests)
			}
			e, ok := errors.AsType[*twilio.LookupError](err)
			if !ok || got != nil {
				t.Fatalf("got %+v, %v", got, err)
			}
			if f := (failure{e.Status, e.Code, e.Retryable, e.RetryAfter}); f != tc.want {
				t.Errorf("got %+v, want %+v", f, tc.want)
			}
			if strings.Contains(err.Error(), "5551234567") {
				t.Errorf("error tells the number: %v", err)
			}
		})
	}
}

func TestListTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := servePipe(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
		defer stop()
		_, err := newClient(t, twilio.Config{HTTP: client}).List(t.Context(), message("http://api.example"), since)
		e, ok := errors.AsType[*twilio.LookupError](err)
		if !ok || !e.Retryable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
