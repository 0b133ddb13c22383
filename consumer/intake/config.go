package intake

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
)

// Tier is a retry topic and how long what is put there waits.
type Tier struct {
	Topic string
	Name  string // the metrics' label: 30s, 5m, 30m
	Delay time.Duration
}

// Config is one topic's partition of a shard.
type Config struct {
	Destination    string   // the metrics' label
	FormerNames    []string // of the destination
	Group          string   // the consumer group's id, for traces
	Topic          string
	Shard          int           // the partition's number
	Name           string        // the metrics' label: source, or the tier's name
	Delay          time.Duration // the tier's; 0 for the source
	Offset         int64         // where to begin; negative: where the log does
	MaxUncommitted int           // open events before fetching pauses
}

// Parts are what a Stream works with; all are safe for concurrent use.
type Parts struct {
	Cluster *records.Cluster
	Matcher matcher
	Actions []string   // the destination's, in the order of their bits
	Former  [][]string // what each was called before
	// Replays tells the source's replayed dead letters; nil: there are none.
	Replays replays
	Budget  *Budget
	Metrics *metrics.Metrics
	// Envelopes is told of events that are wrapped in something.
	Envelopes *Envelopes
	Tracer    trace.Tracer // nil: nobody wants traces
	Log       zerolog.Logger

	// Submit is given each open event, in the order of the log. It returns
	// soon; it or what it starts calls Event.Release, and Event.Settled when
	// the event is done.
	Submit func(*Event)
}

// replays tells whether a source record is a replayed dead letter, and which;
// *deadletter.Confirmer does.
type replays interface {
	Confirm(ctx context.Context, m *kafka.Message) (r deadletter.Replayed, ok bool, err error)
}

// matcher tells which actions want a value; *actions.Destination does.
type matcher interface {
	Match(value []byte) actions.Match
}
