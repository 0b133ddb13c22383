package twilio_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// lateEnd is a context that turns out to have ended only when it is asked for
// the nth time, as a lease does in a process that was frozen in between.
type lateEnd struct {
	context.Context
	asked atomic.Int32
	after int32
}

var errLate = errors.New("ended meanwhile")

func (c *lateEnd) Err() error {
	if c.asked.Add(1) > c.after {
		return errLate
	}
	return c.Context.Err()
}

func TestNothingLeavesOnceTheContextHasEnded(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	c, err := twilio.New(twilio.Config{AccountSID: "AC1", KeySID: "SK1", KeySecret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for after := range int32(4) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // as the lease's own timer
		late := &lateEnd{Context: ctx, after: after}
		before := requests.Load()
		result := c.Send(late, &twilio.Message{BaseURL: server.URL, To: "+15551234567", From: "+15550001111", Form: []twilio.FormValue{{Name: "Body", Value: "hi"}}})
		cancel()
		left := requests.Load() != before
		if after == 0 && (left || result.Kind != outcome.Unavailable) {
			t.Errorf("ended before the request was written: left %t, result %v", left, result.Kind)
		}
		if left && result.Kind != outcome.Ambiguous {
			t.Errorf("ended at question %d: the request left, and its result is %v", after+1, result.Kind)
		}
	}
}
