package delivery

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/clock"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// Config is the deliveries of one shard in one generation.
type Config struct {
	Destination string // its name, the metrics' label
	Group       string // the consumer group's id
	Shard       int
	Generation  int32     // of the consumer group
	AssignedAt  time.Time // when the shard came to this owner
	Retry       []intake.Tier

	SessionTimeout time.Duration
	MaxEventAge    time.Duration // by the record's timestamp; 0: no limit
	Attempts       int           // in place
	BackoffInitial time.Duration
	BackoffMax     time.Duration
	RequestTimeout time.Duration
	ResendUnknown  bool // what Twilio can't tell is sent again, not dead-lettered
	SeveralRegions bool // that deliveries may go through
	SeveralSenders bool // that they may have
	Changed        bool // the configuration names former settings: an intent that doesn't say what it was made with may be by them
}

// Parts are what a Courier works with; all are safe for concurrent use.
type Parts struct {
	Destination destination
	Gates       gates
	Doors       doors                                   // nil: doors of its own
	Ledger      shardLedger                             // nil without a ledger
	Status      follower                                // nil: nobody follows what becomes of messages
	Callback    func(recordKey []byte) (address string) // where Twilio reports what becomes of a message; nil: nowhere of ours
	Lease       sendingRight
	DeadLetters deadLetters
	Retries     retries
	Pressure    pressure
	Peers       *Peers
	Clock       *clock.Clock // nil: this machine's is right
	Metrics     *metrics.Metrics
	Tracer      trace.Tracer // nil: nobody wants traces
	Log         zerolog.Logger
	Failures    zerolog.Logger // one line a failure, thinned under storms

	Skips *Skips // nil: only counted

	// Strangers reports whether a member of the group has another
	// configuration than this one; ok is false when ctx ended before that was
	// known. nil: nobody has.
	Strangers func(ctx context.Context) (strangers, ok bool)

	// Intake ends first: nothing new is begun. Work ends at the drain's
	// limit: what is under way is given up.
	Intake, Work context.Context
}

// destination is what *actions.Destination does.
type destination interface {
	Actions() []string
	FormerNames() [][]string
	Decode(value []byte) (*actions.Event, error)
	Wants(value []byte, action int) bool
	Former(m *twilio.Message) []*twilio.Message
	Prepare(ctx context.Context, ev *actions.Event, action int) actions.Delivery
	Send(ctx context.Context, m *twilio.Message, leave func() error) twilio.Result
	Find(ctx context.Context, m *twilio.Message, since time.Time) ([]twilio.Candidate, error)
}

type gates interface {
	Get(region string) *ratelimit.Gate
}

// shardLedger is the shard's part of the ledger. What Begin and Append write
// is acknowledged by all in-sync replicas.
type shardLedger interface {
	claims
	Key(recordKey []byte) ledger.Key
	Get(recordKey []byte) (ledger.Entry, bool)
	Usurper() string // the group that shares the ledger, or ""
	Begin(recordKey []byte, e ledger.Entry) ledger.Ticket
	Append(ctx context.Context, recordKey []byte, e ledger.Entry) error
}

// follower follows what becomes of accepted messages; see status.Follower.
type follower interface {
	Accepted(ctx context.Context, recordKey []byte, r status.Record) error
	Withdraw(ctx context.Context, recordKey []byte, sid string) error
}

// claims is what a shard's ledger tells the deliveries of other shards.
type claims interface {
	Claimed(sid string) bool
	Doubtful(of func(ledger.Doubt) bool, recordKey []byte) (bodies []uint32)
}

// others tell what the ledgers say that others write: of the account's other
// destinations, and of the shards that other replicas own. See ledger.Tails.
type others interface {
	Look(ctx context.Context, since time.Time, sids []string) (ledger.Account, error)
}

// sendingRight is a lease on the shard; see the package of that name.
type sendingRight interface {
	Remaining(now time.Time) time.Duration
	Under(ctx context.Context, timeout time.Duration) context.Context
}

// deadLetters publishes one dead letter; nil means acknowledged by all
// in-sync replicas.
type deadLetters interface {
	Publish(ctx context.Context, r *deadletter.Record) error
}

// retries writes a record to a partition of a retry topic; nil means
// acknowledged by all in-sync replicas.
type retries interface {
	Write(ctx context.Context, m kafka.Message, partition int) error
}

// pressure reports whether something waits for room that open events take.
type pressure interface {
	UnderPressure() bool
}
