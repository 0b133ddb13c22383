// Package worker wires the whole worker from its configuration. The commands
// run and demo, the tests and the benchmarks all go through it.
package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer"
	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/clock"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// openBytes bounds the open events of the process, see intake.Budget;
// leastOpenBytes is what each destination may have open in any case.
const (
	openBytes      = 32 << 20
	leastOpenBytes = 4 << 20
)

// maxPending bounds the messages that are followed from memory, 32 bytes each;
// the rest wait in the status topic.
const maxPending = 4 << 20

// maxStatusRequests bounds how many requests that ask what became of messages
// are under way.
const maxStatusRequests = 16

// withoutLedger is the environment variable that switches the ledger off, to
// show and to measure what it does.
const withoutLedger = "ENGAGE_UNSAFE_WITHOUT_LEDGER"

// Worker is all of the destinations' consumer groups, and what they share.
type Worker struct {
	cfg       *config.Config
	name      string // this replica's, for the others
	log       zerolog.Logger
	registry  *prometheus.Registry // this worker's metrics and its process's
	metrics   *metrics.Metrics
	gates     *ratelimit.Gates
	doors     *ratelimit.Doors
	clock     *clock.Clock
	http      *http.Client // to Twilio
	hosts     []string     // of its API
	exchange  *ratelimit.Exchange
	groups    []*consumer.Group
	client    *kafka.Client
	operating *operating
	close     []func() // in reverse
}

// regionsOf are the configured regions, that of the statuses among them, and how
// many requests to Twilio they allow at a time.
func regionsOf(cfg *config.Config) (regions map[string]ratelimit.Config, inFlight int) {
	regions = map[string]ratelimit.Config{
		consumer.StatusRate: {Rate: cfg.Status.Rate, Burst: 1, MaxInFlight: maxStatusRequests},
	}
	for _, name := range cfg.RegionNames() {
		regions[name] = gateConfig(cfg.Region(name))
		inFlight += cfg.Region(name).MaxInFlight
	}
	return regions, inFlight
}

// New wires a worker from its configuration. It connects to nothing yet.
// tracer is nil when nobody wants traces; tune changes what no setting does,
// for tests. Close the worker in the end.
func New(cfg *config.Config, log zerolog.Logger, version string, tracer trace.Tracer, tune ...func(*consumer.Config)) (_ *Worker, err error) {
	w := &Worker{name: replicaName(), cfg: cfg, log: log, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	w.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	w.metrics = metrics.New(w.registry)
	w.metrics.BuildInfo.WithLabelValues(version, revision(), runtime.Version()).Set(1)

	dialer, err := connect.Dialer(cfg.Kafka)
	if err != nil {
		return nil, err
	}
	if w.client, err = connect.Client(cfg.Kafka); err != nil {
		return nil, err
	}
	w.close = append(w.close, func() { connect.CloseClient(w.client) })
	reading := records.NewCluster(w.client, records.Options{Rack: cfg.Kafka.Rack, Throttled: func(d time.Duration) { w.metrics.FetchThrottled.Add(d.Seconds()) }})
	w.close = append(w.close, reading.Close)
	deadLetters := deadletter.NewPublisher(w.client.Addr, w.client.Transport, cfg.DeadLetterTopic())
	w.close = append(w.close, func() { w.closing("dead-letter publisher", deadLetters.Close) })
	replays := &deadletter.Confirmer{Cluster: reading, Topic: deadletter.AuditTopic(cfg.DeadLetterTopic())}
	retries := acked.NewWriter(w.client.Addr, w.client.Transport, "")
	w.close = append(w.close, func() { w.closing("retry writer", retries.Close) })

	regions, inFlight := regionsOf(cfg)
	w.gates = ratelimit.NewGates(regions, gateConfig(cfg.Region("")), w.metrics, log)
	w.doors = ratelimit.NewDoors(w.metrics, log)
	w.clock = clock.New(w.metrics.ClockSkew, log)
	w.http = twilio.NewHTTPClient(inFlight)
	w.http.Transport = w.clock.Transport(w.http.Transport)
	w.close = append(w.close, w.http.CloseIdleConnections)

	w.exchange = ratelimit.NewExchange(w.name, w.gates, newBoard(reading, cfg.RatesTopic(), cfg.Kafka.GroupPrefix, retries), log)
	pending := status.NewRoom(maxPending)
	shares := &shares{gates: w.gates, exchange: w.exchange, of: map[string]destinationShare{}}
	for _, d := range cfg.Destinations {
		destination, faults := actions.New(d.Definition, actions.Options{
			HTTP: w.http, Log: log, Region: cfg.TwilioRegion, Regions: cfg.RegionNames(),
			Lookup: func(kind, result string) { w.metrics.Lookups.WithLabelValues(d.Name, kind, result).Inc() },
		})
		if len(faults) > 0 {
			return nil, fmt.Errorf("destination %s: %s: %s", d.Name, faults[0].Path, faults[0].Message)
		}
		w.close = append(w.close, destination.Close)
		w.hosts = append(w.hosts, destination.Hosts()...)
		names := destination.Regions()
		shares.add(d.Name, append(slices.Clone(names), consumer.StatusRate))
		tiers := config.RetryTierNames()
		w.metrics.Begin(d.Name, names, tiers[:])
		group := groupConfig(cfg, d.Name)
		group.Changed, group.Fingerprint, group.FormerNames = d.Changed(), destination.Fingerprint(), d.FormerNames
		for _, t := range tune {
			t(&group)
		}
		w.groups = append(w.groups, consumer.NewGroup(group, consumer.Parts{
			Cluster:     reading,
			Dialer:      dialer,
			Destination: destination,
			Gates:       w.gates,
			Doors:       w.doors,
			Clock:       w.clock,
			DeadLetters: deadLetters,
			Retries:     retries,
			Replays:     replays,
			// One each, so that a destination whose vendor is away keeps
			// none of the others'.
			Budget:         intake.NewBudget(max(openBytes/int64(len(cfg.Destinations)), leastOpenBytes), w.metrics.OpenBytes),
			Pending:        pending,
			Callback:       callbackOf(cfg, d),
			SeveralRegions: len(names) > 1, SeveralSenders: destination.SeveralSenders(),
			Metrics: w.metrics,
			Tracer:  tracer,
			Log:     log,
			Grow:    w.grow,
			Share:   func(owned []int, total int, until time.Time) { shares.set(d.Name, owned, total, until) },
		}))
	}
	w.operating = newOperating(cfg, w)
	return w, nil
}

// callbackOf makes the addresses of a destination's callbacks; nil where it has none.
func callbackOf(cfg *config.Config, d config.Destination) func(callbacks.Address) string {
	if !cfg.CallsBack(d.Name) {
		return nil
	}
	keys := callbacks.NewKeys(cfg.Callbacks.Key.Reveal())
	base, overrides := strings.TrimRight(cfg.Callbacks.PublicURL, "/"), cmp.Or(strings.TrimPrefix(d.Settings.ConnectionOverrides, "#"), "rp=all&rc=5")
	return func(a callbacks.Address) string { return base + keys.Path(a) + "#" + overrides }
}

// replicaName is this process's alone, for all time.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	return host + "-" + rand.Text()[:8]
}

// Close gives back what New took, in reverse.
func (w *Worker) Close() {
	for _, f := range slices.Backward(w.close) {
		f()
	}
}

func (w *Worker) closing(what string, f func() error) {
	if err := f(); err != nil {
		w.log.Warn().Err(err).Msg("closing the " + what)
	}
}

// Run works until ctx ends, then drains. It fails at once when Kafka can't be
// reached, refuses the login, or lacks a topic.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.checkTopics(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return err
	}
	listener, err := w.operating.listen()
	if err != nil {
		return err
	}
	if os.Getenv(withoutLedger) != "" {
		w.log.Error().Str("variable", withoutLedger).Msg("THE LEDGER IS OFF: people will be texted twice after a crash")
	}
	// A group that fails ends the others; the operators' server goes last.
	groups, running := errgroup.WithContext(ctx)
	defer context.AfterFunc(running, w.operating.drain)()
	defer context.AfterFunc(ctx, func() {
		w.log.Info().Stringer("shutdownTimeout", w.cfg.ShutdownTimeout).Msg("stopping: nothing new is begun, what is under way is waited for; another signal ends the process at once")
	})()
	served := make(chan error, 1)
	go func() { served <- w.operating.serve(listener) }()
	lending, stopLending := context.WithCancel(context.Background())
	lent := make(chan struct{})
	go func() { defer close(lent); w.exchange.Run(lending) }()
	summing, stopSumming := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { w.summarize(summing) })
	w.askTheTime(ctx)
	watching.Go(func() { w.clock.Watch(summing, w.client, w.cfg.RatesTopic()) })
	for _, g := range w.groups {
		groups.Go(func() error { return g.Run(running) })
	}
	w.log.Info().Int("destinations", len(w.groups)).Str("topic", w.cfg.Kafka.Topic).Str("http", addressOf(listener)).Msg("started")
	err = groups.Wait()
	stopLending()
	stopSumming()
	<-lent
	watching.Wait()
	w.operating.stop()
	return errors.Join(err, <-served)
}

// askTheTime has somebody tell the time before anything is read: events mustn't
// expire by a wrong clock. A broker does, or else Twilio; where neither can
// now, the clock counts as right until one does.
func (w *Worker) askTheTime(ctx context.Context) {
	if err := w.clock.Ask(ctx, w.client, w.cfg.RatesTopic()); err != nil {
		w.log.Debug().Err(err).Msg("no broker told the time yet")
	}
	for _, host := range w.hosts {
		if w.clock.Told() {
			return
		}
		if err := w.clock.AskServer(ctx, w.http, host); err != nil {
			w.log.Debug().Err(err).Msg("Twilio didn't tell the time yet")
		}
	}
}

// checkTopics tells what is wrong with the cluster or the topics, within 15 s.
func (w *Worker) checkTopics(ctx context.Context) error {
	problems, err := topics.Check(ctx, w.client, topics.Of(w.cfg))
	if err != nil {
		return explain(err)
	}
	if problems, err = w.makeOptional(ctx, problems); err != nil {
		return explain(err)
	}
	var fatal []error
	for _, p := range problems {
		if p.Fatal {
			fatal = append(fatal, errors.New(p.String()))
		} else {
			w.log.Warn().Msg(p.String())
		}
	}
	return errors.Join(fatal...)
}

// makeOptional makes the topics that are missing and that the worker works
// without, which earlier versions didn't have, and returns the problems without
// those that this mends.
func (w *Worker) makeOptional(ctx context.Context, problems []topics.Problem) ([]topics.Problem, error) {
	all := topics.Of(w.cfg)
	specs := slices.DeleteFunc(slices.Clone(all[1:]), func(s topics.Spec) bool {
		return !s.Role.Optional() || !slices.ContainsFunc(problems, func(p topics.Problem) bool { return p.Topic == s.Name })
	})
	if len(specs) == 0 {
		return problems, nil
	}
	specs = append([]topics.Spec{all[0]}, specs...)
	if _, err := topics.Ensure(ctx, w.client, specs, topics.Sizes{}); err != nil {
		return problems, nil //nolint:nilerr // who may not make topics is told what isn't there
	}
	still, err := topics.Check(ctx, w.client, specs)
	made := func(p topics.Problem) bool {
		return slices.ContainsFunc(specs[1:], func(s topics.Spec) bool { return s.Name == p.Topic })
	}
	problems = slices.DeleteFunc(problems, made)
	return append(problems, slices.DeleteFunc(still, func(p topics.Problem) bool { return !made(p) })...), err
}

// grow makes the topics that go with the source as wide as it is.
func (w *Worker) grow(ctx context.Context) error {
	changes, err := topics.Ensure(ctx, w.client, topics.Of(w.cfg), topics.Sizes{})
	for _, c := range changes {
		if c.Done != topics.DoneGrown {
			continue
		}
		w.log.Info().Str("topic", c.Topic).Int("partitions", c.Partitions).Msg("topic grown along with the source")
	}
	return explain(err)
}

func gateConfig(r config.Region) ratelimit.Config {
	senders := make(map[string]ratelimit.SenderRate, len(r.Senders))
	for name, s := range r.Senders {
		senders[twilio.SenderKey(name)] = ratelimit.SenderRate{Name: name, Rate: s.Rate}
	}
	return ratelimit.Config{
		Rate: r.Rate, Burst: r.Burst, MaxInFlight: r.MaxInFlight, Senders: senders,
		Breaker: ratelimit.BreakerConfig{
			FailureRatio: r.Breaker.FailureRatio, MinRequests: uint32(r.Breaker.MinRequests),
			OpenFor: r.Breaker.OpenFor, HalfOpenRequests: uint32(r.Breaker.HalfOpenRequests),
		},
	}
}

func groupConfig(cfg *config.Config, destination string) consumer.Config {
	of := consumer.Topics{Source: cfg.Kafka.Topic, Ledger: cfg.LedgerTopic(destination), Status: cfg.StatusTopic(destination)}
	names, delays := cfg.RetryTopics(destination), config.RetryDelays()
	for i, topic := range names {
		of.Retry = append(of.Retry, intake.Tier{Topic: topic, Name: config.RetryTierNames()[i], Delay: delays[i]})
	}
	for _, name := range cfg.SharingAccount(destination) {
		of.OtherLedgers = append(of.OtherLedgers, cfg.LedgerTopic(name))
	}
	if cfg.CallsBack(destination) {
		of.Callbacks = cfg.CallbacksTopic(destination)
	}
	return consumer.Config{
		Destination:       destination,
		GroupID:           cfg.GroupID(destination),
		Brokers:           cfg.Kafka.Brokers,
		Topics:            of,
		StartEarliest:     cfg.Kafka.StartOffset == config.StartEarliest,
		SessionTimeout:    cfg.Kafka.SessionTimeout,
		CommitInterval:    cfg.Kafka.CommitInterval,
		ShutdownTimeout:   cfg.ShutdownTimeout,
		MaxEventAge:       cfg.Delivery.MaxEventAge,
		Attempts:          cfg.Delivery.Attempts,
		BackoffInitial:    cfg.Delivery.Backoff.Initial,
		BackoffMax:        cfg.Delivery.Backoff.Max,
		RequestTimeout:    cfg.Delivery.RequestTimeout,
		ResendUnknown:     cfg.Delivery.UnknownOutcome == config.UnknownResend,
		MaxUncommitted:    cfg.Delivery.MaxUncommitted,
		Adopted:           cfg.Adopted(destination),
		LedgerRetention:   cfg.Ledger.Retention,
		QuietLedger:       quietLedger,
		WithoutLedger:     os.Getenv(withoutLedger) != "",
		StatusSweepAfter:  cfg.Status.SweepAfter,
		StatusGiveUpAfter: cfg.Status.GiveUpAfter,
	}
}

// quietLedger is how long a ledger isn't trusted that another group wrote into.
const quietLedger = 5 * time.Minute

func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// explain puts an error of Kafka's into words for people.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if topic := (*topics.Error)(nil); errors.As(err, &topic) {
		return err // says it itself
	}
	return errors.New(connect.Explain(err))
}

// revision is the commit that the program was built from, or "".
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// Registry holds the worker's metrics.
func (w *Worker) Registry() *prometheus.Registry { return w.registry }

// Gates are the regions' gates.
func (w *Worker) Gates() *ratelimit.Gates { return w.gates }

// Groups are the destinations' consumer groups, in the order of configuration.
func (w *Worker) Groups() []*consumer.Group { return w.groups }

// drainGrace is how long the operators' server has to answer its last requests.
const drainGrace = time.Second
