package twilio_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// newClient is a client with its own connections, closed with the test.
func newClient(t testing.TB, cfg twilio.Config) *twilio.Client {
	t.Helper()
	cfg.AccountSID, cfg.KeySID, cfg.KeySecret = "AC0123", "SK0123", "sekret"
	c, err := twilio.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a server for the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func message(baseURL string) *twilio.Message {
	return &twilio.Message{
		BaseURL: baseURL,
		To:      "+15551234567", From: "MG1111222233334444", Body: "Hi Jane & co",
		Form: []twilio.FormValue{
			{Name: "Body", Value: "Hi Jane & co"}, {Name: "From", Value: "MG1111222233334444"}, {Name: "To", Value: "+15551234567"},
			{Name: "ShortenUrls", Value: "true"}, {Name: "MediaUrl", Value: "https://a.example/1.png"}, {Name: "MediaUrl", Value: "https://a.example/2.png"},
			{Name: "Tags", Value: `{"k":"v"}`},
		},
	}
}

func TestSendPostsTheForm(t *testing.T) {
	var got *http.Request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = r
		w.Header().Set("Twilio-Request-Id", "RQ1")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"sid":"SM1","status":"queued","num_segments":"1"}`))
	})
	r := newClient(t, twilio.Config{}).Send(context.Background(), message(server.URL))
	if r.Err != nil || r.Kind != outcome.Sent || r.SID != "SM1" || r.RequestID != "RQ1" {
		t.Fatalf("%+v", r)
	}
	t.Log(got.URL, got.PostForm, got.Header)
}
