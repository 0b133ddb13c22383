package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"engage-worker/internal/metrics"
)

var (
	wrongKey  = Refusal{Code: 20003, Message: "Authenticate"}
	notOurs   = Refusal{Code: 21606, Message: "not a number of this account"}
	good, bad = Sender{"AC1", "MG1"}, Sender{"AC1", "MG2"}
)

func newDoors() *Doors { return NewDoors(metrics.New(prometheus.NewRegistry()), zerolog.Nop()) }

func mustEnter(t testing.TB, d *Doors, s Sender) *Pass {
	t.Helper()
	p, err := d.Enter(t.Context(), s)
	if err != nil {
		t.Fatalf("enter as %v: %v", s, err)
	}
	return p
}

// mustBeClosed returns for how long.
func mustBeClosed(t testing.TB, d *Doors, s, what Sender) time.Duration {
	t.Helper()
	_, err := d.Enter(t.Context(), s)
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Sender != what || closed.RetryAfter <= 0 {
		t.Fatalf("enter as %v: %v; want %v closed", s, err, what)
	}
	return closed.RetryAfter
}

// TestARefusedAccountCloses: at once, for all of its senders and no other
// account's; one probe after 5 s, 10 s, up to a minute; an acceptance opens it.
func TestARefusedAccountCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors()
		late := mustEnter(t, d, bad)
		if !mustEnter(t, d, good).Done(AccountRefused, "+1", wrongKey) {
			t.Error("the refusal counts as the event's")
		}
		if !late.Done(AccountRefused, "+2", wrongKey) {
			t.Error("a refusal that was under way counts as the event's")
		}
		mustEnter(t, d, Sender{"AC2", "MG1"}).Done(Accepted, "+1", Refusal{})
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			got := mustBeClosed(t, d, bad, Sender{Destination: "AC1"})
			if got != want*time.Second {
				t.Errorf("closed for %v, want %v s", got, want)
			}
			time.Sleep(got)
			probe := mustEnter(t, d, good)
			mustBeClosed(t, d, good, Sender{Destination: "AC1"})
			probe.Done(AccountRefused, "+1", wrongKey)
		}
		if got := testutil.ToFloat64(d.metrics.AccountClosed.WithLabelValues("AC1")); got != 1 {
			t.Errorf("engage_account_closed is %v", got)
		}
		time.Sleep(time.Minute)
		mustEnter(t, d, good).Done(Unheard, "+1", Refusal{})
		if got := mustBeClosed(t, d, good, Sender{Destination: "AC1"}); got != time.Minute {
			t.Errorf("closed for %v after a probe without an answer", got)
		}
		time.Sleep(time.Minute)
		if closed := d.Closed(); len(closed) != 1 || closed[0].Cause != wrongKey {
			t.Errorf("closed: %+v", closed)
		}
		mustEnter(t, d, good).Done(Answered, "+1", Refusal{})
		mustEnter(t, d, bad)
		if closed := d.Closed(); closed != nil {
			t.Errorf("closed: %+v", closed)
		}
		if got := testutil.ToFloat64(d.metrics.AccountClosed.WithLabelValues("AC1")); got != 0 {
			t.Errorf("engage_account_closed is %v", got)
		}
	})
}

// TestARefusedSenderCloses: with the fifth recipient in a row, and nobody
// else's sender.
func TestARefusedSenderCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors()
		refuse := func(to string) bool { return mustEnter(t, d, bad).Done(SenderRefused, to, notOurs) }
		for _, to := range []string{"+1", "+1", "+2", "+3", "+4", "+1"} {
			if refuse(to) {
				t.Fatalf("closed after %s", to)
			}
		}
		mustEnter(t, d, bad).Done(Accepted, "+5", Refusal{})
		for _, to := range []string{"+1", "+2", "+3", "+4"} {
			if refuse(to) {
				t.Fatalf("closed after %s, though one was accepted between", to)
			}
		}
		if !refuse("+5") {
			t.Fatal("open after five recipients in a row")
		}
		if got := mustBeClosed(t, d, bad, bad); got != 5*time.Second {
			t.Errorf("closed for %v", got)
		}
		mustEnter(t, d, good).Done(Accepted, "+1", Refusal{})
		if got := testutil.ToFloat64(d.metrics.SendersClosed.WithLabelValues("AC1")); got != 1 {
			t.Errorf("engage_senders_closed is %v", got)
		}
		time.Sleep(5 * time.Second)
		if !refuse("+6") {
			t.Error("a refused probe counts as the event's")
		}
		time.Sleep(mustBeClosed(t, d, bad, bad))
		mustEnter(t, d, bad).Done(Answered, "+6", Refusal{}) // says nothing of the sender
		time.Sleep(mustBeClosed(t, d, bad, bad))
		mustEnter(t, d, bad).Done(Accepted, "+6", Refusal{})
		mustEnter(t, d, bad)
		if got := testutil.ToFloat64(d.metrics.SendersClosed.WithLabelValues("AC1")); got != 0 {
			t.Errorf("engage_senders_closed is %v", got)
		}
	})
}

// TestWhatIsStaleOpensNothing: an acceptance of a request from before the
// account was refused.
func TestWhatIsStaleOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors()
		old := mustEnter(t, d, good)
		mustEnter(t, d, good).Done(AccountRefused, "+1", wrongKey)
		old.Done(Accepted, "+1", Refusal{})
		mustBeClosed(t, d, good, Sender{Destination: "AC1"})
		oldSender := mustEnter(t, d, Sender{"AC2", "MG2"})
		for i := range 5 {
			mustEnter(t, d, Sender{"AC2", "MG2"}).Done(SenderRefused, fmt.Sprint(i), notOurs)
		}
		oldSender.Done(Accepted, "+1", Refusal{})
		mustBeClosed(t, d, Sender{"AC2", "MG2"}, Sender{"AC2", "MG2"})
	})
}

// TestABurstAfterAPauseIsCautious: few requests leave until the account is
// heard; then the others.
func TestABurstAfterAPauseIsCautious(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors()
		var passed []*Pass
		for range cautious {
			passed = append(passed, mustEnter(t, d, good))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Enter(ctx, good); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("one more: %v", err)
		}
		waited := make(chan error)
		go func() {
			_, err := d.Enter(t.Context(), good)
			waited <- err
		}()
		synctest.Wait()
		passed[0].Done(Answered, "+1", Refusal{})
		if err := <-waited; err != nil {
			t.Errorf("after an answer: %v", err)
		}
		for range 100 {
			mustEnter(t, d, good)
		}
		go func() {
			time.Sleep(unheard + 1)
			_, err := d.Enter(t.Context(), good)
			waited <- err
		}()
		time.Sleep(2 * unheard)
		passed[1].Done(AccountRefused, "+1", wrongKey)
		var closed *ClosedError
		if err := <-waited; !errors.As(err, &closed) {
			t.Errorf("who waited for an account that is refused then: %v", err)
		}
	})
}

// TestSuspectsAreBounded: senders named by events don't add up, and closed ones stay.
func TestSuspectsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors()
		for i := range refusalsToClose {
			mustEnter(t, d, bad).Done(SenderRefused, fmt.Sprint(i), notOurs)
		}
		for i := range 3 * maxSuspects {
			time.Sleep(time.Millisecond)
			mustEnter(t, d, Sender{"AC1", fmt.Sprint(i)}).Done(SenderRefused, "+1", notOurs)
		}
		if n := len(d.senders); n > maxSuspects {
			t.Errorf("%d senders", n)
		}
		mustBeClosed(t, d, bad, bad)
	})
}

// TestDoorsInEveryOrder: whatever answers come in whatever order, a closed
// door lets one probe through at a time and is probed within a minute, and no
// request is counted as under way that ended.
func TestDoorsInEveryOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDoors()
			senders := []Sender{good, bad, {"AC2", "MG1"}}
			var under []*Pass
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				switch rapid.IntRange(0, 2).Draw(rt, "step") {
				case 0:
					s := rapid.SampledFrom(senders).Draw(rt, "sender")
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					p, err := d.Enter(ctx, s)
					cancel()
					var closed *ClosedError
					switch {
					case err == nil:
						under = append(under, p)
					case errors.As(err, &closed) && (closed.RetryAfter <= 0 || closed.RetryAfter > probeAtMost):
						rt.Fatalf("%v: hold for %v", s, closed.RetryAfter)
					}
				case 1:
					if len(under) > 0 {
						i := rapid.IntRange(0, len(under)-1).Draw(rt, "which")
						under[i].Done(Answer(rapid.IntRange(int(Accepted), int(Unheard)).Draw(rt, "answer")), fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "to")), notOurs)
						under = append(under[:i], under[i+1:]...)
					}
				default:
					time.Sleep(time.Duration(rapid.IntRange(0, 70).Draw(rt, "seconds")) * time.Second)
				}
				probes := map[Sender]int{}
				for _, p := range under {
					if p.accountProbe && p.accountChanges == p.account.changes {
						probes[Sender{Destination: p.sender.Destination}]++
					}
					if from := d.senders[p.sender]; from != nil && p.senderProbe && p.senderChanges == from.changes {
						probes[p.sender]++
					}
				}
				for s, n := range probes {
					if n > 1 {
						rt.Fatalf("%d probes of %v at a time", n, s)
					}
				}
			}
			for _, p := range under {
				p.Done(Unheard, "", Refusal{})
			}
			for name, a := range d.accounts {
				if a.under != 0 {
					rt.Fatalf("%d requests of %s are under way after all", a.under, name)
				}
			}
			time.Sleep(probeAtMost)
			for _, s := range senders {
				p, err := d.Enter(t.Context(), s)
				if err != nil {
					rt.Fatalf("%v isn't probed after a minute: %v", s, err)
				}
				p.Done(Accepted, "", Refusal{})
			}
		})
	})
}
