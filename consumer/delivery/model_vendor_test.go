package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
	"engage-worker/internal/pause"
)

// answerKind is what the vendor makes of a request.
type answerKind uint8

const (
	accepts       answerKind = iota + 1 // 201
	refuses                             // a 4xx
	throttles                           // 429
	unreachable                         // no connection
	breaks                              // 500, and it isn't sent
	breaksAfter                         // 500, and it is sent
	swallows                            // no answer, and it isn't sent
	silent                              // no answer, and it is sent
	refusesKey                          // 401, which every message of the account meets
	refusesSender                       // a 4xx, which every message of the sender may meet
)

func (k answerKind) String() string {
	return [...]string{accepts: "accepts", refuses: "refuses", throttles: "throttles", unreachable: "unreachable",
		breaks: "breaks", breaksAfter: "breaksAfter", swallows: "swallows", silent: "silent", refusesKey: "refusesKey", refusesSender: "refusesSender"}[k]
}

// answer is what comes of one request, and how long each part of it takes.
// What left reaches the vendor within a request's time, and the list shows it
// within the settling delay: nothing could be known otherwise.
type answer struct {
	Kind                   answerKind
	Connect, Travel, Reply time.Duration
	Lag                    time.Duration // from acceptance until the list shows it
}

// listing is what comes of asking for the message list.
type listing struct {
	Status int    // 0: it answers
	Body   string // with this in place of the messages, and 200
	Takes  time.Duration
}

// vendor is Twilio, as one destination meets it. All is guarded by world.mu.
type vendor struct {
	world    *world
	attempts map[string]int // by messageId
	asked    int            // for the list
	*mailbox
}

// mailbox is what Twilio has taken, from whichever destination.
type mailbox struct {
	mu       sync.Mutex
	messages []sent
}

type sent struct {
	sid, body     string
	account, from string
	at, shown     time.Time
}

var texts = []string{"one", "two", "three", "four"}

func body(text int) string {
	return "Hi Ann, your order " + texts[text] + " has left, and will be with you soon"
}

// message is a delivery's. All go to one person, whose number events write as
// they like, through a messaging service or from one of its numbers.
func (v *vendor) message(id string) *twilio.Message {
	_, i := eventOf(id)
	m := &twilio.Message{From: "MG1", Body: body(v.world.plan.textOf(id)), Form: []twilio.FormValue{{Name: "id", Value: id}}}
	m.To = []string{"+14155550100", "+1 (415) 555-0100", "415-555-0100"}[i%3]
	if i < len(v.world.plan.Numbers) && v.world.plan.Numbers[i] {
		m.From = "+14155550199"
	}
	return m
}

// next is what comes of a delivery's next request: as planned, then all is well.
func (v *vendor) next(id string) answer {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	if v.attempts == nil {
		v.attempts = map[string]int{}
	}
	i := number(id)
	if i >= behind { // as the next event's first
		i = (i - behind + 1) % len(v.world.plan.Texts)
	}
	n := v.attempts[id]
	v.attempts[id]++
	if i < len(v.world.plan.Answers) && n < len(v.world.plan.Answers[i]) {
		return v.world.plan.Answers[i][n]
	}
	return answer{Kind: accepts, Travel: 50 * time.Millisecond, Reply: 50 * time.Millisecond, Lag: time.Second}
}

// accept takes a message; the list shows it later.
func (v *vendor) accept(m *twilio.Message, lag time.Duration) (sid string) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	sid = fmt.Sprint("SM", len(v.messages))
	v.messages = append(v.messages, sent{sid: sid, body: m.Body, account: m.Account, from: m.From, at: time.Now(), shown: time.Now().Add(lag)})
	v.world.note(nil, "Twilio takes %s as %s", m.Form[0].Value, sid)
	return sid
}

// taken is how often a text was accepted.
func (v *mailbox) taken(body string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.messages {
		if m.body == body {
			n++
		}
	}
	return n
}

// Send makes one request. A process that is frozen before it leaves doesn't
// notice that its context has ended: no timer has fired yet.
func (o *owner) Send(ctx context.Context, m *twilio.Message, leave func() error) twilio.Result {
	w, id := o.world, m.Form[0].Value
	w.mu.Lock()
	if !w.owns(o) {
		w.fault("generation %d begins to send %s without a lease", o.generation, id)
	}
	if o.tenure.Corrected && !o.reads(id) {
		w.fault("generation %d sends %s from a retry topic, which its trigger doesn't want", o.generation, id)
	}
	w.mu.Unlock()
	a := w.vendor.next(id)
	if w.onSend != nil {
		a = w.onSend(o, m)
	}
	unavailable := func(err error) twilio.Result {
		return twilio.Result{Kind: outcome.Unavailable, Reason: outcome.ReasonTwilioUnavailable, Err: err}
	}
	if !pause.For(ctx, a.Connect) {
		return unavailable(context.Cause(ctx))
	}
	if a.Kind == unreachable {
		return unavailable(errors.New("connection refused"))
	}
	if !o.step() {
		return unavailable(context.Canceled)
	}
	if err := leave(); err != nil {
		return unavailable(err)
	}
	w.mu.Lock()
	if !w.owns(o) {
		w.fault("generation %d sends %s without a lease", o.generation, id)
	}
	switch at, ok := w.intended(o, o.recordKey(id)); {
	case !ok:
		w.fault("generation %d sends %s without an intent", o.generation, id)
	case time.Since(at) > requestTimeout+time.Millisecond:
		w.fault("generation %d sends %s %v after its intent: who finds that counts on %v", o.generation, id, time.Since(at), requestTimeout)
	}
	w.note(o, "%s leaves: %v", id, a)
	w.mu.Unlock()
	return o.answer(ctx, m, a)
}

// answer is what comes of a request that has left, whatever becomes of who
// sent it.
func (o *owner) answer(ctx context.Context, m *twilio.Message, a answer) twilio.Result {
	arrived := make(chan string, 1)
	time.AfterFunc(a.Travel, func() {
		switch a.Kind {
		case accepts, breaksAfter, silent:
			arrived <- o.world.vendor.accept(m, a.Lag)
		default:
			arrived <- ""
		}
	})
	ambiguous := func(status int, err error) twilio.Result {
		return twilio.Result{Kind: outcome.Ambiguous, Reason: outcome.ReasonOutcomeUnknown, Status: status, Err: err}
	}
	var sid string
	select {
	case sid = <-arrived:
	case <-ctx.Done():
		return ambiguous(0, context.Cause(ctx))
	}
	if a.Kind == silent || a.Kind == swallows || !pause.For(ctx, a.Reply) {
		<-ctx.Done()
		return ambiguous(0, context.Cause(ctx))
	}
	if !o.step() {
		return ambiguous(0, context.Canceled)
	}
	switch a.Kind {
	case accepts:
		return twilio.Result{Kind: outcome.Sent, Status: 201, SID: sid}
	case refuses:
		return twilio.Result{Kind: outcome.Refused, Status: 400, Reason: outcome.ReasonTwilioRejected, Err: errors.New("refused")}
	case refusesKey:
		return refusal(401, 20003, twilio.ConcernsAccount)
	case refusesSender:
		return refusal(400, 21606, twilio.ConcernsSender)
	case throttles:
		return twilio.Result{Kind: outcome.Throttled, Status: 429, Reason: outcome.ReasonRateLimited, RetryAfter: time.Second, Err: errors.New("too many")}
	default:
		return ambiguous(500, errors.New("a server error"))
	}
}

func refusal(status, code int, about twilio.Concern) twilio.Result {
	return twilio.Result{Kind: outcome.Refused, Status: status, Code: code, Concerns: about, Reason: twilio.ReasonOf(code), Err: errors.New("refused")}
}

// Find asks for the list.
func (o *owner) Find(ctx context.Context, m *twilio.Message, since time.Time) ([]twilio.Candidate, error) {
	w := o.world
	if !o.step() {
		return nil, context.Canceled
	}
	l := listing{Takes: 20 * time.Millisecond}
	var found []twilio.Candidate
	w.mu.Lock()
	if w.vendor.asked < len(w.plan.Lists) {
		l = w.plan.Lists[w.vendor.asked]
	}
	w.vendor.asked++
	if w.onList != nil {
		l = w.onList(m.Form[0].Value)
	}
	w.vendor.mu.Lock()
	for _, s := range w.vendor.messages {
		sender := s.from == m.From || m.From != "MG1" // the service may have sent from the number
		if s.account == m.Account && sender && !s.shown.After(time.Now()) && !s.at.Before(since) {
			service := ""
			if s.from == "MG1" {
				service = s.from
			}
			found = append(found, twilio.Candidate{SID: s.sid, Body: s.body, Service: service, Created: s.at})
		}
	}
	w.vendor.mu.Unlock()
	w.note(o, "asks the list of %s: %d messages, %v", m.Account, len(found), l)
	w.mu.Unlock()
	if !pause.For(ctx, l.Takes) {
		return nil, &twilio.LookupError{Op: "list", Retryable: true, Err: ctx.Err()}
	}
	if !o.step() {
		return nil, context.Canceled
	}
	if l.Body != "" {
		return readList(ctx, l.Body, m, since)
	}
	if l.Status == 401 {
		return nil, &twilio.LookupError{Op: "list", Status: 401, Code: 20003}
	}
	if l.Status != 0 {
		return nil, &twilio.LookupError{Op: "list", Status: l.Status, Retryable: l.Status != 403}
	}
	return found, nil
}

// readList is what the worker's own client makes of a list that is answered with
// 200 and this body.
func readList(ctx context.Context, body string, m *twilio.Message, since time.Time) ([]twilio.Candidate, error) {
	client, err := twilio.New(twilio.Config{AccountSID: "AC1", KeySID: "SK1", KeySecret: "secret", HTTP: &http.Client{Transport: answering(body)}})
	if err != nil {
		return nil, err
	}
	asked := *m
	asked.BaseURL = "http://api.example"
	return client.List(ctx, &asked, since)
}

// answering answers every request with itself.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
