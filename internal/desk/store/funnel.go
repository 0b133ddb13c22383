package store

import (
	"cmp"
	"slices"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/messages"
)

// Funnel tells what became of what was accepted in the last span, at most 7 days, and
// what died then, for each destination and action that has anything, in their order.
func (s *Store) Funnel(span time.Duration) []messages.Funnel {
	now := s.now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := s.messages.Funnels(span, now)
	type kind struct{ destination, action, reason text }
	dead := map[kind]int{}
	for i := s.choose(&deadletter.Filter{Since: now.Add(-min(span, messages.Longest))}).from; i < len(s.rows); i++ {
		r := &s.rows[i]
		dead[kind{r.destination, r.action, r.reason}]++
	}
	for k, n := range dead {
		destination := s.texts.of(k.destination)
		action := s.cfg.Present(destination, s.texts.of(k.action))
		at := slices.IndexFunc(all, func(f messages.Funnel) bool { return f.Destination == destination && f.Action == action })
		if at < 0 {
			at = len(all)
			all = append(all, messages.Funnel{Destination: destination, Action: action})
		}
		all[at].Dead = append(all[at].Dead, deadletter.Count{Value: s.texts.of(k.reason), N: n})
	}
	all = slices.DeleteFunc(all, func(f messages.Funnel) bool { return f.Accepted == 0 && len(f.Dead) == 0 })
	for _, f := range all {
		slices.SortFunc(f.Dead, func(a, b deadletter.Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	}
	slices.SortFunc(all, func(a, b messages.Funnel) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Action, b.Action))
	})
	return all
}

// Messages counts what was accepted in the last span by steps; see messages.Points.
func (s *Store) Messages(span, step time.Duration) []messages.Point {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.messages.Points(span, step, s.now())
}

// Segments is how many segments a message of an action has had on average. ok is
// false where none is known.
func (s *Store) Segments(destination, action string) (average float64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.messages.Segments(destination, action)
}
