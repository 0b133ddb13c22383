package delivery_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/consumer/delivery"
)

// TestWhatBecomesOfADelivery: one delivery, whatever is decided and answered.
// A retry and a dead letter are told by their reasons, in order.
func TestWhatBecomesOfADelivery(t *testing.T) {
	many := func(kind answerKind) (all []answer) {
		for range 10 {
			all = append(all, answer{Kind: kind, Travel: time.Millisecond, Reply: time.Millisecond, Lag: time.Second})
		}
		return all
	}
	noPage := []listing{{Body: `{"code":20500,"message":"Internal","status":500}`}, {Body: `{"messages":[]}`}}
	failing := func(retryable bool) func(*actions.Delivery) {
		return func(d *actions.Delivery) {
			d.Decision, d.Reason = actions.DecisionFail, outcome.ReasonProfileLookupFailed
			d.Failure = &actions.Failure{Reason: d.Reason, Message: "the look-up failed", Retryable: retryable}
		}
	}
	for _, c := range []struct {
		name      string
		answers   []answer
		lists     []listing
		decide    func(*actions.Delivery)
		tune      func(*delivery.Config)
		change    func(*record)
		corrected bool // the trigger, before anything waits
		taken     int
		letter    string // reason and disposition
		retries   int
	}{
		{name: "sent", taken: 1},
		{name: "refused", answers: many(refuses), letter: "twilio_rejected permanent"},
		{name: "its key is refused for a while", answers: many(refusesKey)[:3], taken: 1},
		{name: "its key is refused until it is too old", answers: many(refusesKey), tune: func(c *delivery.Config) { c.MaxEventAge = 30 * time.Second }, letter: "expired expired"},
		{name: "in doubt, and its key is refused", answers: many(breaksAfter)[:1], lists: slices.Repeat([]listing{{Status: 401}}, 3), taken: 1},
		{name: "its sender is refused, for it alone", answers: many(refusesSender), letter: "sender_rejected permanent"},
		{name: "throttled now and then", answers: many(throttles)[:2], taken: 1},
		{name: "throttled for good", answers: slices.Repeat(many(throttles), 30), letter: "rate_limited exhausted", retries: 2},
		{name: "out of reach for a moment", answers: many(unreachable)[:1], taken: 1},
		{name: "out of reach for long", answers: slices.Repeat(many(unreachable), 3), letter: "twilio_unavailable exhausted", retries: 2},
		{name: "an error, and it wasn't sent", answers: many(breaks)[:1], taken: 1},
		{name: "an error, and it was sent", answers: many(breaksAfter)[:1], taken: 1},
		{name: "an error, and the list is refused", answers: many(breaksAfter)[:1], lists: []listing{{Status: 403}}, taken: 1, letter: "outcome_unknown ambiguous"},
		{name: "an error, and the list is refused: sent again by the settings", answers: many(breaks)[:1], lists: []listing{{Status: 403}},
			tune: func(c *delivery.Config) { c.ResendUnknown = true }, taken: 1},
		{name: "an error, and the list fails for long", answers: many(breaks)[:1], lists: slices.Repeat([]listing{{Status: 500}}, 30), letter: "outcome_unknown ambiguous", retries: 2},
		{name: "an error, it was sent, and the list answers with errors under 200 for a while", answers: many(breaksAfter)[:1], lists: slices.Repeat(noPage, 2), taken: 1, retries: 1},
		{name: "an error, it wasn't sent, and the list answers with errors under 200 for a while", answers: many(breaks)[:1], lists: slices.Repeat(noPage, 2), taken: 1, retries: 1},
		{name: "the same, and what is unknown is sent again by the settings", answers: many(breaksAfter)[:1], lists: slices.Repeat(noPage, 2),
			tune: func(c *delivery.Config) { c.ResendUnknown = true }, taken: 1, retries: 1},
		{name: "an error, and the list answers with errors under 200 for long", answers: many(breaksAfter)[:1], lists: slices.Repeat(noPage, 30), taken: 1,
			letter: "outcome_unknown ambiguous", retries: 2},
		{name: "an error, and the list is empty for long, but no page", answers: many(breaksAfter)[:1], lists: slices.Repeat([]listing{{Body: `{"messages":[]}`}}, 30), taken: 1,
			letter: "outcome_unknown ambiguous", retries: 2},
		{name: "skipped", decide: func(d *actions.Delivery) { d.Decision, d.Reason = actions.DecisionSkip, outcome.ReasonNotSubscribed }},
		{name: "its decision fails for good", decide: failing(false), letter: "profile_lookup_failed permanent"},
		{name: "its decision fails again and again", decide: failing(true), letter: "profile_lookup_failed exhausted", retries: 2},
		{name: "too old", tune: func(c *delivery.Config) { c.MaxEventAge = time.Minute },
			change: func(r *record) { r.origin.Time = r.origin.Time.Add(-time.Hour) }, letter: "expired expired"},
		{name: "too old by the time it can be sent", answers: slices.Repeat(many(unreachable), 3), tune: func(c *delivery.Config) { c.MaxEventAge = 30 * time.Second },
			letter: "expired expired", retries: 2},
		{name: "dated far ahead, and too old by the time it can be sent", answers: slices.Repeat(many(unreachable), 3),
			tune:   func(c *delivery.Config) { c.MaxEventAge = 30 * time.Second },
			change: func(r *record) { r.origin.Time = r.origin.Time.AddDate(100, 0, 0) }, letter: "expired expired", retries: 2},
		{name: "dated ahead", tune: func(c *delivery.Config) { c.MaxEventAge = time.Minute },
			change: func(r *record) { r.origin.Time = r.origin.Time.Add(50 * time.Minute) }, taken: 1},
		{name: "out of reach for long, and the trigger is corrected meanwhile", answers: many(unreachable)[:2], corrected: true, retries: 1},
		{name: "waits in doubt, was sent, and the trigger is corrected meanwhile", answers: many(breaksAfter)[:1],
			lists: slices.Repeat([]listing{{Status: 500}}, 3), corrected: true, taken: 1, retries: 1},
		{name: "waits in doubt, wasn't sent, and the trigger is corrected meanwhile", answers: many(breaks)[:1],
			lists: slices.Repeat([]listing{{Status: 500}}, 3), corrected: true, retries: 1},
		{name: "waits in doubt, nobody can tell, and the trigger is corrected meanwhile", answers: many(breaksAfter)[:1],
			lists: append(slices.Repeat([]listing{{Status: 500}}, 3), listing{Status: 403}), corrected: true, taken: 1, retries: 1, letter: "outcome_unknown ambiguous"},
		{name: "waits in doubt, what is unknown is sent again, and the trigger is corrected meanwhile", answers: many(breaks)[:1],
			lists: append(slices.Repeat([]listing{{Status: 500}}, 3), listing{Status: 403}), corrected: true, retries: 1,
			tune: func(c *delivery.Config) { c.ResendUnknown = true }},
		{name: "no event", change: func(r *record) { r.malformed = errors.New("it is no object") }, letter: "malformed_event malformed"},
		{name: "no event, seen late", change: func(r *record) { r.message.Value = []byte("[]") }, letter: "malformed_event malformed"},
		{name: "a retry whose action is gone", change: func(r *record) { r.actions, r.origin.Action = 0, "gone" }, letter: "mapping_failed permanent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(plan{Renamed: 9, Texts: []int{0}, Answers: [][]answer{c.answers}, Lists: c.lists, Writes: []bool{true}, Corrected: c.corrected})
				w.decide, w.tune = c.decide, c.tune
				if c.change != nil {
					c.change(w.records[0])
				}
				spans := tracetest.NewSpanRecorder()
				w.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
				run(w)
				for _, fault := range w.faults {
					if fault != "m0 is lost" || c.taken > 0 { // which is what a skipped one looks like from outside
						t.Error(fault)
					}
				}
				letter := ""
				for _, letters := range w.letters {
					for _, r := range letters {
						letter += fmt.Sprint(r.Reason, " ", r.Disposition)
					}
				}
				retried := 0
				for _, n := range w.retried {
					retried += n
				}
				if taken := w.vendor.taken(body(0)); taken != c.taken || letter != c.letter || retried != c.retries {
					t.Errorf("sent %d times, dead letter %q, %d retries; want %d, %q, %d\n%s", taken, letter, retried, c.taken, c.letter, c.retries, strings.Join(w.trail, "\n"))
				}
				if len(spans.Ended()) == 0 && c.change == nil {
					t.Error("no span was made")
				}
			})
		})
	}
}

// TestAnotherEventInDoubt: an event comes under the messageId of another one that is
// in doubt, for another person. Its dead letter says that, and nothing of settings.
func TestAnotherEventInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silentList := slices.Repeat([]listing{{Status: 500}}, 3)
		w := newWorld(plan{Renamed: 9, Texts: []int{0}, Doubled: true, Answers: [][]answer{{{Kind: breaksAfter, Travel: time.Millisecond}}}, Lists: silentList})
		w.records[1].due = time.Now().Add(time.Second) // behind the first
		prepared := 0
		w.decide = func(d *actions.Delivery) {
			if prepared++; prepared == 2 { // of the event that waits for its turn
				d.Message.To = "+14155550999"
			}
		}
		run(w)
		var said []string
		for _, r := range w.letters["m0"] {
			said = append(said, fmt.Sprint(r.Offset, " ", r.Reason, ": ", r.Message))
		}
		want := []string{"1 outcome_unknown: another event with this messageId, events/0/0, was to be sent with another recipient, and nobody knows whether it was: one of the two may be sent"}
		if !slices.Equal(said, want) || w.vendor.taken(body(0)) != 1 {
			t.Errorf("%d sent, %q; want one, and %q", w.vendor.taken(body(0)), said, want)
		}
	})
}

// TestRequestsTakeTheirTime: delivery.requestTimeout is what a request may take, and
// no other limit is, however long the lease; and then it is in doubt.
func TestRequestsTakeTheirTime(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, 45 * time.Second, 10 * time.Minute} {
		for late, want := range map[time.Duration]string{-500 * time.Millisecond: "", 500 * time.Millisecond: "a list"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(plan{Renamed: 9, Texts: []int{0}, Answers: [][]answer{{{Kind: accepts, Travel: time.Millisecond, Reply: limit + late}}}})
				w.tune = func(c *delivery.Config) { c.RequestTimeout = limit }
				asked := ""
				w.onList = func(string) listing { asked = "a list"; return listing{} }
				for _, fault := range run(w) {
					t.Error(fault)
				}
				if asked != want || w.vendor.taken(body(0)) != 1 {
					t.Errorf("of %v, %v late: asked %q, sent %d times; want %q, once", limit, late, asked, w.vendor.taken(body(0)), want)
				}
			})
		}
	}
}
