package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/ratelimit"
)

// twilioOf is a simulated Twilio, and a destination that asks it.
type twilioOf struct {
	t           *testing.T
	sim         *twiliosim.Sim
	url         string
	destination *actions.Destination
	client      *http.Client
}

func newTwilio(t *testing.T, opts twiliosim.Options) *twilioOf {
	t.Helper()
	sim, err := twiliosim.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	l, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, faults := actions.New(actions.Definition{Name: "d", Settings: actions.Settings{
		TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "secret", SpaceID: "spa_1", Region: "us-west-2", TwilioHostname: l.URL(),
	}, Actions: []actions.ActionDefinition{{Name: "sms", Type: actions.SendSMS, Mapping: map[string]any{"from": "+15005550006", "body": "hi"}}}}, actions.Options{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	t.Cleanup(d.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &twilioOf{t: t, sim: sim, url: l.URL(), destination: d, client: client}
}

// send has Twilio accept a message, and returns its SID.
func (w *twilioOf) send(n int) (sid string) {
	w.t.Helper()
	form := url.Values{"To": {fmt.Sprintf("+1415%07d", 2000000+n)}, "From": {"+15005550006"}, "Body": {"hi"}}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/2010-04-01/Accounts/AC1/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth("SK1", "secret")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var message struct{ SID string }
	if err := json.NewDecoder(res.Body).Decode(&message); err != nil || message.SID == "" {
		w.t.Fatalf("%d, %v", res.StatusCode, err)
	}
	return message.SID
}

// freely are turns for everybody, but for the first few, which have gone by when their
// request is to leave.
type freely struct {
	mu    sync.Mutex
	late  int
	kinds map[ratelimit.VerdictKind]int // of verdicts
}

func (f *freely) Take(ctx context.Context, _ string) (Turn, error) { return f, ctx.Err() }

func (f *freely) Start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late--
	return f.late < 0
}

func (f *freely) Done(v ratelimit.Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds == nil {
		f.kinds = map[ratelimit.VerdictKind]int{}
	}
	f.kinds[v.Kind]++
}

func (r *rig) sweep(w *twilioOf, turns turns, f ...*Follower) *Sweep {
	return &Sweep{
		Destination: "d", SweepAfter: 20 * time.Millisecond, GiveUpAfter: time.Hour, Followers: f, Asked: w.destination, Turns: turns,
		Metrics: r.metrics, Log: zerolog.Nop(),
	}
}

// sweeping runs it until the test ends.
func (r *rig) sweeping(s *Sweep) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); <-done })
}

// quick makes a follower ask soon.
func (r *rig) quick() *Follower {
	f := r.follower(-1)
	f.schedule = schedule{20 * time.Millisecond}
	r.run(f)
	return f
}

// ends are how many messages have which status by the topic.
func (r *rig) ends() map[string]int {
	last, ends := map[string]string{}, map[string]int{}
	for _, line := range r.history() {
		fields := strings.Fields(line)
		last[fields[0]] = fields[len(fields)-1]
	}
	for _, s := range last {
		ends[s]++
	}
	return ends
}

// TestTheSweepAsksAsIsCheaper: for many of one time by a page of the list, for a few and
// for those that the list doesn't show, as they were never sent, one by one. Each ends as
// Twilio says, and the gauges tell what is pending.
func TestTheSweepAsksAsIsCheaper(t *testing.T) {
	for _, c := range []struct {
		n, unknown int
		pages      uint64
	}{{pageWorth - 1, 0, 0}, {40, 0, 1}, {40, 15, 1}} {
		t.Run(fmt.Sprint(c.n, " of which Twilio doesn't know ", c.unknown), func(t *testing.T) {
			r := newRig(t)
			w := newTwilio(t, twiliosim.Options{SentAfter: time.Millisecond, DeliveredAfter: time.Millisecond, Course: twiliosim.Course{Seed: 1, Failed: 0.5}})
			f := r.quick()
			for i := range c.n {
				sid := fmt.Sprintf("SM%032x", i) // nobody's
				if i >= c.unknown {
					sid = w.send(i)
				}
				r.accept(f, fmt.Sprint("m", i), sid, r.event(fmt.Sprint("m", i)))
			}
			failing := 0
			for m := range w.sim.Messages() {
				if m.Code != 0 {
					failing++
				}
			}
			time.Sleep(50 * time.Millisecond) // all are due
			due, err := f.due(t.Context(), f.survey(time.Now(), dueAtOnce))
			if err != nil || len(due) != c.n {
				t.Fatalf("%d due, %v", len(due), err)
			}
			s := r.sweep(w, &freely{}, f)
			if err := s.ask(t.Context(), due); err != nil {
				t.Fatal(err)
			}
			singles := c.n
			if c.pages > 0 {
				singles = c.unknown + failing
			}
			if stats := w.sim.Stats(); stats.Lists != c.pages || stats.Fetches != uint64(singles) {
				t.Errorf("%d pages and %d messages were asked for, want %d and %d", stats.Lists, stats.Fetches, c.pages, singles)
			}
			want := map[string]int{"delivered": c.n - c.unknown - failing, "failed": failing}
			if c.unknown > 0 {
				want["accepted"] = c.unknown
			}
			if got := r.ends(); fmt.Sprint(got) != fmt.Sprint(want) || len(r.letters) != failing || failing == 0 {
				t.Errorf("%v, want %v; %d letters", got, want, len(r.letters))
			}
			s.survey(t.Context(), time.Now())
			if n := testutil.ToFloat64(r.metrics.MessagesPending.WithLabelValues("d")); n != float64(c.unknown) {
				t.Errorf("%v are said to be pending", n)
			}
			if old := testutil.ToFloat64(r.metrics.OldestPending.WithLabelValues("d")); (old > 0) != (c.unknown > 0) {
				t.Errorf("the oldest of them is said to be %v s old", old)
			}
		})
	}
}

// TestTheSweepGoesOn: through a time without Twilio, over requests whose turn had gone by, for several
// regions, one of which isn't configured any more.
func TestTheSweepGoesOn(t *testing.T) {
	r := newRig(t)
	w := newTwilio(t, twiliosim.Options{SentAfter: time.Millisecond, DeliveredAfter: time.Millisecond, Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}})
	if err := w.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	f := r.quick()
	for i := range 30 {
		id := fmt.Sprint("m", i)
		region := []string{"us-west-2", "gone"}[i%2]
		if err := f.Accepted(t.Context(), key(id), Record{SID: w.send(i), MessageID: id, Action: "sms", Region: region, AcceptedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}); err != nil {
		t.Fatal(err)
	}
	turns := &freely{late: 3}
	r.sweeping(r.sweep(w, turns, f))
	failed := func() int {
		turns.mu.Lock()
		defer turns.mu.Unlock()
		return turns.kinds[ratelimit.VendorFault]
	}
	r.await(func() bool { return failed() > 0 })
	if got := r.ends(); got["accepted"] != 30 {
		t.Errorf("%v, and Twilio is away", got)
	}
	if err := w.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.await(func() bool { return r.ends()["delivered"] == 30 })
	turns.mu.Lock()
	defer turns.mu.Unlock()
	if turns.kinds[ratelimit.Abandoned] != 3 || turns.kinds[ratelimit.Delivered] == 0 {
		t.Errorf("the turns ended as %v", turns.kinds)
	}
}

// TestGivingUp: of what Twilio doesn't say an end in time the end is unknown, also where
// it has no such message, and a day later where it couldn't be asked.
func TestGivingUp(t *testing.T) {
	for _, c := range []struct {
		name       string
		age        time.Duration
		known      bool // to Twilio
		away       bool
		want       string
		stillAsked bool
	}{
		{"sent, in time", 30 * time.Minute, true, false, "sent", true},
		{"sent, too late", 61 * time.Minute, true, false, "unknown", false},
		{"no such message, in time", 30 * time.Minute, false, false, "accepted", true},
		{"no such message, too late", 61 * time.Minute, false, false, "unknown", false},
		{"Twilio is away", 2 * time.Hour, true, true, "accepted", true},
		{"Twilio is away for a day", 26 * time.Hour, true, true, "unknown", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			w := newTwilio(t, twiliosim.Options{SentAfter: time.Millisecond, DeliveredAfter: time.Hour})
			sid := fmt.Sprintf("SM%032x", 7)
			if c.known {
				sid = w.send(1)
			}
			if c.away {
				if err := w.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Unavailable}}); err != nil {
					t.Fatal(err)
				}
			}
			r.write("m1", Record{SID: sid, Status: Accepted, Region: "us-west-2", AcceptedAt: time.Now().Add(-c.age)})
			f := r.quick()
			s := r.sweep(w, &freely{}, f)
			due, _ := s.survey(t.Context(), time.Now())
			if len(due) != 1 {
				t.Fatalf("%d due", len(due))
			}
			if err := s.ask(t.Context(), due); (err != nil) != c.away {
				t.Fatal(err)
			}
			r.await(func() bool { return r.ends()[c.want] == 1 })
			if got := f.survey(time.Now(), 1).Pending > 0; got != c.stillAsked {
				t.Errorf("pending: %v", got)
			}
		})
	}
}

// TestWhatAnAnswerMeans: one that is scheduled for later isn't given up, and what an
// unknown word means nobody knows.
func TestWhatAnAnswerMeans(t *testing.T) {
	now := time.Now()
	s := Sweep{GiveUpAfter: time.Hour}
	for _, c := range []struct {
		status string
		age    time.Duration
		want   State // 0: nothing
	}{
		{"queued", time.Minute, Accepted}, {"delivered", time.Minute, Delivered}, {"read", 2 * time.Hour, Read}, {"canceled", 2 * time.Hour, Canceled},
		{"sent", 2 * time.Hour, Unknown}, {"scheduled", 2 * time.Hour, Accepted}, {"partially_delivered", time.Minute, Sent}, {"partially_delivered", 2 * time.Hour, Unknown},
		{"teleported", time.Minute, 0}, {"teleported", 2 * time.Hour, Unknown},
	} {
		d := &Due{Known: Known{Key: key("m1"), Record: Record{SID: "SM1", AcceptedAt: now.Add(-c.age)}}}
		n, ok := s.newsOf(answer{d, &twilio.Report{SID: "SM1", Status: c.status, Code: 30003, Updated: now}}, now)
		if ok != (c.want != 0) || ok && (n.Status != c.want || n.SID != "SM1" || n.By != BySweep) {
			t.Errorf("%s after %v: %+v, %v", c.status, c.age, n, ok)
		}
		if c.want.Final() && c.want != Unknown && n.FinalAt != now {
			t.Errorf("%s ended at %v", c.status, n.FinalAt)
		}
	}
}

// TestVerdicts: what an answer tells the region's gate.
func TestVerdicts(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want ratelimit.VerdictKind
	}{
		{t.Context(), nil, ratelimit.Delivered},
		{t.Context(), errors.New("no answer of Twilio's"), ratelimit.Abandoned},
		{ended, &twilio.LookupError{Status: 503, Retryable: true}, ratelimit.Abandoned},
		{t.Context(), &twilio.LookupError{Status: 429, Retryable: true, RetryAfter: time.Second}, ratelimit.Throttled},
		{t.Context(), fmt.Errorf("ask: %w", &twilio.LookupError{Status: 503, Retryable: true}), ratelimit.VendorFault},
		{t.Context(), &twilio.LookupError{Status: 401}, ratelimit.Refused},
	} {
		if got := verdict(c.ctx, c.err); got.Kind != c.want || (c.want == ratelimit.Throttled) != (got.RetryAfter == time.Second) {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}
