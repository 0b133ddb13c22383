package twiliosim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// seen is what a client makes of one request.
type seen struct {
	status int
	code   int    // of an error document
	broken string // or how the request ended instead
}

// post sends one message over the network.
func post(t testing.TB, httpClient *http.Client, base, form string) seen {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", base+messages, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("SK1", "secret")
	response, err := httpClient.Do(r)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return seen{broken: "refused"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return seen{broken: "reset"}
	case errors.Is(err, context.DeadlineExceeded):
		return seen{broken: "timeout"}
	case err != nil:
		return seen{broken: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return seen{broken: err.Error()}
	}
	if !strings.HasSuffix(string(body), "}") {
		return seen{status: response.StatusCode, broken: "garbled"}
	}
	return seen{response.StatusCode, decode[struct{ Code int }](t, string(body)).Code, ""}
}

func TestFaults(t *testing.T) {
	form := sms("+15551234567", "hi").Encode()
	for _, test := range []struct {
		name     string
		b        Behaviour
		want     seen
		accepted uint64
		fault    string
	}{
		{"none", Behaviour{}, seen{status: 201}, 1, ""},
		{"throttled", Behaviour{Throttled: 1}, seen{429, 20429, ""}, 0, "throttled"},
		{"unavailable", Behaviour{Unavailable: 1}, seen{503, 20503, ""}, 0, "unavailable"},
		{"failed", Behaviour{Failed: 1}, seen{500, 20500, ""}, 0, "failed"},
		{"reset", Behaviour{Reset: 1}, seen{broken: "reset"}, 0, "reset"},
		{"silent", Behaviour{Silent: 1}, seen{broken: "timeout"}, 0, "silent"},
		{"accepted, then 500", Behaviour{AcceptedThen500: 1}, seen{500, 20500, ""}, 1, "acceptedThen500"},
		{"accepted, then reset", Behaviour{AcceptedThenReset: 1}, seen{broken: "reset"}, 1, "acceptedThenReset"},
		{"accepted, then silence", Behaviour{AcceptedThenSilence: 1}, seen{broken: "timeout"}, 1, "acceptedThenSilence"},
		{"garbled", Behaviour{Garbled: 1}, seen{201, 0, "garbled"}, 1, "garbled"},
		{"slow", Behaviour{Slow: 1, SlowFor: time.Hour}, seen{broken: "timeout"}, 1, "slow"},
		{"late", Behaviour{Late: 1, LateFor: time.Millisecond}, seen{status: 201}, 1, "late"},
		{"storm", Behaviour{Storm: true}, seen{429, 20429, ""}, 0, ""},
		{"the key is refused", Behaviour{KeyRefused: true}, seen{401, 20003, ""}, 0, ""},
		{"the sender is refused", Behaviour{SenderRefused: true}, seen{400, 21606, ""}, 0, ""},
		{"outage, unavailable", Behaviour{Outage: Unavailable}, seen{503, 20503, ""}, 0, ""},
		{"outage, dropped", Behaviour{Outage: Dropped}, seen{broken: "reset"}, 0, ""},
		{"outage, refused", Behaviour{Outage: Refused}, seen{broken: "refused"}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, Options{Faults: Faults{Behaviour: test.b}})
			l, err := s.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			httpClient := &http.Client{Transport: &http.Transport{}}
			defer httpClient.CloseIdleConnections()
			if test.want.broken == "timeout" {
				httpClient.Timeout = 250 * time.Millisecond
			}
			if got := post(t, httpClient, l.URL(), form); got != test.want {
				t.Errorf("the client saw %+v, want %+v", got, test.want)
			}
			stats := s.Stats()
			if got := slices.Collect(s.Messages()); uint64(len(got)) != test.accepted || stats.Accepted != test.accepted {
				t.Errorf("accepted %d, counted %d, want %d", len(got), stats.Accepted, test.accepted)
			} else if len(got) == 1 && got[0].Fault != test.fault {
				t.Errorf("recorded fault %q", got[0].Fault)
			}
			wantFaults := map[string]uint64{}
			if test.fault != "" {
				wantFaults[test.fault] = 1
			}
			if !reflect.DeepEqual(stats.Faults, wantFaults) {
				t.Errorf("faults %v, want %v", stats.Faults, wantFaults)
			}
		})
	}
}

// A client that gave up doesn't stop a vendor that accepts late.
func TestLateIsAcceptedWithoutAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{Faults: Faults{Behaviour: Behaviour{Late: 1, LateFor: time.Minute}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", messages, strings.NewReader(sms("+15551234567", "hi").Encode()))
		r.SetBasicAuth("SK1", "secret")
		start := time.Now()
		s.ServeHTTP(httptest.NewRecorder(), r)
		if got := slices.Collect(s.Messages()); len(got) != 1 || got[0].AcceptedAt.Sub(start) != time.Minute {
			t.Errorf("%+v", got)
		}
	})
}

func TestOneRegionFails(t *testing.T) {
	s := newSim(t, Options{})
	west, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	east, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, eastPort, _ := net.SplitHostPort(east.Addr())
	// Connections of its own for each request: one kept from before the
	// listener closed is closed too, and a POST on it may leave before the
	// client notices, which is a reset and no refusal.
	httpClient := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ok, down, gone := seen{status: 201}, seen{503, 20503, ""}, seen{broken: "refused"}
	number, service := sms("+15551234567", "hi"), sms("+15551234567", "hi")
	service.Set("From", testService)
	for _, test := range []struct {
		name                                   string
		scope                                  Scope
		west, east, westByService, eastService seen
	}{
		{"none", Scope{Accounts: []string{"AC2"}, Behaviour: Behaviour{Outage: Unavailable}}, ok, ok, ok, ok},
		{"account", Scope{Accounts: []string{testAccount}, Behaviour: Behaviour{Outage: Unavailable}}, down, down, down, down},
		{"number", Scope{Senders: []string{"+1555", "+1500"}, Behaviour: Behaviour{Outage: Unavailable}}, down, down, ok, ok},
		{"service", Scope{Senders: []string{"MG0"}, Behaviour: Behaviour{Outage: Unavailable}}, ok, ok, down, down},
		{"host", Scope{Hosts: []string{east.Addr()}, Behaviour: Behaviour{Outage: Unavailable}}, ok, down, ok, down},
		{"port and service", Scope{Hosts: []string{":" + eastPort}, Senders: []string{"MG"}, Behaviour: Behaviour{Outage: Unavailable}}, ok, ok, ok, down},
		{"refusing host", Scope{Hosts: []string{east.Addr()}, Behaviour: Behaviour{Outage: Refused}}, ok, gone, ok, gone},
		{"back again", Scope{Hosts: []string{east.Addr()}}, ok, ok, ok, ok},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The default is down where the last step's scope is up, to see
			// that a scope stands in for it as a whole.
			faults := Faults{Scopes: []Scope{test.scope}}
			if err := s.SetFaults(faults); err != nil {
				t.Fatal(err)
			}
			got := []seen{
				post(t, httpClient, west.URL(), number.Encode()), post(t, httpClient, east.URL(), number.Encode()),
				post(t, httpClient, west.URL(), service.Encode()), post(t, httpClient, east.URL(), service.Encode()),
			}
			if want := []seen{test.west, test.east, test.westByService, test.eastService}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	if err := s.SetFaults(Faults{Behaviour: Behaviour{Outage: Unavailable}, Scopes: []Scope{{Hosts: []string{east.Addr()}}}}); err != nil {
		t.Fatal(err)
	}
	if got := []seen{post(t, httpClient, west.URL(), number.Encode()), post(t, httpClient, east.URL(), number.Encode())}; !slices.Equal(got, []seen{down, ok}) {
		t.Errorf("a scope that is up amid an outage: %v", got)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{Faults: Faults{Behaviour: Behaviour{Rate: 10, RetryAfter: 1500 * time.Millisecond}}})
		form := sms("+15551234567", "hi").Encode()
		for range 40 { // 20 a second
			r := httptest.NewRequest("POST", messages, strings.NewReader(form))
			r.SetBasicAuth("SK1", "secret")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			wantRetry := ""
			if w.Code == 429 {
				wantRetry = "2"
			}
			if got := w.Header().Get("Retry-After"); got != wantRetry {
				t.Errorf("%d with Retry-After %q", w.Code, got)
			}
			time.Sleep(50 * time.Millisecond)
		}
		second := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		want := []Second{
			{second, testAccount, "+15005550006", 20, 10, 10},
			{second.Add(time.Second), testAccount, "+15005550006", 20, 10, 10},
		}
		if got := s.Seconds(); !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
	})
}

func TestLatencyAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Options{Faults: Faults{Behaviour: Behaviour{Latency: 50 * time.Millisecond, Jitter: 10 * time.Millisecond, MaxConcurrent: 3}}})
		var mu sync.Mutex
		statuses := map[int]int{}
		var slowest time.Duration
		var all sync.WaitGroup
		start := time.Now()
		for i := range 5 {
			all.Go(func() {
				status, _ := call(t, s, "POST", messages, sms(fmt.Sprintf("+1555123456%d", i), "hi").Encode())
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
				slowest = max(slowest, time.Since(start))
			})
		}
		synctest.Wait()
		if got := s.Stats().InFlight; got != 5 {
			t.Errorf("%d in flight", got)
		}
		all.Wait()
		if !reflect.DeepEqual(statuses, map[int]int{201: 3, 429: 2}) {
			t.Errorf("%v", statuses)
		}
		if slowest < 50*time.Millisecond || slowest > 60*time.Millisecond {
			t.Errorf("the slowest took %v", slowest)
		}
	})
}

// The seed fixes which request meets which fault.
func TestSeed(t *testing.T) {
	run := func(seed uint64) string {
		s := newSim(t, Options{Faults: Faults{Seed: seed, Behaviour: Behaviour{AcceptedThen500: 0.2, Throttled: 0.1, Unavailable: 0.1}}})
		var statuses strings.Builder
		for range 1000 {
			status, _ := call(t, s, "POST", messages, sms("+15551234567", "hi").Encode())
			fmt.Fprintln(&statuses, status)
		}
		f := s.Stats().Faults
		for name, want := range map[string]uint64{"acceptedThen500": 200, "throttled": 100, "unavailable": 100} {
			if got := f[name]; got < want*7/10 || got > want*13/10 { // three standard deviations and more
				t.Errorf("seed %d: %d %s of 1000, about %d wanted", seed, got, name, want)
			}
		}
		return statuses.String()
	}
	if once, again := run(1), run(1); once != again {
		t.Error("the same seed drew other faults")
	}
	if run(1) == run(2) {
		t.Error("another seed drew the same faults")
	}
}

// Under load and every fault, the record and what clients saw agree.
func TestManyClients(t *testing.T) {
	var told sync.Map
	s := newSim(t, Options{
		Faults:     Faults{Seed: 7, Behaviour: Behaviour{Unavailable: 0.1, Reset: 0.1, AcceptedThen500: 0.1, AcceptedThenReset: 0.1, Garbled: 0.1}},
		OnAccepted: func(m Message) { told.Store(m.SID, m.To) },
	})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer httpClient.CloseIdleConnections()
	var mu sync.Mutex
	sent := map[string]bool{}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 50 {
				to := fmt.Sprintf("+1555%03d%04d", worker, i)
				if got := post(t, httpClient, l.URL(), sms(to, "hi").Encode()); got == (seen{status: 201}) {
					mu.Lock()
					sent[to] = true
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	sids, accepted := map[string]bool{}, map[string]bool{}
	for m := range s.Messages() {
		if to, ok := told.Load(m.SID); !ok || to != m.To {
			t.Errorf("%s was recorded and not told", m.SID)
		}
		sids[m.SID], accepted[m.To] = true, true
	}
	stats := s.Stats()
	// A client's transport may itself repeat a request whose connection broke
	// before anything came back only if it is idempotent; a POST isn't.
	if len(sids) != len(accepted) || uint64(len(sids)) != stats.Accepted || stats.Received != 400 {
		t.Errorf("%d SIDs, %d recipients, %+v", len(sids), len(accepted), stats)
	}
	for to := range sent {
		if !accepted[to] {
			t.Errorf("%s was confirmed and not recorded", to)
		}
	}
	want := int(stats.Accepted - stats.Faults["acceptedThen500"] - stats.Faults["acceptedThenReset"] - stats.Faults["garbled"])
	if len(sent) != want {
		t.Errorf("%d confirmed, want %d", len(sent), want)
	}
}

func TestCloseLetsGo(t *testing.T) {
	s := newSim(t, Options{Faults: Faults{Behaviour: Behaviour{AcceptedThenSilence: 1}}})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpClient := &http.Client{Transport: &http.Transport{}}
	defer httpClient.CloseIdleConnections()
	got := make(chan seen, 1)
	go func() { got <- post(t, httpClient, l.URL(), sms("+15551234567", "hi").Encode()) }()
	for s.Stats().Accepted == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	if answer := <-got; answer != (seen{broken: "reset"}) {
		t.Errorf("%+v", answer)
	}
	if _, err := s.Listen("127.0.0.1:0"); err == nil {
		t.Error("listens once closed")
	}
	if got := post(t, httpClient, l.URL(), ""); got != (seen{broken: "refused"}) {
		t.Errorf("%+v", got)
	}
}

func TestWrongFaults(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{`{"latency":"50ms","typo":1}`, "read faults: yaml: unmarshal errors:\n  line 1: field typo not found in type twiliosim.Faults"},
		{`{"latency":5.5}`, "read faults: yaml: unmarshal errors:\n  line 1: cannot unmarshal !!float `5.5` into time.Duration"},
		{`{"outage":"maybe"}`, `outage: "maybe" is none of unavailable, dropped, refused`},
		{`{"failed":0.6,"late":0.6}`, "ratios: they add up to 1.2, more than 1"},
		{`{"failed":-1}`, "ratios: each is between 0 and 1"},
		{`{"failed":.nan}`, "ratios: each is between 0 and 1"},
		{`{"listErrors":2}`, "listErrors, lookupErrors: a ratio is between 0 and 1"},
		{`{"latency":"-1s"}`, "times, rates and limits can't be negative"},
		{`{"scopes":[{"storm":true}]}`, "scopes[0].accounts, senders or hosts: one must be given"},
		{`{"scopes":[{"hosts":["a:1"]},{"senders":["+1"],"outage":"refused"}]}`, "scopes[1].outage: refused closes listeners, so the scope can only select hosts"},
	} {
		if _, err := ParseFaults([]byte(test.document)); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v\nwant %s", test.document, err, test.want)
		}
	}
	if _, err := New(Options{Faults: Faults{Behaviour: Behaviour{Outage: "maybe"}}}); err == nil {
		t.Error("New took wrong faults")
	}
}
