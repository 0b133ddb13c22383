package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/time/rate"

	"engage-worker/actions/trigger"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/eventfile"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/terminal"
)

const (
	// produceBatch is how many events are handed over before the brokers'
	// acknowledgements are awaited.
	produceBatch = 1_000

	// maxEventBytes is below what a broker takes unless it is told otherwise
	// (message.max.bytes, 1,048,588 with the batch's own bytes).
	maxEventBytes = 1_048_000

	// maxWarnings is how many of a kind are printed; the summary counts all.
	maxWarnings = 20

	progressInterval = 2 * time.Second

	// produceTimeout is how long acknowledgements are awaited, so that
	// brokers out of reach are told of soon.
	produceTimeout = 15 * time.Second
)

type Produce struct {
	File     string   `arg:"" optional:"" help:"JSON Lines, or a JSON document with one event or several; - is standard input, as is no FILE."`
	Generate int      `help:"Publish N generated events instead." placeholder:"N"`
	Seed     *uint64  `help:"Of --generate: the same seed makes the same events with the same message ids, which are sent once only. Without it, one is drawn and printed." placeholder:"S"`
	Rate     float64  `help:"Events per second; 0 for as fast as the brokers take them." default:"0" placeholder:"R"`
	Topic    string   `help:"The topic, instead of the configuration's." placeholder:"NAME"`
	Brokers  []string `help:"The brokers, as host:port,... With --topic, no configuration is read." placeholder:"LIST"`
	Strict   bool     `help:"Publish nothing that would be malformed, or is not as the event's schema wants it: a FILE is checked before its first event is published, standard input up to the first fault."`
	Offsets  bool     `help:"Print where each event went: its line, partition and offset."`
}

// Validate is kong's hook for flags.
func (c *Produce) Validate() error {
	switch {
	case c.Generate < 0:
		return errors.New("--generate must be a positive number of events")
	case c.Generate > 0 && c.File != "":
		return errors.New("a FILE and --generate exclude each other")
	case c.Generate == 0 && c.Seed != nil:
		return errors.New("--seed is of use with --generate only")
	case !(c.Rate >= 0): // also not a number
		return errors.New("--rate must not be negative")
	case len(c.Brokers) > 0 && c.Topic == "":
		return errors.New("--brokers needs --topic")
	}
	return nil
}

// Run publishes events and prints a summary on stdout.
func (c *Produce) Run(ctx context.Context, app *cli.App) error {
	cluster, err := clusterOf(app, c.Brokers, c.Topic)
	if err != nil {
		return err
	}
	schema, err := newEventSchema()
	if err != nil {
		return err
	}
	source, err := c.open(app, schema)
	if err != nil {
		return err
	}
	defer func() { _ = source.close() }() // it was only read
	transport, err := connect.NewTransport(cluster)
	if err != nil {
		return cli.BadInput(err)
	}
	defer transport.CloseIdleConnections()
	writer := &kafka.Writer{
		Addr:         kafka.TCP(cluster.Brokers...),
		Topic:        cluster.Topic,
		Transport:    transport,
		Balancer:     kafka.Murmur2Balancer{}, // the Java clients': a key has one partition, whoever publishes it
		RequiredAcks: kafka.RequireAll,
		BatchSize:    produceBatch,
		BatchTimeout: time.Millisecond, // a call hands over its events at once: nothing to wait for
	}
	if c.Offsets {
		writer.Completion = printOffsets(app.Stdout, source.where)
	}
	p := newProducer(writer, app.Stderr, c.Rate, c.Strict)
	if c.Generate == 0 { // what is generated has oddities on purpose
		p.schema = schema
	}
	published := p.publish(ctx, source)
	if err := writer.Close(); err != nil {
		published = errors.Join(published, err)
	}
	fmt.Fprintln(app.Stdout, p.summary(cluster.Topic))
	return published
}

// eventSource is where events come from.
type eventSource struct {
	next  func() (sourceEvent, error) // io.EOF after the last one
	ready func() bool                 // whether next won't wait
	where string                      // what an event's number counts
	close func() error
}

type sourceEvent struct {
	number int
	key    []byte // nil: the event's own
	value  []byte
}

// printOffsets prints where events went, once the brokers say so.
func printOffsets(out io.Writer, where string) func([]kafka.Message, error) {
	var one sync.Mutex // batches of several partitions complete at a time
	return func(messages []kafka.Message, err error) {
		if err != nil {
			return
		}
		one.Lock()
		defer one.Unlock()
		for _, m := range messages {
			fmt.Fprintf(out, "%s %v: partition %d, offset %d\n", where, m.WriterData, m.Partition, m.Offset)
		}
	}
}

func (c *Produce) open(app *cli.App, schema *eventSchema) (eventSource, error) {
	switch {
	case c.Generate > 0:
		return c.generated(app), nil
	case c.File == "" || c.File == "-":
		return readSource("line", app.Stdin, func() error { return nil }), nil
	}
	if c.Strict {
		if err := c.checkFile(schema); err != nil {
			return eventSource{}, err
		}
	}
	file, err := openEvents(c.File)
	if err != nil {
		return eventSource{}, err
	}
	return readSource(c.File+": line", file, file.Close), nil
}

func readSource(where string, in io.Reader, done func() error) eventSource {
	r := eventfile.NewReader(in)
	return eventSource{
		next: func() (sourceEvent, error) {
			record, err := r.Next()
			return sourceEvent{number: record.Line, value: record.Value}, err
		},
		ready: r.Ready,
		where: where,
		close: done,
	}
}

// generated are sample events with today's timestamps.
func (c *Produce) generated(app *cli.App) eventSource {
	var seed uint64
	if c.Seed != nil {
		seed = *c.Seed
	} else {
		seed = rand.Uint64()
		fmt.Fprintf(app.Stderr, "engage-worker: --seed %d makes these events\n", seed)
	}
	opts := sample.Mix()
	if c.Strict {
		opts.Malformed = 0
	}
	opts.Start = time.Now()
	g, made := sample.New(seed, opts), 0
	return eventSource{
		next: func() (sourceEvent, error) {
			if made == c.Generate {
				return sourceEvent{}, io.EOF
			}
			made++
			ev := g.Next()
			return sourceEvent{number: made, key: ev.Key, value: ev.Value}, nil
		},
		ready: func() bool { return true },
		where: "generated event",
		close: func() error { return nil },
	}
}

// checkFile finds all that is malformed, or not as the schema wants it, before
// anything is published.
func (c *Produce) checkFile(schema *eventSchema) error {
	file, err := openEvents(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	var faults []error
	for r, more := eventfile.NewReader(file), 0; ; {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			if more > 0 {
				faults = append(faults, fmt.Errorf("%s: and %d more", c.File, more))
			}
			return cli.BadInput(errors.Join(faults...))
		}
		if err != nil {
			return cli.BadInput(fmt.Errorf("read %s: %w", c.File, err))
		}
		object, fault := trigger.Unframed(record.Value)
		if fault == nil {
			fault = trigger.Valid(object)
		}
		if fault == nil {
			fault = unlike(schema.faults(object))
		} else {
			fault = fmt.Errorf("is malformed: %w", fault)
		}
		switch {
		case fault == nil:
		case len(faults) < maxWarnings:
			faults = append(faults, fmt.Errorf("%s: line %d %w", c.File, record.Line, fault))
		default:
			more++
		}
	}
}

// producer publishes the events of a source.
type producer struct {
	writer  *kafka.Writer
	limiter *rate.Limiter // nil: no limit; its burst is what is published at once
	log     io.Writer
	strict  bool
	schema  *eventSchema // nil: events aren't held against it

	batch      []kafka.Message
	batchBytes int
	granted    int // events that the limiter has let through and that aren't in the batch yet
	started    time.Time
	reported   time.Time // the last progress

	published, malformed, keyless, unlike int
}

func newProducer(writer *kafka.Writer, log io.Writer, perSecond float64, strict bool) *producer {
	p := &producer{writer: writer, log: log, strict: strict, started: time.Now(), reported: time.Now()}
	if perSecond > 0 {
		// Waiting for acknowledgements event by event would bound the rate,
		// so 50 ms' worth goes out at once.
		burst := min(max(1, int(perSecond/20)), produceBatch)
		p.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
	}
	return p
}

// publish takes the source to its end, or to the first failure. What was
// read before a failure to read is published.
func (p *producer) publish(ctx context.Context, source eventSource) error {
	for {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		event, err := source.next()
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if err != nil {
			return errors.Join(p.flush(ctx), cli.BadInput(fmt.Errorf("read events: %w", err)))
		}
		message, err := p.message(event, source.where)
		if err != nil {
			return errors.Join(p.flush(ctx), err)
		}
		if err := p.await(ctx); err != nil {
			return err
		}
		p.batch = append(p.batch, message)
		p.batchBytes += len(message.Value)
		if len(p.batch) >= produceBatch || p.batchBytes >= maxEventBytes || !source.ready() {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// message is the record of an event. An error is bad input.
func (p *producer) message(event sourceEvent, where string) (kafka.Message, error) {
	message := kafka.Message{Key: event.key, Value: event.value, WriterData: event.number}
	parsed, err := trigger.ParseRecord(event.value)
	switch {
	case err != nil && p.strict:
		return message, cli.BadInput(fmt.Errorf("%s %d is malformed: %w", where, event.number, err))
	case err != nil:
		p.malformed++
		p.warn(p.malformed, "%s %d is malformed: %v; the worker will dead-letter it", where, event.number, err)
	case event.key == nil:
		if message.Key = eventKey(parsed); message.Key == nil {
			p.keyless++
			p.warn(p.keyless, "%s %d has neither userId nor anonymousId: without a key, its order isn't kept", where, event.number)
		}
	}
	if err == nil && p.schema != nil {
		object, _ := trigger.Unframed(event.value) // it was parsed
		if fault := unlike(p.schema.faults(object)); fault != nil && p.strict {
			return message, cli.BadInput(fmt.Errorf("%s %d %w", where, event.number, fault))
		} else if fault != nil {
			p.unlike++
			p.warn(p.unlike, "%s %d %v", where, event.number, fault)
		}
	}
	if size := len(message.Key) + len(message.Value); size > maxEventBytes {
		return message, cli.BadInput(fmt.Errorf("%s %d has %d bytes: brokers take %d unless message.max.bytes is raised", where, event.number, size, maxEventBytes))
	}
	return message, nil
}

// await holds an event back until the rate allows it. What is in the batch
// doesn't wait with it.
func (p *producer) await(ctx context.Context) error {
	if p.limiter == nil {
		return nil
	}
	if p.granted == 0 {
		if err := p.flush(ctx); err != nil {
			return err
		}
		if p.limiter.WaitN(ctx, p.limiter.Burst()) != nil {
			return errors.New("interrupted")
		}
		p.granted = p.limiter.Burst()
	}
	p.granted--
	return nil
}

// eventKey keeps a user's events in order: userId, or else anonymousId.
func eventKey(event trigger.Event) []byte {
	for _, field := range []string{"userId", "anonymousId"} {
		if id := event.Text(field); id != "" {
			return []byte(id)
		}
	}
	return nil
}

func (p *producer) warn(n int, format string, args ...any) {
	if n <= maxWarnings {
		fmt.Fprintln(p.log, terminal.Plain("engage-worker: warning: "+fmt.Sprintf(format, args...)))
	}
	if n == maxWarnings {
		fmt.Fprintln(p.log, "engage-worker: more of these are counted, not printed")
	}
}

// flush publishes the batch and waits until all in-sync replicas have it.
func (p *producer) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	batch := p.batch
	p.batch, p.batchBytes = p.batch[:0], 0
	acknowledged, cancel := context.WithTimeout(ctx, produceTimeout)
	defer cancel()
	if err := p.writer.WriteMessages(acknowledged, batch...); err != nil {
		return p.failed(ctx, err, len(batch))
	}
	p.published += len(batch)
	if now := time.Now(); now.Sub(p.reported) >= progressInterval {
		p.reported = now
		fmt.Fprintf(p.log, "engage-worker: %d events so far\n", p.published)
	}
	return nil
}

// failed says how much of a batch is missing, and why.
func (p *producer) failed(ctx context.Context, err error, batch int) error {
	if ctx.Err() != nil {
		return errors.New("interrupted: whether the last events arrived isn't known")
	}
	missing := batch
	if each := (kafka.WriteErrors)(nil); errors.As(err, &each) {
		missing = each.Count()
		p.published += batch - missing
		for _, one := range each {
			if one != nil {
				err = one
				break
			}
		}
	}
	return fmt.Errorf("publish: %d of %d events weren't acknowledged: %s", missing, batch, connect.Explain(err))
}

func (p *producer) summary(topic string) string {
	elapsed := time.Since(p.started)
	var b bytes.Buffer
	noun := "events"
	if p.published == 1 {
		noun = "event"
	}
	fmt.Fprintf(&b, "%d %s published to %s in %s", p.published, noun, topic, elapsed.Round(time.Millisecond))
	var of []string
	if p.malformed > 0 {
		of = append(of, fmt.Sprintf("%d malformed", p.malformed))
	}
	if p.unlike > 0 {
		of = append(of, fmt.Sprintf("%d not as the schema wants them", p.unlike))
	}
	if p.keyless > 0 {
		of = append(of, fmt.Sprintf("%d without a key", p.keyless))
	}
	if len(of) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(of, ", "))
	}
	return b.String()
}
