package consumer

import "time"

// watchdog reports shards that have open events and settle none: nothing in
// Kafka does. It belongs to the goroutine that commits.
type watchdog struct {
	gen      *generation
	reported map[int]bool
}

// look checks all shards.
func (w *watchdog) look(now time.Time) {
	patience := max(time.Minute, 2*w.gen.RequestTimeout)
	if w.reported == nil {
		w.reported = map[int]bool{}
	}
	stuck, entries := 0, 0
	for _, s := range w.gen.shards {
		if s.ledger != nil {
			entries += s.ledger.Len()
		}
		open := s.open()
		idle := now.Sub(time.Unix(0, s.progress.Load()))
		if open == 0 {
			s.progress.Store(now.UnixNano())
		}
		if open == 0 || idle < patience {
			if w.reported[s.id] {
				s.log.Info().Msg("the shard makes progress again")
				delete(w.reported, s.id)
			}
			continue
		}
		stuck++
		if !w.reported[s.id] {
			w.reported[s.id] = true
			s.log.Warn().Int("open", open).Dur("idle", idle).Msg("the shard makes no progress: see engage_held, engage_breaker_state and the last errors")
		}
	}
	w.gen.metrics.StuckShards.WithLabelValues(w.gen.Destination).Set(float64(stuck))
	w.gen.metrics.LedgerEntries.WithLabelValues(w.gen.Destination).Set(float64(entries))
}
