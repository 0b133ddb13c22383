package store

import (
	"fmt"
	"testing"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/reread"
)

// whose is the id of the series that a number is of, "" for none.
func whose(s *Store, number uint32) string {
	for _, of := range s.Series() {
		if number > 0 && s.audits.Number(of.ID) == number {
			return of.ID
		}
	}
	return ""
}

// Whose replay it is, the record of replays says: whoever intended it first and
// hasn't taken that back, or has published it.
func TestWhoseReplayItIs(t *testing.T) {
	type step struct {
		plan, series string
		state        deadletter.ReplayState
	}
	for name, c := range map[string]struct {
		steps []step
		whose string // series; "": nobody's
		n     audits.Series
	}{
		"published":                     {[]step{{"a", "a", deadletter.Intended}, {"a", "a", deadletter.Published}, {"a", "a", deadletter.Published}}, "a", audits.Series{Published: 1}},
		"killed":                        {[]step{{"a", "a", deadletter.Intended}}, "a", audits.Series{Intended: 1}},
		"taken back":                    {[]step{{"a", "a", deadletter.Intended}, {"a", "a", deadletter.Abandoned}}, "", audits.Series{}},
		"lost to another":               {[]step{{"a", "a", deadletter.Intended}, {"b", "b", deadletter.Intended}, {"b", "b", deadletter.Abandoned}}, "a", audits.Series{Intended: 1}},
		"lost to another of the series": {[]step{{"a", "a", deadletter.Intended}, {"b", "a", deadletter.Intended}, {"b", "a", deadletter.Abandoned}}, "a", audits.Series{Intended: 1}},
		"after one that was killed":     {[]step{{"a", "a", deadletter.Intended}, {"b", "b", deadletter.Intended}, {"b", "b", deadletter.Published}}, "b", audits.Series{Published: 1}},
		"compacted":                     {[]step{{"b", "b", deadletter.Abandoned}, {"a", "a", deadletter.Published}}, "a", audits.Series{Published: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Config{DeadLetters: dlq})
			l := letter(1)
			s.takeLetter(l, nil)
			for i, step := range c.steps {
				s.takeAudits([]audits.Entry{{Audit: deadletter.Audit{
					ID: l.ID(), Origin: deadletter.Origin(l.Topic, l.Partition, l.Offset), Replay: 1, Plan: step.plan, Series: step.series, State: step.state, By: "jane", At: time.Now(),
				}, Place: reread.Place{Offset: int64(i)}}})
			}
			s.settle()
			if whose := whose(s, s.rows[0].series); whose != c.whose {
				t.Errorf("it is of %q, want %q", whose, c.whose)
			}
			for _, of := range s.Series() {
				want := audits.Series{}
				if of.ID == c.whose {
					want = c.n
				}
				if of.Published != want.Published || of.Intended != want.Intended {
					t.Errorf("%+v, want %+v", of, want)
				}
			}
		})
	}
}

// A replay of what was replayed before and came to nothing is its letter's, and one
// after another death is that death's.
func TestReplaysOfOneLetter(t *testing.T) {
	s := New(Config{DeadLetters: dlq})
	first, second := letter(1), letter(1)
	second.Replays, second.Offset, second.Origin = 2, 99, deadletter.Origin(first.Topic, first.Partition, first.Offset)
	second.Position.Offset, second.LastFailedAt = 1, first.LastFailedAt.Add(time.Minute)
	s.takeLetter(first, nil)
	s.takeLetter(second, nil)
	for n, plan := range []string{"a", "b", "c"} { // b is --again, after which it died; c is of the second death
		s.takeAudits([]audits.Entry{{Audit: deadletter.Audit{
			ID: first.ID(), Origin: second.Origin, Replay: n + 1, Plan: plan, Series: plan, State: deadletter.Published, By: "jane", At: time.Now(),
		}, Place: reread.Place{Offset: int64(n)}}})
	}
	s.settle()
	if a, b := whose(s, s.rows[0].series), whose(s, s.rows[1].series); a != "b" || b != "c" {
		t.Errorf("the first death is replayed by %s, the second by %s", a, b)
	}
}

// Of very many replays the older half is forgotten, and the others stay whose they are.
func TestManySeries(t *testing.T) {
	const mostSeries = 10_000 // that are remembered
	s := New(Config{DeadLetters: dlq})
	l := letter(1)
	s.takeLetter(l, nil)
	now := time.Now()
	for n := range mostSeries + 1 {
		id := fmt.Sprint("plan-", n)
		a := deadletter.Audit{Plan: id, Series: id, State: deadletter.Begun, By: "jane", At: now.Add(time.Duration(n) * time.Minute)}
		s.takeAudits([]audits.Entry{{Audit: a, Place: reread.Place{Offset: int64(2 * n)}}})
		if n == mostSeries-1 {
			a.ID, a.Origin, a.Replay, a.State = l.ID(), deadletter.Origin(l.Topic, l.Partition, l.Offset), 1, deadletter.Published
			s.takeAudits([]audits.Entry{{Audit: a, Place: reread.Place{Offset: int64(2*n + 1)}}})
			s.settle()
		}
	}
	s.settle()
	all := s.Series()
	if len(all) != mostSeries/2+1 || all[0].ID != fmt.Sprint("plan-", mostSeries) || all[len(all)-1].ID != fmt.Sprint("plan-", mostSeries/2) {
		t.Errorf("%d, from %s to %s", len(all), all[0].ID, all[len(all)-1].ID)
	}
	if of := all[1]; of.Published != 1 || of.Outcome[deadletter.StateReplayed] != 1 {
		t.Errorf("%+v", of)
	}
}

// Letters of impossible times are letters, too.
func TestImpossibleTimes(t *testing.T) {
	r := newRig(t)
	r.letters(letter(1), letter(2, func(l *deadletter.Record) { l.LastFailedAt = time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC) }),
		letter(3, func(l *deadletter.Record) { l.LastFailedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }))
	s := r.loaded(r.config())
	h, err := s.Histogram(t.Context(), deadletter.Filter{}, time.Minute)
	n := 0
	for _, b := range h.Buckets {
		n += b.N
	}
	if err != nil || n != 3 || len(h.Buckets) > mostBuckets {
		t.Errorf("%d letters in %d buckets of %v, %v", n, len(h.Buckets), h.Step, err)
	}
	if got := r.ids(s, deadletter.Filter{Until: time.Now()}); len(got) != 2 {
		t.Errorf("%d letters before now", len(got))
	}
}
