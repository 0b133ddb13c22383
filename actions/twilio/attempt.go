package twilio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"

	"engage-worker/actions/internal/lookup"
	"engage-worker/actions/weburl"
)

// attempt is twilio-go's BaseClient for one request. It carries what twilio-go
// has no place for (a context, the shared connections, form values that
// CreateMessageParams lacks) and keeps what twilio-go drops (the status, the
// headers, whether anything was written). It is one allocation with all that
// it takes, but isn't used again: net/http may look at its trace after the
// attempt has ended.
type attempt struct {
	ctx    context.Context
	leave  func() error // asked right before the request is written
	client *Client
	msg    *Message

	handler client.RequestHandler // twilio-go's, which calls SendRequest
	trace   httptrace.ClientTrace
	body    *bytes.Buffer // where the answer's is read into

	written atomic.Bool // a connection was given the request: any byte of it may be out
	kept    error       // leave's, which kept the request back
	got     Attempt
}

// userAgent names both parties, as Twilio asks of its SDK's users.
const userAgent = "engage-worker twilio-go/" + client.LibraryVersion

// errDone ends twilio-go's part: it would decode the whole message, which is
// most of an attempt's work, and believe any SID. What happened is in
// attempt.got.
var errDone = errors.New("nothing to decode")

// AccountSid fills the path that twilio-go makes.
func (a *attempt) AccountSid() string { return a.client.accountSID }

// SetTimeout does nothing: the context limits the attempt.
func (a *attempt) SetTimeout(time.Duration) {}

// SetOauth does nothing: the account's API key authenticates.
func (a *attempt) SetOauth(client.OAuth) {}

// OAuth is none.
func (a *attempt) OAuth() client.OAuth { return nil }

// SendRequest posts the message's form to the message's host. Of rawURL only
// the path counts: twilio-go knows one host. data is empty, since the form is
// the message's.
func (a *attempt) SendRequest(_, rawURL string, _ url.Values, _ map[string]any, _ ...byte) (*http.Response, error) {
	_, rest, _ := strings.Cut(rawURL, "://")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return nil, a.fail(errors.New("twilio-go made a URL without a path"))
	}
	post, err := a.client.postTo(address{a.msg.BaseURL, rest[slash:]})
	if err != nil {
		return nil, a.fail(err)
	}
	a.trace.GetConn, a.trace.GotConn = a.connect, a.connected
	form := encodeForm(a.msg.Form)
	req := post.WithContext(httptrace.WithClientTrace(a.ctx, &a.trace))
	req.ContentLength = int64(len(form))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(form)), nil }
	req.Body, _ = req.GetBody()
	resp, err := a.client.transport.RoundTrip(req)
	if err != nil {
		return nil, a.fail(lookup.StripURL(err))
	}
	a.got.Status, a.got.Header = resp.StatusCode, resp.Header
	a.got.Err = lookup.ReadBody(a.body, resp.Body, maxSendBody)
	a.got.Body = a.body.Bytes()
	return nil, errDone
}

// connect is told before each connection that is tried; net/http tries another
// one for a POST only when nothing of it was written.
func (a *attempt) connect(string) { a.written.Store(false) }

// connected is told at the last moment before the request is written: finding
// or making the connection may have taken long.
func (a *attempt) connected(got httptrace.GotConnInfo) {
	if a.kept = a.leave(); a.kept != nil {
		got.Conn.Close()
		return
	}
	a.written.Store(true)
}

func (a *attempt) fail(err error) error {
	a.got.Err = err
	return errDone
}

// encodeForm is form as application/x-www-form-urlencoded, in its order.
func encodeForm(form []FormValue) []byte {
	size := 0
	for _, v := range form {
		size += len(v.Name) + 2*len(v.Value) + 2
	}
	b := make([]byte, 0, size) // as a rule
	for i, v := range form {
		if i > 0 {
			b = append(b, '&')
		}
		b = weburl.AppendParam(b, v.Name, v.Value)
	}
	return b
}
