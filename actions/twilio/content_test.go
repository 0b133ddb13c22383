package twilio_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/twilio"
)

func TestContent(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []twilio.ContentType
	}{
		"text": {`{"sid":"HX9","types":{"twilio/text":{"body":"Hi {{1}}"}}}`, []twilio.ContentType{{Name: "twilio/text", Body: "Hi {{1}}"}}},
		"media": {`{"types":{"twilio/media":{"body":"x","media":["https://a.example/1","https://a.example/2"]}}}`,
			[]twilio.ContentType{{Name: "twilio/media", Body: "x", Media: []string{"https://a.example/1", "https://a.example/2"}}}},
		"in Twilio's order": {`{"types":{"whatsapp/card":{},"twilio/text":{"body":""},"a/first":{"body":null}}}`,
			[]twilio.ContentType{{Name: "whatsapp/card"}, {Name: "twilio/text"}, {Name: "a/first"}}},
		"no type":                  {`{"types":{}}`, nil},
		"a form that is a text":    {`{"types":{"twilio/text":"x"}}`, []twilio.ContentType{{Name: "twilio/text", Malformed: true}}},
		"a body that is a list":    {`{"types":{"twilio/text":{"body":[]}}}`, []twilio.ContentType{{Name: "twilio/text", Body: "[]", Malformed: true}}},
		"media that are a text":    {`{"types":{"twilio/media":{"media":"x"}}}`, []twilio.ContentType{{Name: "twilio/media", Media: []string{"x"}, Malformed: true}}},
		"a medium that is no text": {`{"types":{"twilio/media":{"media":[null]}}}`, []twilio.ContentType{{Name: "twilio/media", Media: []string{""}, Malformed: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if user, password, _ := r.BasicAuth(); r.RequestURI != "/v1/Content/HX9" || user != "SK0123" || password != "sekret" {
					t.Errorf("%s by %s:%s", r.RequestURI, user, password)
				}
				answer(200, tc.body)(w, r)
			})
			got, err := newClient(t, twilio.Config{}).Content(t.Context(), server.URL, "HX9")
			if want := (twilio.ContentTemplate{SID: "HX9", Types: tc.want}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestContentErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		handler       http.HandlerFunc
		sid           string
		wantStatus    int
		wantRetryable bool
		wantRequests  int32
	}{
		"404":      {answer(404, `{"code":20404}`), "HX9", 404, false, 1},
		"503":      {answer(503, ``), "HX9", 503, true, 3},
		"no types": {answer(200, `{"sid":"HX9"}`), "HX9", 200, true, 1},
		"an error": {answer(200, `{"code":20500,"message":"Internal","status":500}`), "HX9", 200, true, 1},
		"no JSON":  {answer(200, `<html>`), "HX9", 200, true, 3},
		"null":     {answer(200, `null`), "HX9", 200, true, 1},
		"a crowd":  {answer(200, `{"types":{"twilio/media":{"media":[`+strings.Repeat(`"x",`, 1000)+`"x"]}}}`), "HX9", 200, false, 1},
		"no SID":   {answer(200, ``), "", 0, false, 0},
		"dots":     {answer(200, ``), "..", 0, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int32
				client, stop := servePipe(t, func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					tc.handler(w, r)
				})
				defer stop()
				_, err := newClient(t, twilio.Config{HTTP: client}).Content(t.Context(), "http://content.example", tc.sid)
				e, ok := errors.AsType[*twilio.LookupError](err)
				if !ok || e.Status != tc.wantStatus || e.Retryable != tc.wantRetryable || requests.Load() != tc.wantRequests {
					t.Errorf("got %+v after %d requests", err, requests.Load())
				}
			})
		})
	}
}

func TestTemplatesAreRememberedAndMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		client, stop := servePipe(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			time.Sleep(time.Second)
			answer(200, `{"types":{"twilio/text":{"body":"x"}}}`)(w, r)
		})
		defer stop()
		var mu sync.Mutex
		observed := map[string]int{}
		templates := twilio.NewTemplates(newClient(t, twilio.Config{HTTP: client}), func(kind, result string) {
			mu.Lock()
			defer mu.Unlock()
			observed[kind+" "+result]++
		})
		get := func(ctx context.Context) error {
			got, err := templates.Get(ctx, "http://content.example", "HX9")
			if err == nil && (len(got.Types) != 1 || got.Types[0].Body != "x") {
				t.Errorf("got %+v", got)
			}
			return err
		}
		var callers sync.WaitGroup
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		callers.Go(func() {
			e, ok := errors.AsType[*twilio.LookupError](get(impatient))
			if !ok || !e.Retryable || !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("the impatient one got %v", e)
			}
		})
		synctest.Wait() // the impatient one fetches
		for range 9 {
			callers.Go(func() {
				if err := get(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if err := get(t.Context()); err != nil || requests.Load() != 2 {
			t.Errorf("%v after %d requests", err, requests.Load())
		}
		time.Sleep(5 * time.Minute)
		if err := get(t.Context()); err != nil || requests.Load() != 3 {
			t.Errorf("%v after %d requests", err, requests.Load())
		}
		want := map[string]int{"content error": 1, "content ok": 2, "content merged": 8, "content hit": 1}
		if !reflect.DeepEqual(observed, want) {
			t.Errorf("observed %v, want %v", observed, want)
		}
	})
}
