package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
	"engage-worker/consumer/delivery"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/ratelimit"
)

const (
	session        = 10 * time.Second
	commitInterval = time.Second
	requestTimeout = 8 * time.Second
	action         = "sms"
	renamed        = "sms2"
	second         = "second"         // which some events have besides
	patience       = 30 * time.Minute // until all must be settled
)

var tiers = []intake.Tier{{Topic: "retry.10s", Name: "10s", Delay: 10 * time.Second}, {Topic: "retry.1m", Name: "1m", Delay: time.Minute}}

// world is all that is outside of the worker's processes: the coordinator of
// the consumer group, the topics, the vendor. It notes whatever must never be.
type world struct {
	plan    plan
	vendor  vendor
	name    string                                                    // of its ledger's topic
	beside  *world                                                    // another destination of the account; may be nil
	decide  func(m *actions.Delivery)                                 // changes what is decided; may be nil
	tune    func(*delivery.Config)                                    // may be nil
	tracer  trace.Tracer                                              // may be nil
	onWrite func(generation int32, records []ledger.Record) appending // in place of plan.Appends; may be nil
	onSend  func(o *owner, m *twilio.Message) answer                  // in place of plan.Answers; may be nil
	onList  func(id string) listing                                   // in place of plan.Lists; may be nil
	doors   *ratelimit.Doors                                          // of every owner's process; nil: each has its own
	over    chan struct{}                                             // closed when the play is over

	mu     sync.Mutex
	holder *owner    // who owns the shard
	until  time.Time // when the coordinator gives the shard away, unless holder commits

	log      []ledger.Record // the shard's ledger
	next     int64           // the log's end
	closed   int64           // the end of what may be compacted
	appends  int
	records  []*record // of the source and the retry topics
	writes   int       // to the retry and the dead-letter topic
	letters  map[string][]*deadletter.Record
	retried  map[string]int
	faults   []string
	trail    []string // what happened, in order
	start    time.Time
	outcomes map[string]bool // deliveries that the ledger says were sent
	stopped  map[string]bool // and those that a corrected trigger may have stopped
}

// record is an event in the source or in a retry topic.
type record struct {
	message   kafka.Message
	origin    intake.Origin
	actions   uint64 // that want it
	malformed error
	due       time.Time
	committed bool
}

// play runs the plan and returns what went wrong.
func play(t *testing.T, p plan) (faults []string) {
	synctest.Test(t, func(t *testing.T) { faults = run(newWorld(p)) })
	return faults
}

// neighbour is the ledger's topic of the destination beside.
const neighbour = "beside"

// playBoth runs the plans of two destinations of one account, which write to
// the same person, and returns what went wrong with either.
func playBoth(t *testing.T, p, q plan) (faults []string) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newWorld(p), newWorld(q)
		a.beside, b.beside, b.vendor.mailbox = b, a, a.vendor.mailbox
		a.name, b.name = "ledger", neighbour
		var both sync.WaitGroup
		both.Go(func() { a.live() })
		both.Go(func() { b.live() })
		both.Wait()
		faults = append(append(a.faults, b.faults...), review(a, b)...)
		if len(faults) > 0 {
			faults = append(append(append(faults, a.trail...), "beside:"), b.trail...)
		}
	})
	return faults
}

func newWorld(p plan) *world {
	w := &world{plan: p, start: time.Now(), over: make(chan struct{}), letters: map[string][]*deadletter.Record{}, retried: map[string]int{}, outcomes: map[string]bool{}, stopped: map[string]bool{}}
	w.vendor.world, w.vendor.mailbox = w, &mailbox{}
	for i := range p.Texts {
		w.produce(i)
	}
	if p.Doubled {
		w.produce(0)
	}
	return w
}

// run plays the world's plan and returns what went wrong, and what happened.
func run(w *world) (faults []string) {
	w.live()
	w.faults = append(w.faults, review(w)...)
	if len(w.faults) > 0 {
		return append(w.faults, w.trail...)
	}
	return nil
}

// live plays all tenures of the plan.
func (w *world) live() {
	var all []*owner
	for i, tenure := range slices.Concat(w.plan.Tenures, []tenure{{Ends: never, Corrected: w.plan.Corrected, Settings: w.plan.Settings, Former: w.plan.Former}}) {
		tenure.Renamed = i >= w.plan.Renamed
		var former *owner
		if i > 0 {
			former = all[i-1]
		}
		if tenure.Compacted {
			w.compact()
		}
		o := newOwner(w, int32(i+1), tenure, former)
		all = append(all, o)
		o.begin()
		w.await(o)
	}
	close(w.over)
	for _, o := range all {
		o.stop()
	}
}

func (w *world) produce(text int) {
	id := messageID(text)
	offset := int64(len(w.records))
	value := fmt.Appendf(nil, `{"type":"track","messageId":%q}`, id)
	w.records = append(w.records, &record{
		message: kafka.Message{Topic: "events", Key: []byte("u"), Value: value, Offset: offset},
		origin:  intake.Origin{Topic: "events", Offset: offset, Time: time.Now()},
		actions: 1,
	})
	if w.plan.Both {
		w.records[len(w.records)-1].actions = 3
	}
}

func messageID(i int) string { return fmt.Sprint("m", i) }

// behind is how far a second action's deliveries are numbered behind the first's.
const behind = 1000

// numbered names the delivery of an event under an action.
func numbered(action, messageID string) string {
	if action != second {
		return messageID
	}
	return fmt.Sprint("m", number(messageID)+behind)
}

func number(id string) (n int) {
	n, _ = strconv.Atoi(strings.TrimPrefix(id, "m"))
	return n
}

// eventOf is the messageId of a delivery's event, and its place in the plan.
func eventOf(id string) (string, int) { return messageID(number(id) % behind), number(id) % behind }

// textOf is a delivery's text.
func (p *plan) textOf(id string) int {
	_, i := eventOf(id)
	return (p.Texts[i] + number(id)/behind) % len(texts)
}

// deliveries are those of a record, by what wants it.
func (r *record) deliveries() (ids []string) {
	if r.origin.Action != "" {
		return []string{numbered(r.origin.Action, idOf(r))}
	}
	for i, name := range []string{action, second} {
		if r.actions&(1<<i) != 0 {
			ids = append(ids, numbered(name, idOf(r)))
		}
	}
	return ids
}

// await waits for the end of o's tenure: for what the plan says, for the
// coordinator's patience, or for all being settled.
func (w *world) await(o *owner) {
	start := time.Now()
	for {
		w.mu.Lock()
		left := time.Until(w.until)
		settled := w.settled()
		w.mu.Unlock()
		planned := o.tenure.After - time.Since(start)
		switch {
		case o.tenure.Ends == never && settled:
			return
		case o.tenure.Ends == never && time.Since(start) > patience:
			w.fault("not everything is settled after %v", patience)
			return
		case o.tenure.Ends == never:
			time.Sleep(commitInterval)
			continue
		case left <= 0:
			o.lost()
			return
		case planned <= 0:
			w.end(o)
			return
		}
		time.Sleep(min(left, planned))
	}
}

// end ends a tenure as planned; the next one may begin when it returns.
func (w *world) end(o *owner) {
	w.mu.Lock()
	w.note(o, "%s", [...]string{leaves: "leaves", cutOff: "is cut off", killed: "is killed"}[o.tenure.Ends])
	w.mu.Unlock()
	switch o.tenure.Ends {
	case leaves:
		go o.leave()
	case cutOff:
		w.mu.Lock()
		o.cutOff = true
		w.mu.Unlock()
	case killed:
		w.mu.Lock()
		o.dead = true
		w.mu.Unlock()
	}
	for {
		w.mu.Lock()
		left := time.Until(w.until)
		w.mu.Unlock()
		if left <= 0 {
			break
		}
		select {
		case <-o.left:
			return
		case <-time.After(left):
		}
	}
	if o.tenure.Ends != leaves {
		o.lost()
	}
}

// settled reports whether every record is committed.
func (w *world) settled() bool {
	for _, r := range w.records {
		if !r.committed {
			return false
		}
	}
	return true
}

// note adds a line to the trail. The caller holds w.mu.
func (w *world) note(o *owner, format string, args ...any) {
	who := "         "
	if o != nil {
		who = fmt.Sprintf("owner %d: ", o.generation)
	}
	w.trail = append(w.trail, fmt.Sprintf("%9.3fs %s%s", time.Since(w.start).Seconds(), who, fmt.Sprintf(format, args...)))
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// append writes records to the ledger's log.
func (w *world) append(records []ledger.Record) (base int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	base = w.next
	for _, r := range records {
		w.log = append(w.log, ledger.Record{Offset: w.next, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		w.next++
		w.note(nil, "the ledger's %d: %q %s", w.next-1, r.Key, r.Value)
		if e, _ := ledger.ParseEntry(r.Value); e.State == ledger.Sent {
			name, id, _ := bytes.Cut(r.Key, []byte{0})
			w.outcomes[numbered(string(name), string(id))] = true
		}
	}
	return base
}

// compact leaves the last record of each key, of those that were there when
// the last owner began who left in good order: a topic's last segment is never
// compacted.
func (w *world) compact() {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := map[string]int64{}
	for _, r := range w.log {
		if r.Offset < w.closed {
			last[string(r.Key)] = r.Offset
		}
	}
	var left []ledger.Record
	for _, r := range w.log {
		if r.Offset >= w.closed || last[string(r.Key)] == r.Offset {
			left = append(left, r)
		}
	}
	w.log = left
	w.note(nil, "the ledger is compacted")
}

// owns reports whether o may send now, as the coordinator sees it.
func (w *world) owns(o *owner) bool { return w.holder == o && time.Now().Before(w.until) }

// intended is when o intended to make a delivery, by the latest intent of its own
// in the log.
func (w *world) intended(o *owner, key string) (at time.Time, ok bool) {
	for _, r := range w.log {
		if string(r.Key) == key {
			if e, _ := ledger.ParseEntry(r.Value); e.State == ledger.Intent && e.Generation == o.generation && e.Time.After(at) {
				at, ok = e.Time, true
			}
		}
	}
	return at, ok
}

// acknowledged checks that something holds the delivery of a settled record.
func (w *world) acknowledged(r *record) {
	if w.decide != nil || r.actions == 0 || r.malformed != nil {
		return // its decision may be not to send
	}
	for _, id := range r.deliveries() {
		if !w.outcomes[id] && !w.stopped[id] && len(w.letters[id]) == 0 && w.retried[id] == 0 {
			w.fault("%s is settled, and neither sent nor in another topic", id)
		}
	}
}

// review checks what came of the deliveries, by what they say: which of two
// equal texts is whose nobody can tell.
func review(worlds ...*world) (faults []string) {
	type of struct {
		*world
		id string
	}
	byText := map[int][]of{}
	for _, w := range worlds {
		w.mu.Lock() // something may still come late
		defer w.mu.Unlock()
		for i := range w.plan.Texts {
			ids := []string{messageID(i)}
			if w.plan.Both {
				ids = append(ids, numbered(second, messageID(i)))
			}
			for _, id := range ids {
				text := w.plan.textOf(id)
				byText[text] = append(byText[text], of{w, id})
			}
		}
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for text, all := range byText {
		taken, sent, only, unknown := worlds[0].vendor.taken(body(text)), 0, 0, 0
		for _, w := range all {
			ok, letters := w.outcomes[w.id], w.letters[w.id]
			switch {
			case ok:
				sent++
				if len(letters) == 0 && !w.stopped[w.id] { // whose word may have counted for nothing
					only++
				}
			case len(letters) == 0 && !w.stopped[w.id]:
				fault("%s is lost", w.id)
			}
			if slices.ContainsFunc(letters, func(r *deadletter.Record) bool { return r.Disposition == deadletter.Ambiguous }) {
				unknown++
			}
		}
		if taken > len(all) {
			fault("text %d was sent %d times for %d events", text, taken, len(all))
		}
		if only > taken {
			fault("text %d: %d deliveries count as sent and have no dead letter, %d were", text, only, taken)
		}
		if taken > sent+unknown {
			fault("text %d was sent %d times, of which %d deliveries know, and %d don't know", text, taken, sent, unknown)
		}
	}
	return faults
}

// write is a write to the dead-letter or a retry topic, which may fail.
func (o *owner) write(ctx context.Context, done func()) error {
	if !o.step() {
		return context.Canceled
	}
	w := o.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if n := w.writes - 1; n < len(w.plan.Writes) && w.plan.Writes[n] {
		return errAway
	}
	done()
	return ctx.Err()
}

// Publish takes a dead letter.
func (o *owner) Publish(ctx context.Context, r *deadletter.Record) error {
	return o.write(ctx, func() {
		id := numbered(r.Action, r.MessageID)
		o.world.letters[id] = append(o.world.letters[id], r)
		o.world.note(o, "%s is a dead letter: %s", id, r.Message)
	})
}

// Write takes a record of a retry topic.
func (o *owner) Write(ctx context.Context, m kafka.Message, _ int) error {
	return o.write(ctx, func() {
		origin, ok := intake.RetryOrigin(&m)
		if !ok {
			o.world.fault("a retry that doesn't say where it came from")
			return
		}
		r := &record{message: m, origin: origin, actions: 1, due: origin.NotBefore}
		if origin.Action == second {
			r.actions = 2
		}
		id := numbered(origin.Action, idOf(r))
		o.world.records = append(o.world.records, r)
		o.world.retried[id]++
		o.world.note(o, "%s goes to %s", id, m.Topic)
	})
}

// idOf is the messageId of a record's event.
func idOf(r *record) string {
	_, after, _ := bytes.Cut(r.message.Value, []byte(`"messageId":"`))
	id, _, _ := bytes.Cut(after, []byte(`"`))
	return string(id)
}
