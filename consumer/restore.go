package consumer

import (
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
)

// restoreAtOnce bounds how many ledgers are read at the same time.
const restoreAtOnce = 4

// usurperPoll is how often a ledger is read that another group writes into.
const usurperPoll = time.Second

// ledger is a shard's, the same as long as the shard stays.
func (g *Group) ledger(shard int) *ledger.Ledger {
	if g.ledgers[shard] == nil {
		topic := g.cfg.Topics.Ledger
		g.ledgers[shard] = ledger.New(ledger.Config{
			Retention: g.cfg.LedgerRetention,
			Observe: func(d time.Duration) {
				g.parts.Metrics.LedgerWrite.WithLabelValues(g.cfg.Destination).Observe(d.Seconds())
			},
			Now:    g.parts.Clock.Now,
			Others: ledger.Others{Group: g.cfg.GroupID, Adopted: g.cfg.Adopted, Quiet: g.cfg.QuietLedger},
			Log:    g.log.With().Str("topic", topic).Int("partition", shard).Logger(),
		}, ledger.Partition{Cluster: g.parts.Cluster, Topic: topic, ID: shard})
	}
	return g.ledgers[shard]
}

// tails are of the ledgers that others write while this member owns those.
func (g *Group) tails(owned []kafka.PartitionAssignment) *ledger.Tails {
	var ids []int
	for _, p := range owned {
		ids = append(ids, p.ID)
	}
	return ledger.NewTails(ledger.ClusterLogs{Cluster: g.parts.Cluster}, g.cfg.Topics.Ledger, ids, g.cfg.Topics.OtherLedgers)
}

// restore reads what is new in a shard's ledger, trying again what may pass;
// false when intake ended first.
func (gen *generation) restore(s *shard) bool {
	if s.ledger == nil {
		return true
	}
	m, destination, start, records := gen.group.parts.Metrics, gen.group.cfg.Destination, time.Now(), 0
	pauses := pause.Growing(100*time.Millisecond, 2*time.Second)
	for {
		if gen.reading.Acquire(gen.intake, 1) != nil {
			return false
		}
		n, err := s.ledger.Restore(gen.intake)
		gen.reading.Release(1)
		records += n
		if err == nil && s.ledger.Usurper() == "" {
			break
		}
		if err == nil { // whatever it writes is to be seen
			if !pause.For(gen.intake, usurperPoll) {
				return false
			}
			continue
		}
		if gen.intake.Err() != nil {
			return false
		}
		s.log.Warn().Err(err).Msg("the ledger can't be read; nothing is sent for this shard until it can")
		if !pause.For(gen.intake, pauses.NextBackOff()) {
			return false
		}
	}
	took := time.Since(start)
	m.LedgerRestore.WithLabelValues(destination).Observe(took.Seconds())
	m.LedgerRestored.WithLabelValues(destination).Add(float64(records))
	s.log.Debug().Int("records", records).Int("entries", s.ledger.Len()).Dur("took", took).Msg("ledger read")
	m.Restoring.WithLabelValues(destination).Dec()
	if gen.unrestored.Add(-1) == 0 {
		close(gen.restored)
	}
	return true
}
