package consumer

import "time"

// watchdog reports shards that have open events and settle none: nothing in
// Kafka does. It belongs to the goroutine that commits.
type watchdog struct {
	gen      *generation
	reported map[int]bool
}

// look checks all shards, and sets the gauges that tell of them.
func (w *watchdog) look(now time.Time) {
	stuck, entries := 0, 0
	w.gen.group.setUsurper(w.usurper())
	for _, s := range w.gen.shards {
		if s.ledger != nil {
			entries += s.ledger.Len()
		}
		if w.stuck(s, s.measure(), now) {
			stuck++
		}
	}
	m, destination := w.gen.group.parts.Metrics, w.gen.group.cfg.Destination
	m.StuckShards.WithLabelValues(destination).Set(float64(stuck))
	m.LedgerEntries.WithLabelValues(destination).Set(float64(entries))
}

// stuck reports whether a shard with so many open events makes no progress,
// and says so once.
func (w *watchdog) stuck(s *shard, open int, now time.Time) bool {
	if w.reported == nil {
		w.reported = map[int]bool{}
	}
	idle := now.Sub(time.Unix(0, s.progress.Load()))
	if open == 0 {
		s.progress.Store(now.UnixNano())
	}
	if open == 0 || idle < max(time.Minute, 2*w.gen.group.cfg.RequestTimeout) {
		if w.reported[s.id] {
			s.log.Info().Msg("the shard makes progress again")
			delete(w.reported, s.id)
		}
		return false
	}
	if !w.reported[s.id] {
		w.reported[s.id] = true
		s.log.Warn().Int("open", open).Dur("idle", idle).Msg("the shard makes no progress: see engage_held_deliveries, engage_breaker_state and the last errors")
	}
	return true
}

// usurper is another group that writes into a shard's ledger, or "".
func (w *watchdog) usurper() string {
	for _, s := range w.gen.shards {
		if s.ledger != nil {
			if group := s.ledger.Usurper(); group != "" {
				return group
			}
		}
	}
	return ""
}
