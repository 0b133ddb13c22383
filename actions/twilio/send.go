package twilio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// errBaseURL is a message that no request can be made of.
var errBaseURL = errors.New("the message's base URL is not a URL")

// bodies are buffers for answers: an answer is looked at within Send only.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Send makes one attempt at sending m: one request, no retry, and no
// redirect. It ends with ctx; where ctx has no deadline, after the client's
// timeout. leave is asked on the connection, right before the request is written; its
// error keeps the request back. When that or ctx ended the attempt, Result.Err
// wraps leave's error or ctx.Err(), and the kind says whether the request had
// left: Unavailable (it hadn't) or Ambiguous. One message is sent by one
// goroutine at a time.
func (c *Client) Send(ctx context.Context, m *Message, leave func() error) Result {
	a := &attempt{ctx: ctx, leave: leave, client: c, msg: m, body: bodies.Get().(*bytes.Buffer)}
	a.body.Reset()
	defer bodies.Put(a.body)
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		a.ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	// Made here and not by twilio-go, which asks the environment for
	// TWILIO_EDGE and TWILIO_REGION: nobody's setting here.
	a.handler.Client = a

	// No parameters: m.Form is the whole form, and holds names that
	// CreateMessageParams lacks. What came of it is in a.got, in full.
	_, _ = api.NewApiService(&a.handler).CreateMessage(nil)
	return a.result(ctx)
}

// result is what the attempt came to.
func (a *attempt) result(ctx context.Context) Result {
	a.got.Account, a.got.To, a.got.Lone = a.client.accountSID, a.msg.To, !a.msg.notFound
	a.got.Written = a.written.Load()
	a.got.At = a.client.now()
	// net/http reports a closed connection, or a cause of ctx's own.
	ended := a.kept
	if ended == nil {
		ended = ctx.Err()
	}
	if ended != nil && a.got.Err != nil && !errors.Is(a.got.Err, ended) {
		a.got.Err = fmt.Errorf("%w: %w", ended, a.got.Err)
	}
	r := Classify(a.got)
	a.msg.notFound = notFound(r.Status, r.Code)
	return r
}
