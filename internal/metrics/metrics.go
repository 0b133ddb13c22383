// Package metrics declares every metric of the worker, in one place, so that
// dashboards, alerts and docs/operations.md can be checked against it.
//
// Labels are bounded: destinations, actions, regions and partitions come from
// the configuration and the topic, reasons and outcomes from enums.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"engage-worker/actions/outcome"
)

// Metrics holds the worker's metrics. All are safe for concurrent use.
type Metrics struct {
	Events            *prometheus.CounterVec   // destination, action, outcome, reason
	RecordsRead       *prometheus.CounterVec   // destination, stream
	Enveloped         *prometheus.CounterVec   // destination, envelope
	RequestDuration   *prometheus.HistogramVec // destination, region, outcome
	EndToEnd          *prometheus.HistogramVec // destination, region
	GateWait          *prometheus.HistogramVec // region
	BreakerState      *prometheus.GaugeVec     // region: 0 closed, 1 half-open, 2 open
	InFlight          *prometheus.GaugeVec     // region
	InFlightLimit     *prometheus.GaugeVec     // region
	RateLimit         *prometheus.GaugeVec     // region: this replica's share, messages/s
	RateSlots         *prometheus.GaugeVec     // region, sender (empty: the region's own), whose: home, lent, borrowed, wanted, lacking
	RateGranted       *prometheus.CounterVec   // region, sender
	GateWaiting       *prometheus.GaugeVec     // region, sender
	Throttled         *prometheus.CounterVec   // region
	AccountClosed     *prometheus.GaugeVec     // destination: 1 while Twilio refuses its account
	SendersClosed     *prometheus.GaugeVec     // destination
	Lag               *prometheus.GaugeVec     // destination, stream, partition
	LagSeconds        *prometheus.GaugeVec     // destination, stream, partition
	OldestOpen        *prometheus.GaugeVec     // destination, stream, partition
	TwilioErrors      *prometheus.CounterVec   // destination, code: those of twilio.Explain, or other
	UncommittedSpan   *prometheus.GaugeVec     // destination, stream, partition
	Watermark         *prometheus.GaugeVec     // destination, stream, partition
	Shards            *prometheus.GaugeVec     // destination
	StuckShards       *prometheus.GaugeVec     // destination
	StandingBy        *prometheus.GaugeVec     // destination: 1 while others own the shards, configured otherwise
	Rebalances        *prometheus.CounterVec   // destination
	Commits           *prometheus.CounterVec   // destination, result
	Held              *prometheus.GaugeVec     // destination, cause
	DeadLetters       *prometheus.CounterVec   // destination, action, reason, disposition
	Retries           *prometheus.CounterVec   // destination, tier
	Restoring         *prometheus.GaugeVec     // destination
	LedgerRestore     *prometheus.HistogramVec // destination
	LedgerRestored    *prometheus.CounterVec   // destination
	LedgerEntries     *prometheus.GaugeVec     // destination
	LedgerWrite       *prometheus.HistogramVec // destination
	Reconciliations   *prometheus.CounterVec   // destination, result
	Lookups           *prometheus.CounterVec   // destination, kind, result
	ClockSkew         *prometheus.GaugeVec     // against: broker or twilio
	Messages          *prometheus.CounterVec   // destination, action, region, status
	MessagesFailed    *prometheus.CounterVec   // destination, class: those of twilio.Later
	MessagesPending   *prometheus.GaugeVec     // destination
	OldestPending     *prometheus.GaugeVec     // destination
	TwilioQueue       *prometheus.HistogramVec // destination, region
	StatusRequests    *prometheus.CounterVec   // destination, how, result
	StatusRestore     *prometheus.HistogramVec // destination
	CallbacksRead     *prometheus.CounterVec   // destination, result
	CallbacksReceived *prometheus.CounterVec   // destination, result; of the callbacks command
	OpenBytes         prometheus.Gauge
	FetchThrottled    prometheus.Counter
	BuildInfo         *prometheus.GaugeVec // version, revision, goversion
}

// latency covers 1 ms to about 65 s in powers of two.
var latency = prometheus.ExponentialBuckets(0.001, 2, 17)

// New declares the metrics and registers them with reg.
func New(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		Events:            counter("engage_events_total", "Deliveries by what became of them; events that no trigger wants count once, with an empty action.", "destination", "action", "outcome", "reason"),
		RecordsRead:       counter("engage_records_read_total", "Records read from the source and the retry topics.", "destination", "stream"),
		Enveloped:         counter("engage_enveloped_events_total", "Events that no trigger wants because of what they are wrapped in.", "destination", "envelope"),
		RequestDuration:   histogram("engage_request_duration_seconds", "Time of one request to Twilio.", latency, "destination", "region", "outcome"),
		EndToEnd:          histogram("engage_end_to_end_seconds", "From the Kafka record's timestamp to Twilio's acceptance.", prometheus.ExponentialBuckets(0.005, 2, 20), "destination", "region"),
		GateWait:          histogram("engage_gate_wait_seconds", "Time a delivery waited for its region's rate and requests in flight.", latency, "region"),
		BreakerState:      gauge("engage_breaker_state", "The region's circuit breaker: 0 closed, 1 half-open, 2 open.", "region"),
		InFlight:          gauge("engage_in_flight_requests", "Requests to Twilio in flight.", "region"),
		InFlightLimit:     gauge("engage_in_flight_limit_requests", "Requests in flight that the region allows at the moment.", "region"),
		RateLimit:         gauge("engage_rate_limit_messages_per_second", "This replica's share of the region's rate, in messages per second.", "region"),
		RateSlots:         gauge("engage_rate_slots", "Slots of the region's rate, or of a sender's in it, about one per use a second: this replica's own (home), what of these is lent, what it borrows, what it could use (wanted) and what of that it lacks.", "region", "sender", "whose"),
		RateGranted:       counter("engage_rate_granted_total", "Slots of the region's or the sender's rate that this replica lent to others.", "region", "sender"),
		GateWaiting:       gauge("engage_gate_waiting", "Deliveries that wait for the region's rate, or first for their sender's.", "region", "sender"),
		Throttled:         counter("engage_throttled_total", "Answers by which Twilio asked to slow down.", "region"),
		AccountClosed:     gauge("engage_account_closed", "1 while the destination's messages are held because Twilio refuses its account or key.", "destination"),
		SendersClosed:     gauge("engage_senders_closed", "Senders of the destination whose messages are held because Twilio refuses them.", "destination"),
		Lag:               gauge("engage_lag_records", "Records between the committed offset and the end of the log.", "destination", "stream", "partition"),
		LagSeconds:        gauge("engage_lag_seconds", "Age of the oldest record that isn't committed, by its timestamp; 0 where there is none.", "destination", "stream", "partition"),
		OldestOpen:        gauge("engage_oldest_open_seconds", "Age of the oldest open event, by its record's timestamp; 0 where none is open.", "destination", "stream", "partition"),
		TwilioErrors:      counter("engage_twilio_errors_total", "Answers of Twilio's with an error code; other stands for codes that the worker doesn't know.", "destination", "code"),
		UncommittedSpan:   gauge("engage_uncommitted_offsets", "Offsets between the watermark and the fetch position.", "destination", "stream", "partition"),
		Watermark:         gauge("engage_watermark_offset", "The offset up to which everything is done; what is committed next.", "destination", "stream", "partition"),
		Shards:            gauge("engage_shards", "Shards that this replica owns.", "destination"),
		StuckShards:       gauge("engage_stuck_shards", "Owned shards with open events and no progress for a while.", "destination"),
		StandingBy:        gauge("engage_standing_by", "1 while this replica owns no shards because those that do have other actions or settings.", "destination"),
		Rebalances:        counter("engage_rebalances_total", "Generations of the consumer group that this replica joined.", "destination"),
		Commits:           counter("engage_commits_total", "Offset commits by result.", "destination", "result"),
		Held:              gauge("engage_held_deliveries", "Deliveries held: their region's breaker is open, or a topic can't be written.", "destination", "cause"),
		DeadLetters:       counter("engage_dead_letters_total", "Dead letters acknowledged by all in-sync replicas.", "destination", "action", "reason", "disposition"),
		Retries:           counter("engage_retries_total", "Deliveries put into a retry topic.", "destination", "tier"),
		Restoring:         gauge("engage_shards_restoring", "Owned shards whose ledger isn't read yet; nothing is sent for them until it is.", "destination"),
		LedgerRestore:     histogram("engage_ledger_restore_seconds", "Time to read a shard's ledger on assignment.", latency, "destination"),
		LedgerRestored:    counter("engage_ledger_restored_records_total", "Ledger records read on assignment.", "destination"),
		LedgerEntries:     gauge("engage_ledger_entries", "Ledger entries in memory.", "destination"),
		LedgerWrite:       histogram("engage_ledger_write_seconds", "Time until a ledger record was acknowledged by all in-sync replicas.", latency, "destination"),
		Reconciliations:   counter("engage_reconciliations_total", "Ambiguous deliveries by what Twilio's message list said.", "destination", "result"),
		Lookups:           counter("engage_lookups_total", "Look-ups of profiles and content templates by result.", "destination", "kind", "result"),
		ClockSkew:         gauge("engage_clock_skew_seconds", "By how much this machine's clock is ahead of a broker's or Twilio's; negative where it is behind.", "against"),
		Messages:          counter("engage_messages_total", "Messages that Twilio accepted, by how far they came: each is counted once for each status that it is known to have reached.", "destination", "action", "region", "status"),
		MessagesFailed:    counter("engage_messages_failed_total", "Messages that failed or weren't delivered after Twilio had accepted them, by the class of Twilio's later code.", "destination", "class"),
		MessagesPending:   gauge("engage_messages_pending", "Accepted messages without a final status that this replica follows.", "destination"),
		OldestPending:     gauge("engage_messages_oldest_pending_seconds", "Time since the oldest message without a final status was accepted; 0 where there is none.", "destination"),
		TwilioQueue:       histogram("engage_twilio_queue_seconds", "Time that a message waited at Twilio, from its acceptance until it was sent.", prometheus.ExponentialBuckets(0.25, 2, 18), "destination", "region"),
		StatusRequests:    counter("engage_status_requests_total", "Requests by which Twilio was asked what became of messages: for one (sid), or for a page of its list (page).", "destination", "how", "result"),
		StatusRestore:     histogram("engage_status_restore_seconds", "Time to read what is pending in a shard's status topic on assignment.", latency, "destination"),
		CallbacksRead:     counter("engage_callbacks_read_total", "Status callbacks that the shards' owners have read: ok, or malformed.", "destination", "result"),
		CallbacksReceived: counter("engage_callbacks_received_total", "Status callbacks that a receiver (engage-worker callbacks) got: ok (in Kafka), forged, malformed, or unwritten (Twilio is told to try again).", "destination", "result"),
		OpenBytes:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "engage_open_bytes", Help: "Bytes of events that are open in this process."}),
		BuildInfo:         gauge("engage_build_info", "What runs here; always 1.", "version", "revision", "goversion"),
	}
	m.FetchThrottled = prometheus.NewCounter(prometheus.CounterOpts{Name: "engage_fetch_throttled_seconds_total", Help: "Time for which brokers asked for a pause, since a quota of Kafka's is used up."})
	reg.MustRegister(m.OpenBytes, m.FetchThrottled)
	return m
}

// Begin makes a destination's series whose labels are known beforehand, so
// that they show from the start, at 0: a counter's first rise is seen only
// from there. regions are those that the configuration names, tiers the retry
// topics'. What belongs to a shard comes and goes with it.
func (m *Metrics) Begin(destination string, regions, tiers []string) {
	for _, result := range []string{"ok", "malformed"} {
		m.CallbacksRead.WithLabelValues(destination, result)
	}
	for _, region := range regions {
		m.TwilioQueue.WithLabelValues(destination, region)
	}
	for _, how := range []string{"sid", "page"} {
		for _, result := range []string{"ok", "failed"} {
			m.StatusRequests.WithLabelValues(destination, how, result)
		}
	}
	for _, gauge := range []*prometheus.GaugeVec{m.MessagesPending, m.OldestPending, m.Shards, m.StuckShards, m.StandingBy, m.Restoring, m.LedgerEntries, m.AccountClosed, m.SendersClosed} {
		gauge.WithLabelValues(destination)
	}
	for _, counter := range []*prometheus.CounterVec{m.Rebalances, m.LedgerRestored} {
		counter.WithLabelValues(destination)
	}
	for _, histogram := range []*prometheus.HistogramVec{m.LedgerRestore, m.LedgerWrite, m.StatusRestore} {
		histogram.WithLabelValues(destination)
	}
	for _, cause := range []string{"breaker", "refused", "dead_letter", "retry"} {
		m.Held.WithLabelValues(destination, cause)
	}
	for _, result := range []string{"ok", "failed"} {
		m.Commits.WithLabelValues(destination, result)
	}
	for _, result := range []string{"sent", "not_sent", "undecidable", "list_failed", "list_refused", "changed"} {
		m.Reconciliations.WithLabelValues(destination, result)
	}
	for _, kind := range []string{"profile", "content"} {
		for _, result := range []string{"ok", "hit", "merged", "error"} {
			m.Lookups.WithLabelValues(destination, kind, result)
		}
	}
	m.TwilioErrors.WithLabelValues(destination, "other")
	for _, tier := range tiers {
		m.Retries.WithLabelValues(destination, tier)
	}
	for _, region := range regions {
		m.EndToEnd.WithLabelValues(destination, region)
		for _, kind := range []outcome.Kind{outcome.Sent, outcome.Refused, outcome.Throttled, outcome.Unavailable, outcome.Ambiguous} {
			m.RequestDuration.WithLabelValues(destination, region, kind.String())
		}
	}
	m.DeadLetters.WithLabelValues(destination, "", outcome.ReasonMalformedEvent.String(), "malformed")
}
