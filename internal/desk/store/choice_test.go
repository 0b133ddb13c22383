package store

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"engage-worker/deadletter"
)

// all are the topic's letters as `dlq list` finds them, newest first.
func (r *rig) all() (letters []*deadletter.Record) {
	r.t.Helper()
	reader := deadletter.Reader{Cluster: r.Cluster, Topic: dlq}
	spans, err := reader.Spans(r.t.Context(), time.Time{})
	if err != nil {
		r.t.Fatal(err)
	}
	states, fold := deadletter.NewStates(nil), deadletter.NewFold()
	if err := reader.Read(r.t.Context(), spans, nil, func(l *deadletter.Record, fault error) error {
		if !errors.Is(fault, deadletter.ErrForeign) && !fold.Repeated(l) {
			states.Add(l)
			letters = append(letters, l.Clone())
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	if err := states.Learn(r.t.Context(), deadletter.Sources{
		Cluster: r.Cluster, Replays: dlq + ".replays", Ledger: topicOf("ledger"), Status: topicOf("status"),
	}, nil); err != nil {
		r.t.Fatal(err)
	}
	for _, l := range letters {
		l.State, l.StateWhy = states.Of(l)
	}
	slices.SortFunc(letters, func(a, b *deadletter.Record) int {
		return cmp.Or(b.FailedAt().Compare(a.FailedAt()), cmp.Compare(a.Position.Partition, b.Position.Partition), cmp.Compare(b.Position.Offset, a.Position.Offset))
	})
	return letters
}

// topicOf names a destination's topic, as the configuration does with a former name.
func topicOf(kind string) func(string) string {
	return func(destination string) string {
		if destination == "intro" {
			destination = "onboarding"
		}
		return source + "." + destination + "." + kind
	}
}

// randomFilter chooses by a few things at random, some of which no letter has.
func randomFilter(rnd *rand.Rand, letters []*deadletter.Record) deadletter.Filter {
	var f deadletter.Filter
	one := func() *deadletter.Record { return letters[rnd.IntN(len(letters))] }
	for range 1 + rnd.IntN(3) {
		l := one()
		switch rnd.IntN(14) {
		case 0:
			f.Reasons = append(f.Reasons, l.Reason, "unheard_of")
		case 1:
			f.Dispositions = append(f.Dispositions, l.Disposition)
		case 2:
			f.Destinations = append(f.Destinations, l.Destination)
		case 3:
			f.Actions = append(f.Actions, l.Action)
		case 4:
			f.Users = append(f.Users, l.UserID)
		case 5:
			f.MessageIDs = append(f.MessageIDs, l.MessageID)
		case 6:
			f.Regions = append(f.Regions, l.Region)
		case 7:
			f.Codes = append(f.Codes, l.TwilioCode, 1<<40)
		case 8:
			f.Since = l.FailedAt()
		case 9:
			f.Until = l.FailedAt()
		case 10:
			f.IDs = append(f.IDs, l.ID(), one().ID(), "unheard of")
		case 11:
			f.IDPrefix = l.ID()[:rnd.IntN(len(l.ID())+1)]
		case 12:
			f.States = append(f.States, l.State, "unheard_of")
		case 13:
			f.Contains = []string{"ANSCHLUSS", "anschluß", "requests", l.MessageID, `"userid":`}[rnd.IntN(5)]
		}
	}
	return f
}

// A filter chooses what deadletter.Filter.Match does, whatever the letters are,
// and the states are those that `dlq list` tells of.
func TestFiltersAndStates(t *testing.T) {
	r := newRig(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	r.randomly(rnd, 600)
	odd := deadletter.Encode(letter(9000))
	for i := range odd.Headers {
		if odd.Headers[i].Key == deadletter.HeaderID {
			odd.Headers[i].Value = []byte("An id of another's making, in CAPITALS")
		}
	}
	capital := deadletter.Encode(letter(9001))
	for i := range capital.Headers {
		if capital.Headers[i].Key == deadletter.HeaderID {
			capital.Headers[i].Value = []byte("ABCDEF0123456789")
		}
	}
	r.Put(dlq, odd, capital, odd)
	s := r.loaded(r.config())
	letters := r.all()
	for n := range 300 {
		f := randomFilter(rnd, letters)
		var want []string
		for _, l := range letters {
			if f.Match(l) {
				want = append(want, fmt.Sprint(l.Position, l.ID(), l.State, l.StateWhy))
			}
		}
		var got []string
		if err := s.Export(t.Context(), f, func(l *deadletter.Record) error {
			got = append(got, fmt.Sprint(l.Position, l.ID(), l.State, l.StateWhy))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, %d: %+v\ngot  %d %s\nwant %d %s", seed, n, f, len(got), got, len(want), want)
		}
		if n%20 == 0 { // and each query does
			r.sameEverywhere(s, f, letters)
		}
	}
}

// sameEverywhere checks that all queries choose the same.
func (r *rig) sameEverywhere(s *Store, f deadletter.Filter, letters []*deadletter.Record) {
	t := r.t
	t.Helper()
	var page Page
	r.await(s, "the search ends", func() bool {
		var err error
		if page, err = s.Letters(t.Context(), f, 0, 30); err != nil {
			t.Fatal(err)
		}
		return !page.Busy
	})
	groups, err := s.Groups(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	histogram, err := s.Histogram(t.Context(), f, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	type sum struct{ total, open, grouped, inTime, openInTime int }
	var want, got sum
	byState := map[deadletter.State]int{}
	for _, l := range letters {
		if !f.Match(l) {
			continue
		}
		if want.total < len(page.Rows) {
			shown := page.Rows[want.total]
			bare := *l
			bare.Key, bare.Value, bare.Headers = nil, nil, nil
			if !reflect.DeepEqual(shown, &bare) {
				t.Errorf("row %d of %+v\ngot  %+v\nwant %+v", want.total, f, shown, &bare)
			}
		}
		want.total++
		byState[l.State]++
	}
	want.open = byState[deadletter.StateOpen]
	want.grouped, want.inTime, want.openInTime = want.total, want.total, want.open
	got.total = page.Total
	for _, g := range groups.List {
		got.grouped += g.Count
		got.open += g.Open
		for state, n := range g.ByState {
			byState[state] -= n
		}
	}
	for _, b := range histogram.Buckets {
		got.inTime += b.N
		got.openInTime += b.Open
	}
	for state, n := range byState {
		if n != 0 {
			t.Errorf("%+v: %d of state %s too few", f, n, state)
		}
	}
	if got != want || len(page.Rows) != min(30, want.total) || groups.Total != want.total {
		t.Errorf("%+v\ngot  %+v, %d rows\nwant %+v", f, got, len(page.Rows), want)
	}
}
