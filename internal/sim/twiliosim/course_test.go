package twiliosim

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twilio/twilio-go/client"
)

// ends are the messages' by their order, after n of them.
func ends(t *testing.T, course Course, n int) []string {
	t.Helper()
	s := newSim(t, Options{Course: course})
	for i := range n {
		form := sms(fmt.Sprintf("whatsapp:+1555%07d", i), "hi")
		form.Set("From", "whatsapp:+15005550006")
		send(t, s, form)
	}
	var all []string
	for m := range s.Messages() {
		all = append(all, fmt.Sprint(m.End, m.Code))
	}
	counted := map[string]uint64{}
	for _, end := range all {
		counted[map[string]string{"0": "delivered", "read0": "read", "failed21610": "failed", "undelivered30005": "undelivered", "undelivered30008": "undelivered"}[end]]++
	}
	if got := s.Stats().Ends; !reflect.DeepEqual(got, counted) {
		t.Errorf("stats say %v, the messages %v", got, counted)
	}
	return all
}

func TestCourseIsDrawnFromItsSeed(t *testing.T) {
	course := Course{Seed: 7, Failed: 0.1, Undelivered: 0.2, FailedCodes: []int{21610}, UndeliveredCodes: []int{30005, 30008}, Read: 0.5}
	first := ends(t, course, 2000)
	if again := ends(t, course, 2000); !slices.Equal(again, first) {
		t.Error("another course of the same seed")
	}
	count := map[string]int{}
	for _, end := range first {
		count[end]++
	}
	for end, want := range map[string]int{"failed21610": 200, "undelivered30005": 200, "undelivered30008": 200, "read0": 700, "0": 700} {
		if got := count[end]; got < want*8/10 || got > want*12/10 {
			t.Errorf("%d of 2000 end as %s, about %d wanted", got, end, want)
		}
	}
	course.Seed++
	if other := ends(t, course, 2000); slices.Equal(other, first) {
		t.Error("the same course of another seed")
	}
}

func TestStatusesAsTimeGoesBy(t *testing.T) {
	type shown struct {
		Status   string
		Code     int
		Sent     bool
		Segments string
	}
	for _, test := range []struct {
		name   string
		course Course
		want   []shown // at 0, 1, 3 and 5 s
	}{
		{"delivered", Course{}, []shown{{"accepted", 0, false, "0"}, {"sent", 0, true, "1"}, {"delivered", 0, true, "1"}, {"delivered", 0, true, "1"}}},
		{"read", Course{Read: 1}, []shown{{"accepted", 0, false, "0"}, {"sent", 0, true, "1"}, {"delivered", 0, true, "1"}, {"read", 0, true, "1"}}},
		{"undelivered", Course{Undelivered: 1}, []shown{{"accepted", 0, false, "0"}, {"sent", 0, true, "1"}, {"undelivered", 30003, true, "1"}, {"undelivered", 30003, true, "1"}}},
		{"failed", Course{Failed: 1, FailAfter: time.Second, FailedCodes: []int{63016}}, []shown{{"accepted", 0, false, "0"}, {"failed", 63016, false, "0"}, {"failed", 63016, false, "0"}, {"failed", 63016, false, "0"}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, Options{Course: test.course})
			sid := send(t, s, url.Values{"To": {"whatsapp:+15551234567"}, "From": {testService}, "Body": {"hi"}})
			at := time.Duration(0)
			for i, next := range []time.Duration{0, time.Second, 3 * time.Second, 5 * time.Second} {
				time.Sleep(next - at)
				at = next
				_, one := call(t, s, "GET", strings.TrimSuffix(messages, ".json")+"/"+sid+".json", "")
				_, list := call(t, s, "GET", messages, "")
				for _, r := range []resource{decode[resource](t, one), *decode[messagePage](t, list).Messages[0]} {
					got := shown{r.Status, 0, r.DateSent != nil, r.NumSegments}
					if r.ErrorCode != nil {
						got.Code = *r.ErrorCode
					}
					if got != test.want[i] {
						t.Errorf("%s after %v: %+v, want %+v", test.name, at, got, test.want[i])
					}
				}
			}
		})
	}
}

// receiver is a server that keeps what is posted to it.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	posted []url.Values
	answer func(n int) int // the status of the n-th answer
}

func newReceiver(t *testing.T, validator *client.RequestValidator, answer func(n int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		params := map[string]string{}
		for name := range form {
			params[name] = form.Get(name)
		}
		if validator != nil && !validator.Validate("http://"+req.Host+req.RequestURI, params, req.Header.Get("X-Twilio-Signature")) {
			t.Error("the signature is wrong")
		}
		r.mu.Lock()
		r.posted = append(r.posted, form)
		n := len(r.posted)
		r.mu.Unlock()
		w.WriteHeader(r.answer(n))
	}))
	t.Cleanup(r.Close)
	return r
}

// byStatus is what was posted, the first of each status.
func (r *receiver) byStatus() map[string]url.Values {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]url.Values{}
	for _, form := range slices.Backward(r.posted) {
		all[form.Get("MessageStatus")] = form
	}
	return all
}

func answered(int) int { return http.StatusNoContent }

// settled waits until so many callbacks have come to their end.
func settled(s *Sim, n uint64) CallbackStats {
	for {
		c := s.Stats().Callbacks
		if c.Answered+c.Failed+c.Lost == n {
			return c
		}
		time.Sleep(time.Millisecond)
	}
}

func quick(course Course) Options {
	return Options{SentAfter: time.Millisecond, DeliveredAfter: 30 * time.Millisecond, AuthToken: "token", Course: course}
}

func TestCallbacks(t *testing.T) {
	validator := client.NewRequestValidator("token")
	r := newReceiver(t, &validator, answered)
	s := newSim(t, quick(Course{Read: 1, ReadAfter: 60 * time.Millisecond}))
	form := url.Values{"To": {"whatsapp:+15551234567"}, "From": {testService}, "Body": {"hi"}, "StatusCallback": {r.URL + "/cb?a=b%20c&z=1#rp=all&rc=2"}}
	sid := send(t, s, form)
	if got, want := settled(s, 3), (CallbackStats{Answered: 3, Tries: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want := func(status string) url.Values {
		f := url.Values{
			"MessageSid": {sid}, "SmsSid": {sid}, "MessageStatus": {status}, "SmsStatus": {status}, "AccountSid": {testAccount}, "To": {"whatsapp:+15551234567"},
			"MessagingServiceSid": {testService}, "ApiVersion": {"2010-04-01"}, "ChannelPrefix": {"whatsapp"}, "ChannelToAddress": {"+15551234567"},
		}
		if status == "read" {
			f.Set("EventType", "READ")
		}
		return f
	}
	posted := r.byStatus()
	for _, status := range []string{"sent", "delivered", "read"} {
		got := posted[status]
		if !strings.HasPrefix(got.Get("From"), "whatsapp:+1500555") {
			t.Errorf("from %q", got.Get("From"))
		}
		got.Del("From")
		if !reflect.DeepEqual(got, want(status)) {
			t.Errorf("callback of %s:\n got %v\nwant %v", status, got, want(status))
		}
	}
}

func TestCallbackOfAFailure(t *testing.T) {
	r := newReceiver(t, nil, answered)
	s := newSim(t, quick(Course{Undelivered: 1, UndeliveredCodes: []int{30006}}))
	form := sms("+15551234567", "hi")
	form.Set("StatusCallback", r.URL)
	send(t, s, form)
	settled(s, 2)
	posted := r.byStatus()
	if got := posted["undelivered"]; got.Get("ErrorCode") != "30006" || len(got.Get("RawDlrDoneDate")) != 10 || posted["sent"] == nil || posted["sent"].Has("ErrorCode") {
		t.Errorf("%v", posted)
	}
}

func TestCallbackRetries(t *testing.T) {
	failing := func(status, times int) func(int) int {
		return func(n int) int {
			if n <= times {
				return status
			}
			return http.StatusOK
		}
	}
	for _, test := range []struct {
		name, fragment string
		answer         func(int) int
		want           CallbackStats
	}{
		{"all, 5", "#rp=all&rc=5", failing(500, 3), CallbackStats{Answered: 1, Tries: 4}},
		{"all, 2", "#rp=all&rc=2", failing(500, 3), CallbackStats{Failed: 1, Tries: 3}},
		{"none", "#rp=all&rc=0", failing(500, 3), CallbackStats{Failed: 1, Tries: 1}},
		{"5xx", "#rp=4xx,5xx&rc=1", failing(503, 1), CallbackStats{Answered: 1, Tries: 2}},
		{"4xx isn't 5xx", "#rp=5xx&rc=1", failing(404, 1), CallbackStats{Failed: 1, Tries: 1}},
		{"by default, only when connecting fails", "", failing(500, 1), CallbackStats{Failed: 1, Tries: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, nil, test.answer)
			s := newSim(t, quick(Course{Failed: 1})) // which has one callback
			form := sms("+15551234567", "hi")
			form.Set("StatusCallback", r.URL+test.fragment)
			send(t, s, form)
			if got := settled(s, 1); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		r := newReceiver(t, nil, answered)
		r.Close()
		s := newSim(t, quick(Course{Failed: 1}))
		form := sms("+15551234567", "hi")
		form.Set("StatusCallback", r.URL)
		send(t, s, form)
		if got, want := settled(s, 1), (CallbackStats{Failed: 1, Tries: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestOverrides(t *testing.T) {
	for fragment, want := range map[string]overrides{
		"":                                    {5 * time.Second, 15 * time.Second, 15 * time.Second, 1, []string{"ct"}},
		"rp=all&rc=5":                         {5 * time.Second, 15 * time.Second, 15 * time.Second, 5, []string{"all"}},
		"ct=100&rt=200&tt=300&rc=0&rp=ct,5xx": {100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 0, []string{"ct", "5xx"}},
		"ct=99&rt=15001&tt=x&rc=6":            {5 * time.Second, 15 * time.Second, 15 * time.Second, 1, []string{"ct"}},
	} {
		if got := parseOverrides(fragment); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", fragment, got, want)
		}
	}
}

// TestCallbacksGoToLoopbackOnly: a simulator calls nobody else.
func TestCallbacksGoToLoopbackOnly(t *testing.T) {
	s := newSim(t, quick(Course{}))
	for _, target := range []string{"https://hooks.example.com/x", "http://192.0.2.1/", "ftp://127.0.0.1/", "http://[::ffff:192.0.2.1]/", "nonsense", "http://127.0.0.1.example/"} {
		form := sms("+15551234567", "hi")
		form.Set("StatusCallback", target)
		send(t, s, form)
	}
	if got, want := s.Stats().Callbacks, (CallbackStats{Refused: 6}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestCallbacksGoToNamedHosts: but for those that it is told to. This one is another
// name of loopback, which isn't known as such.
func TestCallbacksGoToNamedHosts(t *testing.T) {
	const name = "LOCALHOST"
	r := newReceiver(t, nil, answered)
	for _, test := range []struct {
		hosts []string
		want  CallbackStats
	}{{nil, CallbackStats{Refused: 1}}, {[]string{"other", name}, CallbackStats{Answered: 1, Tries: 1}}} {
		opts := quick(Course{Failed: 1})
		opts.CallbackHosts = test.hosts
		s := newSim(t, opts)
		form := sms("+15551234567", "hi")
		form.Set("StatusCallback", strings.Replace(r.URL, "127.0.0.1", name, 1))
		send(t, s, form)
		got := s.Stats().Callbacks
		if test.want.Answered > 0 {
			got = settled(s, test.want.Answered)
		}
		if got != test.want {
			t.Errorf("%v: %+v, want %+v", test.hosts, got, test.want)
		}
	}
}

func TestPostings(t *testing.T) {
	rec := record{seq: 1, fate: fate{sent: time.Second, delivered: 3 * time.Second, read: never, failed: never}}
	statuses := func(c Course) (all []string) {
		posted := postings(&rec, &c)
		slices.SortStableFunc(posted, func(a, b posting) int { return int(a.at - b.at) })
		for _, p := range posted {
			if !p.lost {
				all = append(all, p.status)
			}
		}
		return all
	}
	for _, test := range []struct {
		course Course
		want   []string
	}{
		{Course{}, []string{"sent", "delivered"}},
		{Course{Lost: 1}, nil},
		{Course{Doubled: 1}, []string{"sent", "sent", "delivered", "delivered"}},
		{Course{Shuffled: 1}, []string{"delivered", "sent"}},
		{Course{Shuffled: 1, Delay: time.Minute}, []string{"delivered", "sent"}},
	} {
		if got := statuses(test.course); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.course, got, test.want)
		}
	}
	for seq := range uint64(1000) {
		rec.seq = seq
		for _, p := range postings(&rec, &Course{Delay: time.Second}) {
			if p.at < p.after || p.at > p.after+time.Second {
				t.Fatalf("%+v", p)
			}
		}
	}
}

// TestCloseAndResetEndCallbacks: none comes after either.
func TestCloseAndResetEndCallbacks(t *testing.T) {
	r := newReceiver(t, nil, answered)
	s := newSim(t, Options{SentAfter: 100 * time.Millisecond, DeliveredAfter: time.Hour})
	form := sms("+15551234567", "hi")
	form.Set("StatusCallback", r.URL)
	send(t, s, form)
	s.Reset()
	send(t, s, form)
	settled(s, 1)
	s.Close() // and goleak finds nothing left
	if posted := r.byStatus(); len(posted) != 1 || posted["sent"] == nil {
		t.Errorf("posted %v", posted)
	}
}

func TestInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{})
		sid, err := s.Receive(Inbound{Account: testAccount, From: "(555) 123-4567", To: "+15005550006", Body: "STOP"})
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, sms("+15551234567", "hi"))
		_, body := call(t, s, "GET", messages+"?To=%2B15005550006", "")
		page := decode[messagePage](t, body)
		if len(page.Messages) != 1 {
			t.Fatal(body)
		}
		got := page.Messages[0]
		if got.SID != sid || got.Direction != "inbound" || got.Status != "received" || *got.From != "+15551234567" || got.To != "+15005550006" || got.Body != "STOP" || got.DateSent == nil {
			t.Errorf("%+v", got)
		}
		if all := slices.Collect(s.Messages()); len(all) != 1 || all[0].To != "+15551234567" || s.Stats().Accepted != 1 || s.Stats().Inbound != 1 {
			t.Errorf("%+v, %+v", all, s.Stats())
		}
		if _, err := s.Receive(Inbound{}); err == nil {
			t.Error("received from nobody")
		}
	})
}

func TestCourseOverHTTP(t *testing.T) {
	s := newSim(t, Options{})
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", "course", `{"seed":3,"undelivered":0.5,"undeliveredCodes":[30005],"failAfter":"10s","lost":0.1}`, 204, ""},
		{"GET", "course", "", 200, `{"failAfter":"10s","lost":0.1,"seed":3,"undelivered":0.5,"undeliveredCodes":[30005]}` + "\n"},
		{"PUT", "course", `{"typo":1}`, 400, "read course: yaml: unmarshal errors:\n  line 1: field typo not found in type twiliosim.Course\n"},
		{"PUT", "course", `{"failed":0.6,"undelivered":0.6}`, 400, "course: ratios are between 0 and 1, and failed and undelivered add up to 1 at most\n"},
		{"PUT", "course", `{"delay":"-1s"}`, 400, "course: times can't be negative\n"},
		{"POST", "inbound", `{"account":"AC1","from":"+15551234567","to":"+15005550006","body":"STOP"}`, 200, `{"sid":"` + s.id("SM", 1) + `"}` + "\n"},
		{"POST", "inbound", `{}`, 400, "inbound message: account, from and to are wanted\n"},
		{"POST", "inbound", `[]`, 400, "json: cannot unmarshal array into Go value of type twiliosim.Inbound\n"},
	} {
		status, got := call(t, s, test.method, adminPrefix+test.path, test.body)
		if status != test.status || got != test.want {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.path, status, got, test.status, test.want)
		}
	}
	if _, err := New(Options{Course: Course{Read: 2}}); err == nil {
		t.Error("New took a wrong course")
	}
}
