package search

import (
	"testing"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/reread"
)

// One search serves whoever asks for the same text with times that go on, and states;
// of many the one that was asked longest ago is given up.
func TestTheSameSearch(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)
	s := New(Config{Letters: reread.New(nil, "dlq"), Most: 10, Now: func() time.Time { return now }, Found: func(bool) {}})
	find := func(f deadletter.Filter) *Search {
		t.Helper()
		q, err := s.Find(&f, func(*deadletter.Filter, func(reread.Place)) {})
		if err == nil {
			err = q.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	first := find(deadletter.Filter{Contains: "a", Since: now})
	if again := find(deadletter.Filter{Contains: "a", Since: now.Add(time.Minute), States: []deadletter.State{deadletter.StateOpen}}); again != first {
		t.Error("it is begun again for a later time")
	}
	if other := find(deadletter.Filter{Contains: "a", Since: now.Add(coarse)}); other == first {
		t.Error("it serves another time")
	}
	for _, text := range []string{"b", "c", "d"} {
		find(deadletter.Filter{Contains: text})
	}
	if again := find(deadletter.Filter{Contains: "a", Since: now}); again == first || len(s.all) != mostSearches {
		t.Errorf("%d are kept", len(s.all))
	}
	s.cfg.Now = func() time.Time { return now.Add(life) }
	last := s.all[len(s.all)-1]
	if again := find(deadletter.Filter{Contains: "a", Since: now}); again == last {
		t.Error("it is never begun anew")
	}
	s.Offer(reread.Place{Offset: 7}, &deadletter.Record{Value: []byte("an A")})
	if q := s.all[len(s.all)-1]; !q.Has(reread.Place{Offset: 7}) || q.Has(reread.Place{Offset: 8}) {
		t.Error("what comes isn't looked through")
	}
	s.Stop()
	if _, err := s.Find(&deadletter.Filter{Contains: "a"}, nil); err == nil {
		t.Error("it is begun after the end")
	}
	if q, err := s.Find(&deadletter.Filter{}, nil); q != nil || err != nil || !q.Has(reread.Place{}) || q.Partly() != "" || q.Busy() {
		t.Error("no text is looked for")
	}
}
