package store

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// A letter that comes, is replayed and delivered changes its state without a reload,
// and so does one that dies again, or is dismissed.
func TestFollows(t *testing.T) {
	r := newRig(t)
	s := r.loaded(r.config())
	l := letter(1)
	r.letters(l)
	is := func(want deadletter.State) {
		t.Helper()
		r.await(s, string(want), func() bool {
			page, err := s.Letters(t.Context(), deadletter.Filter{States: []deadletter.State{want}, IDs: []string{l.ID()}}, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			return page.Total == 1 && page.Rows[0].State == want && page.Rows[0].Message == l.Message
		})
	}
	is(deadletter.StateOpen)
	plan := r.replay(deadletter.Filter{})
	is(deadletter.StateReplayed)
	r.entry(l, ledger.Entry{State: ledger.Sent, SID: "SM1", Time: time.Now(), Position: ledger.Position{Partition: 1, Offset: 5}})
	is(deadletter.StateSent)
	r.said(l, status.Accepted, time.Now(), 5)
	r.said(l, status.Delivered, time.Now(), 5)
	is(deadletter.StateDelivered)

	again := letter(2)
	r.letters(again)
	r.replay(deadletter.Filter{IDs: []string{again.ID()}})
	second := *again
	second.Replays, second.Origin, second.Offset = 1, deadletter.Origin(source, again.Partition, again.Offset), 77
	r.letters(&second)
	l = again
	is(deadletter.StateFailedAgain)
	is(deadletter.StateOpen) // the second death

	detail, err := s.Letter(t.Context(), l.ID()[:12])
	if err != nil {
		t.Fatal(err)
	}
	if len(detail.Deaths) != 2 || detail.Deaths[0].State != deadletter.StateFailedAgain || detail.Deaths[1].State != deadletter.StateOpen || detail.Deaths[1].Replays != 1 ||
		string(detail.Record.Value) != string(l.Value) || detail.Record.Replays != 1 || detail.Partly != "" {
		t.Errorf("%+v", detail)
	}
	if len(detail.Replays) != 1 || detail.Replays[0].State != deadletter.Published || detail.Replays[0].By != "jane@desk" {
		t.Errorf("%+v", detail.Replays)
	}

	audit, err := deadletter.OpenAudit(t.Context(), r.Cluster, dlq+".replays")
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	if err := audit.Dismiss(t.Context(), []deadletter.Letter{deadletter.LetterOf(&second)}, "joe", "they know", false); err != nil {
		t.Fatal(err)
	}
	is(deadletter.StateDismissed)
	if detail, err = s.Letter(t.Context(), l.ID()); err != nil || len(detail.Replays) != 2 || detail.Replays[1].Why != "they know" {
		t.Errorf("%+v, %v", detail, err)
	}

	series := s.Series()
	if len(series) != 2 || series[1].ID != plan.ID || series[1].By != "jane@desk" || series[1].Published != 1 || series[1].Begun.IsZero() || series[1].Finished.IsZero() ||
		series[1].Outcome[deadletter.StateDelivered] != 1 || series[0].Outcome[deadletter.StateFailedAgain] != 1 {
		t.Errorf("%+v", series)
	}
	if page, err := s.Replayed(t.Context(), plan.ID, 0, 10); err != nil || page.Total != 1 || page.Rows[0].State != deadletter.StateDelivered {
		t.Errorf("%+v, %v", page, err)
	}
}

// A letter that comes after its delivery was sent before, as the status topic says,
// has the state that it has after a reload.
func TestLettersOfWhatWasSentBefore(t *testing.T) {
	r := newRig(t)
	s := r.loaded(r.config())
	before, undelivered := letter(1), letter(2, func(l *deadletter.Record) { l.Reason, l.Disposition = "not_delivered", deadletter.Undelivered })
	for _, l := range []*deadletter.Record{before, undelivered} {
		r.entry(l, ledger.Entry{State: ledger.Sent, SID: "SM1", Time: time.Now(), Position: ledger.Position{Partition: l.Partition, Offset: l.Offset}})
		r.said(l, status.Undelivered, time.Now(), l.Offset)
	}
	r.await(s, "two messages", func() bool { return s.Progress().Messages == 2 })
	r.letters(before, undelivered)
	r.await(s, "two letters", func() bool { return s.Progress().Letters == 2 })
	for name, s := range map[string]*Store{"followed": s, "reloaded": r.loaded(r.config())} {
		for id, want := range map[string]deadletter.State{before.ID(): deadletter.StateSent, undelivered.ID(): deadletter.StateOpen} {
			if d, err := s.Letter(t.Context(), id); err != nil || d.Record.State != want {
				t.Errorf("%s: %+v, %v; want %s", name, d, err, want)
			}
		}
	}
}

// Whoever asks while it follows gets whole answers, and in the end all of it.
func TestQueriesWhileItFollows(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Limits.Letters = 250
	s, _ := r.run(cfg)
	done := make(chan struct{})
	var askers sync.WaitGroup
	for n := range 3 {
		askers.Go(func() {
			filters := []deadletter.Filter{{}, {Reasons: []string{"expired"}}, {Contains: "many"}}
			for {
				select {
				case <-done:
					return
				default:
				}
				page, err := s.Letters(t.Context(), filters[n], 0, 5)
				if err != nil {
					t.Error(err)
					return
				}
				if len(page.Rows) > page.Total {
					t.Errorf("%d of %d", len(page.Rows), page.Total)
				}
				for i, l := range page.Rows {
					if l.State == "" || i > 0 && l.FailedAt().After(page.Rows[i-1].FailedAt()) {
						t.Errorf("row %d: %+v", i, l)
					}
					if _, err := s.Letter(t.Context(), l.ID()); err != nil && s.Progress().Forgotten == 0 {
						t.Error(err)
					}
				}
				if _, err := s.Groups(t.Context(), filters[n]); err != nil {
					t.Error(err)
				}
				if _, err := s.Histogram(t.Context(), filters[n], time.Minute); err != nil {
					t.Error(err)
				}
				s.Funnel(time.Hour)
				s.Messages(time.Hour, time.Minute)
				s.Series()
			}
		})
	}
	r.randomly(rand.New(rand.NewPCG(1, 2)), 300)
	s2 := r.loaded(cfg)
	want := s2.Progress()
	r.await(s, "all is read", func() bool {
		p := s.Progress()
		return p.Loaded && p.Letters == want.Letters && p.Forgotten == want.Forgotten && p.Messages == want.Messages
	})
	close(done)
	askers.Wait()
}
