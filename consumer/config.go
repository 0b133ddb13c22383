package consumer

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/clock"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// Config is one destination's consumer group.
type Config struct {
	Destination string   // its name, the metrics' label
	FormerNames []string // of the destination
	GroupID     string   // the consumer group's id
	Brokers     []string
	Topics      Topics

	StartEarliest   bool // where a group without any offsets begins: else at the end
	SessionTimeout  time.Duration
	CommitInterval  time.Duration
	ShutdownTimeout time.Duration // for what is under way when Run is told to stop

	MaxEventAge    time.Duration // by the record's timestamp; 0: no limit
	Attempts       int           // in place
	BackoffInitial time.Duration
	BackoffMax     time.Duration
	RequestTimeout time.Duration
	ResendUnknown  bool // what Twilio can't tell is sent again, not dead-lettered
	Changed        bool // there are former settings or names; see delivery.Config
	MaxUncommitted int  // open events of a stream before its fetching pauses

	LedgerRetention time.Duration // how long a delivery is remembered

	StatusSweepAfter  time.Duration // after its acceptance, until Twilio is asked of a message
	StatusGiveUpAfter time.Duration

	// Adopted are groups that this one goes on for: what they wrote into the
	// ledger counts, and a group without offsets begins at theirs.
	Adopted []string
	// QuietLedger is how long another group must not have written into the
	// ledger before this one sends.
	QuietLedger time.Duration

	// Fingerprint is the configuration's; see actions.Destination. Members with
	// another own no shards while this one's do. 0: it isn't told.
	Fingerprint uint64

	// WithoutLedger gives guarantee 2 up. It exists to show what the ledger
	// is for, and what it costs.
	WithoutLedger bool
}

// Topics are those of a destination, all with the same number of partitions.
type Topics struct {
	Source string
	Retry  []intake.Tier // in the order of their delays
	Ledger string
	Status string // "": nobody follows what becomes of messages
	// Callbacks is where what Twilio reports waits; "": it isn't told to.
	Callbacks string
	// OtherLedgers are those of the destinations that send from the same
	// accounts: of a message that they account for none of ours is told.
	OtherLedgers []string
}

// Parts are what a Group works with; all are shared and safe for concurrent use.
type Parts struct {
	Cluster     *records.Cluster
	Dialer      *kafka.Dialer
	Destination destination
	Gates       gates
	Doors       *ratelimit.Doors // nil: the group's own
	DeadLetters deadLetters
	Retries     retries
	Replays     replays      // of the source's replayed dead letters; nil: there are none
	Clock       *clock.Clock // nil: this machine's is right
	Budget      *intake.Budget
	Pending     *status.Room
	Callback    func(a callbacks.Address) string // where Twilio is to report; nil: nowhere
	Metrics     *metrics.Metrics
	Tracer      trace.Tracer
	Log         zerolog.Logger

	// Grow brings the retry and ledger topics to the source's number of
	// partitions, when it was raised; may be nil.
	Grow func(ctx context.Context) error

	// SeveralRegions tells that deliveries may go through more than one
	// region, so that one that is closed off must not hold up others.
	SeveralRegions bool
	// SeveralSenders tells that deliveries may have more than one sender.
	SeveralSenders bool

	// Share is told, again and again, which of the destination's shards this
	// replica owns for sure, of how many; none when it can't be sure any more, and until when it can be.
	Share func(owned []int, total int, until time.Time)
}

// destination is what *actions.Destination does.
type destination interface {
	Actions() []string
	FormerNames() [][]string
	Match(value []byte) actions.Match
	Decode(value []byte) (*actions.Event, error)
	Wants(value []byte, action int) bool
	Former(m *twilio.Message) []*twilio.Message
	Prepare(ctx context.Context, ev *actions.Event, action int) actions.Delivery
	Send(ctx context.Context, m *twilio.Message, leave func() error) twilio.Result
	Find(ctx context.Context, m *twilio.Message, since time.Time) ([]twilio.Candidate, error)
	Present(region string) string
	Report(ctx context.Context, region, sid string) (twilio.Report, error)
	Reports(ctx context.Context, region string, from, until time.Time, page string, each func(twilio.Report)) (next string, err error)
}

type gates interface {
	Get(region string) *ratelimit.Gate
}

// commits is what *kafka.Generation does.
type commits interface {
	CommitOffsets(offsets map[string]map[int]int64) error
}

// deadLetters publishes one dead letter; nil means acknowledged by all
// in-sync replicas.
type deadLetters interface {
	Publish(ctx context.Context, r *deadletter.Record) error
}

// replays tells whether a source record is a replayed dead letter, and which.
type replays interface {
	Confirm(ctx context.Context, m *kafka.Message) (r deadletter.Replayed, ok bool, err error)
}

// retries writes a record to a partition of a retry topic; nil means
// acknowledged by all in-sync replicas.
type retries interface {
	Write(ctx context.Context, m kafka.Message, partition int) error
}
