package twilio_test

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

var errKept = errors.New("not any more")

// TestLeaveKeepsTheRequestBack: on a new connection and on a kept one, for good.
func TestLeaveKeepsTheRequestBack(t *testing.T) {
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(201, `{"sid":"`+sid("1")+`"}`)(w, r)
	})
	c := newClient(t, twilio.Config{})
	refuse := func() error { return errKept }
	send := func(leave func() error, want verdict, reached int32) {
		t.Helper()
		r := c.Send(t.Context(), message(server.URL), leave)
		if got := verdictOf(t, r); got != want || requests.Load() != reached {
			t.Errorf("got %+v, %v; want %+v; %d requests, want %d", got, r.Err, want, requests.Load(), reached)
		}
		if want == unavailable && !errors.Is(r.Err, errKept) {
			t.Errorf("it is said to be because of %v", r.Err)
		}
	}
	sent := verdict{Kind: outcome.Sent, SID: sid("1"), Status: 201}
	send(refuse, unavailable, 0)
	send(leave, sent, 1)
	send(refuse, unavailable, 1) // the kept connection
	send(leave, sent, 2)
	asked := 0
	send(func() error {
		asked++
		return errKept
	}, unavailable, 2)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestLeaveIsAskedOnTheConnection: what it takes to connect, be it long, is
// over by then.
func TestLeaveIsAskedOnTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var arrived time.Duration
		client, stop := serveSlowPipe(t, 3*time.Second, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			arrived = time.Since(start)
			answer(201, `{"sid":"`+sid("1")+`"}`)(w, r)
		})
		defer stop()
		var asked time.Duration
		r := newClient(t, twilio.Config{HTTP: client}).Send(t.Context(), message("http://api.example"), func() error {
			asked = time.Since(start)
			return nil
		})
		if r.Kind != outcome.Sent || asked != 3*time.Second || arrived != asked {
			t.Errorf("%v; asked after %v, arrived after %v; want 3s", r.Kind, asked, arrived)
		}
	})
}
