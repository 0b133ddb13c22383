package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/twiliosim"
	"engage-worker/internal/worker"
)

// Options are a demo's.
type Options struct {
	Events  int     // to produce; 0: no end, until ctx ends
	Desk    bool    // it is opened, and the demo goes on until ctx ends
	Rate    float64 // events a second
	Seed    uint64
	NoColor bool

	Out     io.Writer
	Command string // how the user calls this program, for the commands to try next

	// Logger is made of the file that the worker is to log to.
	Logger  func(out io.Writer, cfg config.Log) zerolog.Logger
	Version string // of the worker
}

// Failure says that the worker didn't keep its word. It is the only error of
// Run's that isn't the demo's own trouble.
type Failure struct{ Lost, Twice, Unasked, Different, Untold int }

func (f *Failure) Error() string {
	return fmt.Sprintf("the demo failed: %d events lost, %d messages sent twice, %d sent that nobody should have got, %d counts other than expected, %d ends of messages not known as they are",
		f.Lost, f.Twice, f.Unasked, f.Different, f.Untold)
}

const (
	// patience is how long the worker may settle nothing before the demo
	// gives up: longer than the first retry topic's delay.
	patience = 60 * time.Second

	// kept is how many events are known one by one.
	kept = 200_000
)

// conclude tells how it ended, with what the drain settled.
func (s *show) conclude(ctx context.Context, cfg *config.Config, settled bool) error {
	malformed, undelivered, err := readDeadLetters(ctx, s.source.cluster, cfg.DeadLetterTopic(), s.tally)
	if err != nil {
		return err
	}
	if err := s.countOthers(ctx); err != nil {
		return err
	}
	last, err := takeReadings(s.metrics)
	if err != nil {
		return err
	}
	return s.report(last, settled, s.tally.judge(malformed, undelivered, last.funnel(0)))
}

// Run shows the demo until everything is settled, or ctx ends.
func Run(ctx context.Context, opts Options) error {
	start := time.Now()
	// What the commands to try next need stays behind.
	dir, err := os.MkdirTemp("", "engage-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's configuration: %w", err)
	}
	broker, err := embedded.Start()
	if err != nil {
		return err
	}
	defer broker.Close()

	tally := newTally(kept)
	sim, vendors, err := startVendors(opts, tally)
	if err != nil {
		return err
	}
	defer sim.Close()
	cfg, err := configure(dir, broker.Brokers(), vendors, opts.Rate)
	if err != nil {
		return err
	}
	source, err := openSource(ctx, cfg)
	if err != nil {
		return err
	}
	defer source.close()
	if err := writeSamples(dir, opts); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "worker.log"))
	if err != nil {
		return fmt.Errorf("open the worker's log: %w", err)
	}
	defer log.Close()
	w, err := worker.New(cfg, opts.Logger(log, cfg.Log), opts.Version, nil)
	if err != nil {
		return err
	}
	defer w.Close()
	// The worker outlives the producer, so that it can settle all and drain.
	working, stopWorker := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorker()
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(working) }()

	desk, err := openDesk(dir, cfg, opts)
	if err != nil {
		return err
	}
	show := &show{
		opts: opts, dir: dir, desk: desk, brokers: broker.Brokers(), screen: newScreen(opts.Out, opts.NoColor),
		tally: tally, source: source, metrics: w.Registry(), start: start, down: map[string]bool{},
		producer: newProducer(broker.Brokers()[0], cfg.Kafka.Topic, opts, tally),
	}
	director := &director{
		sim: sim, americas: vendors["americas"].Addr(), europe: vendors["europe"].Addr(), mistake: opts.Desk, seed: opts.Seed, say: show.say, setDown: show.setDown,
		length: time.Duration(float64(opts.Events) / opts.Rate * float64(time.Second)),
	}
	acting, stopActing := context.WithCancel(ctx)
	defer stopActing()
	actors, acting := errgroup.WithContext(acting)
	produced := make(chan struct{})
	actors.Go(func() error {
		defer close(produced)
		return show.producer.run(acting)
	})
	actors.Go(func() error { return director.run(acting) })
	actors.Go(func() error { return desk.run(acting) })

	settled, err := show.until(ctx, acting, produced, stopped)
	stopActing()
	err = errors.Join(err, actors.Wait(), show.producer.close())
	stopWorker()
	err = errors.Join(err, <-stopped)
	show.screen.clear()
	if err != nil {
		return fmt.Errorf("%w (the worker's log is %s)", err, log.Name())
	}
	return show.conclude(context.WithoutCancel(ctx), cfg, settled)
}

// startVendors starts the simulated Twilio, which listens once for each
// destination, so that one of them can be away. vendors are by the destinations'
// names.
func startVendors(opts Options, t *tally) (sim *twiliosim.Sim, vendors map[string]*twiliosim.Listener, err error) {
	simOptions := twiliosim.Options{
		Faults: twiliosim.Faults{Seed: opts.Seed, Behaviour: behaviour(false)}, OnAccepted: t.sent,
		SentAfter: 300 * time.Millisecond, DeliveredAfter: time.Second,
		Course: twiliosim.Course{Seed: opts.Seed, Failed: 0.02, Undelivered: 0.03, FailedCodes: []int{30001, 30007}, UndeliveredCodes: []int{30003, 30005, 30006}},
	}
	if opts.Events == 0 {
		simOptions.Keep = kept
	}
	if sim, err = twiliosim.New(simOptions); err != nil {
		return nil, nil, err
	}
	vendors = map[string]*twiliosim.Listener{}
	for _, d := range destinations {
		l, err := sim.Listen("127.0.0.1:0")
		if err != nil {
			sim.Close()
			return nil, nil, err
		}
		vendors[d.name] = l
	}
	return sim, vendors, nil
}

// readDeadLetters tells the tally of each dead letter, and of each replay, and
// counts those without an event's id, and those of messages that failed later.
func readDeadLetters(ctx context.Context, cluster *records.Cluster, topic string, t *tally) (malformed, undelivered int, err error) {
	reader := &deadletter.Reader{Cluster: cluster, Topic: topic}
	spans, err := reader.Spans(ctx, time.Time{})
	if err != nil {
		return 0, 0, err
	}
	failed := map[string]bool{} // a letter may be written twice
	err = reader.Read(ctx, spans, nil, func(r *deadletter.Record, fault error) error {
		if r.Reason == outcome.ReasonMalformedEvent.String() {
			malformed++
		}
		if r.Reason == outcome.ReasonNotDelivered.String() {
			failed[fmt.Sprint(r.ID(), r.Replays)] = true
		}
		t.buried(r)
		return fault
	})
	if err != nil {
		return 0, 0, err
	}
	audit, err := deadletter.OpenAudit(ctx, cluster, deadletter.AuditTopic(topic))
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return malformed, len(failed), nil // nobody has replayed any
	}
	if err != nil {
		return 0, 0, err
	}
	err = audit.Read(ctx, func(a deadletter.Audit) {
		if a.State == deadletter.Published {
			t.replayed(a.ID)
		}
	})
	return malformed, len(failed), errors.Join(err, audit.Close())
}

// show is what is on the screen. Its fields below mu are shared with the
// producer and the director; the rest is until's.
type show struct {
	opts     Options
	dir      string
	desk     *pages // or nil
	brokers  []string
	screen   *screen
	producer *producer
	tally    *tally
	metrics  prometheus.Gatherer
	start    time.Time

	source *source
	others int // events that the demo didn't make
	told   int // lines of the story, where they are printed

	mu    sync.Mutex
	down  map[string]bool
	story []happening
}

func (s *show) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.story = append(s.story, happening{time.Since(s.start), text})
}

func (s *show) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down["eu-west-1"] = down
}
