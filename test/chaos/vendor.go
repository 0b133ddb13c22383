package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

// vendor is the simulated Twilio behind a proxy, and notes every request.
type vendor struct {
	sim    *twiliosim.Sim
	proxy  *proxy
	server *httptest.Server

	mu       sync.Mutex
	requests []evidence.Request
}

func startVendor(opts twiliosim.Options) (*vendor, error) {
	sim, err := twiliosim.New(opts)
	if err != nil {
		return nil, err
	}
	v := &vendor{sim: sim}
	v.server = httptest.NewServer(v)
	if v.proxy, err = openProxy(fixed(v.server.Listener.Addr().String())); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// ServeHTTP notes the request and leaves it to the simulator.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := evidence.Request{At: time.Now(), Method: r.Method, To: r.URL.Query().Get("To")}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		form, perr := url.ParseQuery(string(body))
		if err != nil || perr != nil {
			panic(http.ErrAbortHandler) // the request broke off: Twilio never had it
		}
		req.Ref, req.To, req.Sender = evidence.RefOf([]byte(form.Get("Body"))), form.Get("To"), form.Get("From")
	}
	noted := &answered{ResponseWriter: w}
	defer func() {
		req.Ended, req.Status = time.Now(), noted.status
		v.mu.Lock()
		v.requests = append(v.requests, req)
		v.mu.Unlock()
	}()
	v.sim.ServeHTTP(noted, r)
}

// answered remembers the status.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Hijack lets the simulator break the connection.
func (a *answered) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// accepted counts the messages so far.
func (v *vendor) accepted() int { return int(v.sim.Stats().Accepted) }

// history is what came, and what was accepted.
func (v *vendor) history() ([]evidence.Request, []evidence.Message) {
	var messages []evidence.Message
	for m := range v.sim.Messages() {
		messages = append(messages, evidence.Message{
			Ref: evidence.RefOf([]byte(m.Value("Body"))), Action: actionOf(m.Value("Body")), At: m.AcceptedAt, SID: m.SID, To: m.To, Sender: m.Sender(), Fault: m.Fault, Received: m.ReceivedAt,
			End: m.End, Code: m.Code,
		})
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]evidence.Request(nil), v.requests...), messages
}

// Close ends it with what is under way.
func (v *vendor) Close() {
	if v.proxy != nil {
		v.proxy.Close()
	}
	v.sim.Close() // what waits for ever goes
	v.server.Close()
}
