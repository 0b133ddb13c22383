package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/actions/weburl"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/twiliosim"
)

// bench is a broker with a topic full of events, and a vendor. What is
// measured is a process of its own, see part; both share the machine's cores.
type bench struct {
	b      *testing.B
	sim    *twiliosim.Sim
	vendor string // its URL
	broker string // its address
	dir    string
	first  []byte // event
	n      int    // events
	close  func()
}

const benchPartitions = 12

func newBench(b *testing.B, n int, latency time.Duration, event func() kafka.Message) *bench {
	b.Helper()
	return newBenchWith(b, benchPartitions, n, twiliosim.Options{Keep: -1, Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Latency: latency}}}, 0, event)
}

// newBenchWith is newBench with a vendor, and without the topic of a role.
func newBenchWith(b *testing.B, partitions, n int, vendorIs twiliosim.Options, without topics.Role, event func() kafka.Message) *bench {
	b.Helper()
	broker, err := embedded.Start()
	if err != nil {
		b.Fatal(err)
	}
	sim, err := twiliosim.New(vendorIs)
	if err != nil {
		b.Fatal(err)
	}
	x := &bench{b: b, sim: sim, broker: broker.Brokers()[0], dir: b.TempDir(), n: n, close: sync.OnceFunc(func() { sim.Close(); broker.Close() })}
	b.Cleanup(x.close)
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	x.vendor = vendor.URL()
	cfg, err := config.Load(x.config(region{}))
	if err != nil {
		b.Fatal(err)
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { connect.CloseClient(client) })
	specs := slices.DeleteFunc(topics.Of(cfg), func(s topics.Spec) bool { return s.Role == without })
	if _, err := topics.Ensure(b.Context(), client, specs, topics.Sizes{Partitions: partitions}); err != nil {
		b.Fatal(err)
	}
	w := &kafka.Writer{Addr: client.Addr, Transport: client.Transport, Topic: "events", RequiredAcks: kafka.RequireAll, BatchSize: 1000, BatchTimeout: time.Millisecond, Balancer: &kafka.Hash{}, Compression: kafka.Lz4}
	defer w.Close()
	batch := make([]kafka.Message, 0, 10_000)
	for i := range n {
		batch = append(batch, event())
		if i == 0 {
			x.first = batch[0].Value
		}
		if len(batch) == cap(batch) || i == n-1 {
			if err := w.WriteMessages(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return x
}

// region is what a benchmark varies of the one region's, and sections of the
// configuration besides.
type region struct {
	rate, maxInFlight int
	more              string
}

// config writes a configuration whose group is new, and returns its file.
func (x *bench) config(r region) (path string) {
	x.b.Helper()
	if r.rate == 0 {
		r.rate = 1_000_000
	}
	if r.maxInFlight == 0 {
		r.maxInFlight = 128
	}
	path = filepath.Join(x.dir, "engage.yaml")
	text := fmt.Sprintf(`kafka: {brokers: [%q], topic: events, startOffset: earliest, groupPrefix: "bench-%d"}
http: {listen: "127.0.0.1:0"}
%sregions: {us-west-2: {rate: %[4]d, burst: %[4]d, maxInFlight: %d}}
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC00000000000000000000000000000001, twilioApiKeySID: SK1, twilioApiKeySecret: s, twilioHostname: %q}
    actions: [{name: sms, type: sendSms, mapping: {from: MG00000000000000000000000000000001, body: "Hi {{ profile.traits.first_name | default: 'there' }}, welcome!"}}]
`, x.broker, time.Now().UnixNano(), r.more, r.rate, r.maxInFlight, x.vendor)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		x.b.Fatal(err)
	}
	return path
}

// samples makes events that are the same in each run.
func samples(o sample.Options) func() kafka.Message {
	g := sample.New(1, o)
	return func() kafka.Message {
		ev := g.Next()
		return kafka.Message{Key: ev.Key, Value: ev.Value, Time: time.Now()}
	}
}

// BenchmarkUnwanted reads events that no trigger wants, by nothing but kafka-go
// and by the worker in turns, so that what else the machine does meets both.
func BenchmarkUnwanted(b *testing.B) {
	x := newBench(b, 2_000_000, 0, samples(sample.Options{Unwanted: 1}))
	var loop, worker reading
	for range b.N {
		loop.add(x.read("loop"))
		worker.add(x.read("worker"))
	}
	b.ReportMetric(worker.rate(), "events/s")
	b.ReportMetric(loop.rate(), "loop-events/s")
	b.ReportMetric(100*worker.rate()/loop.rate(), "%-of-loop")
	b.ReportMetric(worker.cost(), "cpu-us/event")
	b.ReportMetric(loop.cost(), "loop-cpu-us/event")
	b.ReportMetric(float64(worker.peakKiB)/1024, "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

// reading is what reading all events took, from the first progress on.
type reading struct {
	events       int
	elapsed, cpu time.Duration
	peakKiB      int
}

func (r *reading) add(more reading) {
	r.events += more.events
	r.elapsed += more.elapsed
	r.cpu += more.cpu
	r.peakKiB = max(r.peakKiB, more.peakKiB)
}

func (r *reading) rate() float64 { return float64(r.events) / r.elapsed.Seconds() }
func (r *reading) cost() float64 { return float64(r.cpu.Nanoseconds()) / 1e3 / float64(r.events) }

// read lets a part read all events.
func (x *bench) read(what string) reading {
	p := startPart(x.b, what, x.config(region{}))
	defer p.stop()
	from := x.until(p, 1)
	begun := time.Now()
	to := x.until(p, x.n)
	return reading{events: to.Read - from.Read, elapsed: time.Since(begun), cpu: to.CPU - from.CPU, peakKiB: to.PeakKiB}
}

// until waits until a part has read n records.
func (x *bench) until(p *part, n int) usage {
	for {
		u := p.look()
		if u.Read >= n {
			return u
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// BenchmarkWaiting tells what memory a backlog takes: 300,000 wanted events at a rate
// of 100/s. An iteration is half a minute.
func BenchmarkWaiting(b *testing.B) {
	x := newBench(b, 300_000, 50*time.Millisecond, samples(sample.Options{Users: 50_000}))
	p := startPart(b, "worker", x.config(region{rate: 100}))
	for range b.N {
		time.Sleep(30 * time.Second)
	}
	b.ReportMetric(float64(p.look().PeakKiB)/1024, "MiB-peak")
	b.ReportMetric(0, "ns/op")
	p.stop()
}

// BenchmarkQuiet tells what partitions take in which nothing happens, and how long the
// first event after that takes to the vendor. An iteration is ten seconds of quiet, and
// then ten events with half a second between them.
func BenchmarkQuiet(b *testing.B) {
	for _, partitions := range []int{200, 1000} {
		b.Run(strconv.Itoa(partitions), func(b *testing.B) {
			event := samples(sample.Options{Users: partitions})
			x := newBenchWith(b, partitions, partitions, twiliosim.Options{Keep: -1}, 0, event)
			p := startPart(b, "worker", x.config(region{}))
			defer p.stop()
			x.accepted(uint64(x.n))
			transport := &kafka.Transport{}
			defer transport.CloseIdleConnections()
			writer := &kafka.Writer{Addr: kafka.TCP(x.broker), Transport: transport, Topic: "events", BatchTimeout: time.Millisecond, Balancer: &kafka.RoundRobin{}}
			defer writer.Close()
			var cpu time.Duration
			var first []time.Duration
			for range b.N {
				time.Sleep(5 * time.Second)
				from := p.look().CPU
				time.Sleep(10 * time.Second)
				cpu += p.look().CPU - from
				for range 10 {
					time.Sleep(500 * time.Millisecond)
					begun, before := time.Now(), x.sim.Stats().Accepted
					if err := writer.WriteMessages(b.Context(), event()); err != nil {
						b.Fatal(err)
					}
					for x.sim.Stats().Accepted == before {
						time.Sleep(200 * time.Microsecond)
					}
					first = append(first, time.Since(begun))
				}
			}
			slices.Sort(first)
			b.ReportMetric(100*cpu.Seconds()/float64(10*b.N), "%-of-core")
			b.ReportMetric(first[len(first)/2].Seconds()*1000, "ms-first-event")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkDelivery sends messages through a vendor that takes 50 ms, with and
// without the ledger, which ideally is in flight / latency; and in turns with it
// posts the same form by nothing but net/http. cpu-us/message is all that the
// sending process takes for a message: from the fetch to the commit.
func BenchmarkDelivery(b *testing.B) {
	const latency = 50 * time.Millisecond
	for _, inFlight := range []int{128, 512} {
		b.Run(fmt.Sprintf("%d-in-flight", inFlight), func(b *testing.B) {
			n := 20_000
			if inFlight > 128 {
				n = 40_000
			}
			var post, worker, without reading
			for range b.N {
				for what, sum := range map[string]*reading{"post": &post, "worker": &worker, "worker-without-ledger": &without} {
					// Each has a ledger of its own, as it is another group.
					x := newBench(b, n, latency, samples(sample.Options{Users: 50_000}))
					sum.add(x.send(region{maxInFlight: inFlight}, what))
					x.close()
				}
			}
			b.ReportMetric(worker.rate(), "messages/s")
			b.ReportMetric(without.rate(), "without-ledger-messages/s")
			b.ReportMetric(worker.cost(), "cpu-us/message")
			b.ReportMetric(without.cost(), "without-ledger-cpu-us/message")
			b.ReportMetric(post.cost(), "post-cpu-us/message")
			b.ReportMetric(worker.cost()/post.cost(), "x-post")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFollowing sends messages at 128 in flight, and follows each of them: Twilio is
// asked of those that are a second old, while others are sent. In turns with it the same
// without the status topic, where nothing is followed.
func BenchmarkFollowing(b *testing.B) {
	const n, inFlight = 20_000, 128
	var with, without reading
	asked := uint64(0)
	for range b.N {
		for _, c := range []struct {
			missing topics.Role
			sum     *reading
		}{{0, &with}, {topics.RoleStatus, &without}} {
			vendor := twiliosim.Options{
				SentAfter: 300 * time.Millisecond, DeliveredAfter: 500 * time.Millisecond,
				Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Latency: 50 * time.Millisecond}},
			}
			x := newBenchWith(b, benchPartitions, n, vendor, c.missing, samples(sample.Options{Users: 50_000}))
			c.sum.add(x.send(region{maxInFlight: inFlight, more: "status: {sweepAfter: 1s}\n"}, "worker"))
			if c.missing == 0 {
				asked += x.sim.Stats().Lists + x.sim.Stats().Fetches
			}
			x.close()
		}
	}
	b.ReportMetric(with.rate(), "messages/s")
	b.ReportMetric(without.rate(), "unfollowed-messages/s")
	b.ReportMetric(100*(1-with.rate()/without.rate()), "%-slower")
	b.ReportMetric(with.cost(), "cpu-us/message")
	b.ReportMetric(without.cost(), "unfollowed-cpu-us/message")
	b.ReportMetric(float64(asked)/float64(b.N), "questions")
	b.ReportMetric(0, "ns/op")
}

// send lets a part send, from when its connections stand until all events'
// messages are accepted.
func (x *bench) send(r region, what string) reading {
	args := []string{x.config(r)}
	if what == "post" {
		args = []string{x.vendor + "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json", strconv.Itoa(r.maxInFlight), x.form()}
	}
	p := startPart(x.b, what, args...)
	defer p.stop()
	x.accepted(uint64(4 * r.maxInFlight))
	first, from, begun := x.sim.Stats().Accepted, p.look(), time.Now()
	x.accepted(uint64(x.n))
	last, to := x.sim.Stats().Accepted, p.look()
	return reading{events: int(last - first), elapsed: time.Since(begun), cpu: to.CPU - from.CPU}
}

// form writes the form of the first event's message as the worker posts it,
// and returns its file.
func (x *bench) form() (path string) {
	cfg, err := config.Load(x.config(region{}))
	if err != nil {
		x.b.Fatal(err)
	}
	d, faults := actions.New(cfg.Destinations[0].Definition, actions.Options{Log: zerolog.Nop(), Regions: cfg.RegionNames()})
	if len(faults) > 0 {
		x.b.Fatal(faults)
	}
	defer d.Close()
	event, err := d.Decode(x.first)
	if err != nil {
		x.b.Fatal(err)
	}
	delivery := d.Prepare(context.Background(), event, 0)
	if delivery.Message == nil {
		x.b.Fatal("the first event isn't sent: ", delivery.Reason)
	}
	var form []byte
	for i, v := range delivery.Message.Form {
		if i > 0 {
			form = append(form, '&')
		}
		form = weburl.AppendParam(form, v.Name, v.Value)
	}
	path = filepath.Join(x.dir, "form")
	if err := os.WriteFile(path, form, 0o600); err != nil {
		x.b.Fatal(err)
	}
	return path
}

// accepted waits until the vendor has accepted n messages.
func (x *bench) accepted(n uint64) {
	for x.sim.Stats().Accepted < n {
		time.Sleep(5 * time.Millisecond)
	}
}
