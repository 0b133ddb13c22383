package config

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"engage-worker/actions"
)

// Config is a whole configuration with its defaults filled in. What Load
// returns is valid and not changed afterwards.
type Config struct {
	Kafka           Kafka
	HTTP            HTTP
	Log             Log
	ShutdownTimeout time.Duration
	Delivery        Delivery
	Ledger          Ledger
	Status          Status
	Callbacks       Callbacks
	Desk            Desk
	Regions         map[string]Region // those with an entry; ask Region for any
	Destinations    []Destination

	file     string          // as given to Load
	mapped   []string        // regions that destinations name, in settings or mappings
	veiled   map[string]bool // paths of the scalars that hold a ${...} reference
	warnings []Warning
}

// Kafka is how to reach the cluster and what to read there.
type Kafka struct {
	Brokers        []string // host:port
	Topic          string
	GroupPrefix    string
	StartOffset    StartOffset
	SessionTimeout time.Duration
	CommitInterval time.Duration
	DeadLetter     string // deadLetterTopic as configured; see Config.DeadLetterTopic
	Rack           string // where this process is, for the nearest replica; "": nowhere
	ClientID       string // what brokers see in their logs and quotas
	TLS            TLS
	SASL           SASL
}

// StartOffset is where a group without offsets begins.
type StartOffset string

const (
	StartLatest   StartOffset = "latest"
	StartEarliest StartOffset = "earliest"
)

// TLS names PEM files. Without CAFile the system's authorities are trusted;
// CertFile and KeyFile are both set or neither.
type TLS struct {
	Enabled  bool
	CAFile   string
	CertFile string
	KeyFile  string
}

// SASL is how to log in; an empty Mechanism means not at all.
type SASL struct {
	Mechanism SASLMechanism
	Username  string // with Password, of plain and SCRAM
	Password  Secret
	// Of oauthbearer: a token endpoint for the client credentials grant, or
	// a file that somebody else renews.
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
	Extensions   map[string]string
	TokenFile    string
	Region       string // of aws-msk-iam
}

// SASLMechanism is a way to log in to Kafka.
type SASLMechanism string

const (
	SASLNone        SASLMechanism = ""
	SASLPlain       SASLMechanism = "plain"
	SASLScramSHA256 SASLMechanism = "scram-sha-256"
	SASLScramSHA512 SASLMechanism = "scram-sha-512"
	SASLOAuthBearer SASLMechanism = "oauthbearer"
	SASLAWSMSKIAM   SASLMechanism = "aws-msk-iam"
)

// HTTP is the operators' listener. Token guards what is more than a probe or
// a metric; without one that isn't served.
type HTTP struct {
	Listen string
	Token  Secret
}

// Log is what is logged and how.
type Log struct {
	Level  string // a level of zerolog: trace, debug, info, warn, error
	Format LogFormat
}

// LogFormat is how a log line looks.
type LogFormat string

const (
	LogJSON    LogFormat = "json"
	LogConsole LogFormat = "console"
)

// Delivery is how hard to try.
type Delivery struct {
	MaxEventAge    time.Duration // 0: no limit
	Attempts       int           // in place, the first included
	Backoff        Backoff
	RequestTimeout time.Duration
	UnknownOutcome UnknownOutcome
	MaxUncommitted int // offsets open in a shard before its fetching pauses
}

// Ledger is how long it remembers, and whose it is.
type Ledger struct {
	Retention time.Duration
	Adopt     string // a group, or its prefix; see Config.Adopted
}

// Status is how Twilio is asked what became of messages.
type Status struct {
	SweepAfter  time.Duration // after the acceptance, for the first time
	GiveUpAfter time.Duration // since the acceptance
	Rate        float64       // requests per second, of the whole fleet
}

// Callbacks is where Twilio reports what became of messages.
type Callbacks struct {
	PublicURL string // of the receivers; "": nobody is told to call
	Listen    string
	Key       Secret // signs the path of each message's callback
	FormerKey Secret // paths signed with it are taken, too
	AuthToken Secret // of the account; "": X-Twilio-Signature isn't checked
}

// Desk is the pages in a browser. A Token is what signs in; without one, which
// only a loopback address may do, whoever reaches the listener is in.
type Desk struct {
	Listen  string
	Token   Secret
	Workers []string // host:port of the replicas' http.listen, for their metrics
	TLS     DeskTLS
}

// DeskTLS names PEM files, both or neither.
type DeskTLS struct {
	CertFile string
	KeyFile  string
}

// OnLoopback reports whether only this machine reaches an address to listen on.
func OnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// Backoff is the wait between attempts in place.
type Backoff struct {
	Initial time.Duration
	Max     time.Duration
}

// UnknownOutcome is what to do when Twilio can't tell whether it sent.
type UnknownOutcome string

const (
	UnknownDeadLetter UnknownOutcome = "deadLetter"
	UnknownResend     UnknownOutcome = "resend"
)

// Region is a gate: what the fleet may send through it.
type Region struct {
	Rate         float64 // messages per second, of the whole fleet
	Burst        int     // messages that may leave at once after a lull, of the whole fleet
	MaxInFlight  int     // requests in flight of one replica
	Breaker      Breaker
	Senders      map[string]Sender // those that have a rate, as configured
	TwilioRegion string            // with TwilioEdge, or neither
	TwilioEdge   string
}

// Sender is a sender's rate.
type Sender struct {
	Rate float64 // segments of an SMS per second, messages of anything else, of the whole fleet
}

// Breaker opens for OpenFor when, of at least MinRequests, FailureRatio
// failed; then HalfOpenRequests try whether the vendor is back.
type Breaker struct {
	FailureRatio     float64 // in (0, 1]
	MinRequests      int
	OpenFor          time.Duration
	HalfOpenRequests int
}

// Destination is a destination as configured; its definition compiles.
type Destination struct {
	actions.Definition
	// FormerNames are what the destination was called before, newest first. Its
	// group and its topics go by the last of them, as they did from the start.
	FormerNames []string
}

// Changed reports whether the configuration names what the destination's
// messages were sent with before.
func (d *Destination) Changed() bool { return len(d.Settings.Former) > 0 }

// accounts are those that the destination's messages are sent from, or were
// before.
func (d *Destination) accounts() []string {
	all := []string{d.Settings.TwilioAccountSID}
	for _, f := range d.Settings.Former {
		if f.TwilioAccountSID != "" {
			all = append(all, f.TwilioAccountSID)
		}
	}
	return all
}

// SharingAccount are the other destinations that send from an account of the
// named one's.
func (c *Config) SharingAccount(destination string) (names []string) {
	i := slices.IndexFunc(c.Destinations, func(d Destination) bool { return d.Name == destination })
	for k := range c.Destinations {
		if i != k && i >= 0 && slices.ContainsFunc(c.Destinations[k].accounts(), func(account string) bool { return slices.Contains(c.Destinations[i].accounts(), account) }) {
			names = append(names, c.Destinations[k].Name)
		}
	}
	return names
}

// Region is the named region: as configured, or the built-in defaults.
func (c *Config) Region(name string) Region {
	if r, ok := c.Regions[name]; ok {
		return r
	}
	return defaultRegion()
}

// entryNames are the regions with an entry, sorted.
func (c *Config) entryNames() []string { return slices.Sorted(maps.Keys(c.Regions)) }

// RegionNames are the regions with an entry or named by a destination, in its
// settings or as a fixed value in a mapping, sorted. An event chooses among
// these only.
func (c *Config) RegionNames() []string {
	names := make(map[string]bool, len(c.Regions))
	for name := range c.Regions {
		names[name] = true
	}
	for _, d := range c.Destinations {
		names[d.Settings.Region] = true
	}
	for _, name := range c.mapped {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// TwilioRegion is the region and edge of Twilio's hosts for the named region,
// both empty when it has none: actions.Options.Region.
func (c *Config) TwilioRegion(name string) (twilioRegion, twilioEdge string) {
	r := c.Region(name)
	return r.TwilioRegion, r.TwilioEdge
}

// Named is the destination that has the name, or had it before; nil where there
// is none.
func (c *Config) Named(name string) *Destination {
	for i := range c.Destinations {
		if c.Destinations[i].Name == name || slices.Contains(c.Destinations[i].FormerNames, name) {
			return &c.Destinations[i]
		}
	}
	return nil
}

// first is the name by which a destination's group and topics go.
func (c *Config) first(destination string) string {
	if d := c.Named(destination); d != nil && len(d.FormerNames) > 0 {
		return d.FormerNames[len(d.FormerNames)-1]
	}
	return destination
}

// GroupID is the consumer group of a destination.
func (c *Config) GroupID(destination string) string {
	return c.Kafka.GroupPrefix + "." + c.first(destination)
}

// DeadLetterTopic is where deliveries go that can't be made.
func (c *Config) DeadLetterTopic() string {
	if c.Kafka.DeadLetter != "" {
		return c.Kafka.DeadLetter
	}
	return c.Kafka.Topic + ".dlq"
}

// RatesTopic is where replicas lend each other parts of the regions' rates.
func (c *Config) RatesTopic() string { return c.Kafka.Topic + ".rates" }

// RetryTopics are a destination's, in the order of RetryDelays.
func (c *Config) RetryTopics(destination string) [3]string {
	topics := RetryTierNames()
	for i, tier := range topics {
		topics[i] = c.Kafka.Topic + "." + c.first(destination) + ".retry." + tier
	}
	return topics
}

// RetryTierNames are how the retry topics' names end, in the order of
// RetryDelays.
func RetryTierNames() [3]string { return [3]string{"30s", "5m", "30m"} }

// RetryDelays are the waits that the retry topics stand for.
func RetryDelays() [3]time.Duration {
	return [3]time.Duration{30 * time.Second, 5 * time.Minute, 30 * time.Minute}
}

// Adopted are the groups whose ledger records count for a destination's.
func (c *Config) Adopted(destination string) []string {
	if c.Ledger.Adopt == "" {
		return nil
	}
	groups := []string{c.Ledger.Adopt, c.Ledger.Adopt + "." + c.first(destination)}
	return slices.DeleteFunc(groups, func(group string) bool { return group == c.GroupID(destination) })
}

// LedgerTopic is where a destination remembers what it sent.
func (c *Config) LedgerTopic(destination string) string {
	return c.Kafka.Topic + "." + c.first(destination) + ".ledger"
}

// StatusTopic is where a destination keeps what became of its messages.
func (c *Config) StatusTopic(destination string) string {
	return c.Kafka.Topic + "." + c.first(destination) + ".status"
}

// CallbacksTopic is where what Twilio reports of a destination's messages waits.
func (c *Config) CallbacksTopic(destination string) string {
	return c.Kafka.Topic + "." + c.first(destination) + ".callbacks"
}

// CallsBack reports whether Twilio is told to report to our receivers what
// becomes of a destination's messages: where it has a webhook, that one is told.
func (c *Config) CallsBack(destination string) bool {
	return c.Callbacks.PublicURL != "" && slices.ContainsFunc(c.Destinations, func(d Destination) bool {
		return d.Name == destination && d.Settings.WebhookURL == ""
	})
}

// File is the path that the configuration was read from.
func (c *Config) File() string { return c.file }
