package deadletter

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/records"
)

// Why is why a chosen dead letter is not replayed.
type Why string

const (
	// AlreadySent: the ledger says that Twilio took it.
	AlreadySent Why = "already sent"
	// AlreadyReplayed: its replay is in the source topic, and it hasn't
	// died again since.
	AlreadyReplayed Why = "already replayed"
	// TooOften: it was replayed as often as is allowed.
	TooOften Why = "replayed too often"
	// MayBeSent: nobody could tell whether it was sent (Ambiguous).
	MayBeSent Why = "may have been sent"
	// OtherSource: its event is not of the configured source topic, or its
	// destination is not configured.
	OtherSource Why = "of another topic or destination"
	// TakenByAnother: another plan came first, meanwhile.
	TakenByAnother Why = "taken by another replay"
	// Gone: retention deleted it, meanwhile.
	Gone Why = "deleted by retention"
	// NoAction: the configuration has no such action any more.
	NoAction Why = "of an action that is gone"
	// NoMatch: its trigger doesn't want the event any more.
	NoMatch Why = "not wanted by its trigger"
	// Unnamed: its reason is replayed only where it is named: another attempt
	// meets the same.
	Unnamed Why = "not replayed unless named"
	// NotDelivered: Twilio accepted it, and it didn't arrive (Undelivered).
	NotDelivered Why = "accepted, and not delivered"
	// MayHaveArrived: likewise, and Twilio's code leaves open whether it did
	// (Ambiguous as well).
	MayHaveArrived Why = "may have arrived"
	// Closed: somebody dismissed it.
	Closed Why = "dismissed"
	// Forgotten: it may have been sent, and neither the ledger nor Twilio can
	// tell any more (EvenIfSent).
	Forgotten Why = "may have been sent, which nobody can tell any more"
)

// Planner finds what to replay.
type Planner struct {
	Reader       *Reader
	Audit        *AuditLog // nil: there is none yet, so nothing was ever replayed
	Source       string    // the source topic
	Destinations []string  // the configured ones
	Filter       Filter    // with reasons or ids, what is Unnamed else is replayed as well
	MaxReplays   int
	Limit        int    // of what is replayed; 0: none
	Ambiguous    bool   // also what may have been sent: some people may get it twice
	EvenIfSent   bool   // also what may have been sent where nobody can tell any more
	Undelivered  bool   // also what Twilio accepted and didn't deliver
	Again        bool   // also what was replayed and came to nothing
	By           string // who replays
	Selection    string // what was asked for, in words that are the same when it is asked for again
	Asked        string // likewise, for people, without what may say something of one; "": nobody said
	ID           string // the plan's, from NewPlanID; "": a new one

	Sources

	// Memory is for how long the ledger remembers.
	Memory time.Duration
	// Present tells an action's present name; nil: none was called otherwise.
	Present func(destination, action string) string
	// Takes tells why a destination would not take an event for an action, by
	// its present or a former name, or for any where it is ""; "" that it would.
	// Nil: it takes all.
	Takes func(destination, action string, value []byte) Why
}

// Plan is what a replay would do. Its memory is about 300 bytes for each dead
// letter chosen.
type Plan struct {
	ID         string
	Series     string      // the first plan's ID when this one goes on with an interrupted one, else ID
	Chosen     int         // deliveries whose last death the filter chooses
	Foreign    int         // records in the topic that are no dead letters
	PassedOver map[Why]int // of Chosen
	Open       int         // of Send: of an interrupted replay, looked into last
	Later      int         // beyond the limit

	made   time.Time
	items  []*item
	states *States
	ends   []Span // where the dead letters ended
}

// Continues reports that the plan goes on with an interrupted one of the same
// Selection. What that one has replayed is passed over, though it may have
// died again since.
func (p *Plan) Continues() bool { return p.Series != p.ID }

// seriesLife is for how long an interrupted plan is gone on with.
const seriesLife = 24 * time.Hour

// item is a dead letter that is to be replayed.
type item struct {
	id          string
	origin      string // where its event appeared first
	destination string
	action      string
	reason      string
	partition   int // of the dead letter
	offset      int64
	source      int // partition of the event
	replay      int // the number of this replay
	published   int // the number of the last one that is in the source
	disposition Disposition
	code        int
	sid         string // of the message that didn't arrive
	doubt       string // what the letter knows of an attempt that may have been sent
	untaken     Why
	series      string   // that replayed it before it died
	lastSeries  string   // that replayed it last
	intents     []intent // of replays begun earlier that nothing is known of
	event       string   // its fingerprint, while it is on its way
	recordedAt  int64    // where this plan's intent is in the record of replays
	ref         Ref

	Permission
}

// intent is a replay that a plan began and said nothing more of.
type intent struct {
	plan  string
	n     int    // the replay's number
	from  int64  // it would be in the source from here on
	event string // its fingerprint; "": an earlier version's
}

func (i *item) key() replayKey { return replayKey{i.id, i.origin, i.replay} }

// eventKey is one event under one action. An id alone isn't: it is made of the
// messageId, and another event may say that it has the same.
type eventKey struct{ id, origin string }

// Send is how many dead letters will be replayed.
func (p *Plan) Send() int { return len(p.items) }

// Reasons counts those to be replayed, most first.
func (p *Plan) Reasons() []Count {
	n := map[string]int{}
	for _, i := range p.items {
		n[i.reason]++
	}
	counts := make([]Count, 0, len(n))
	for reason, n := range n {
		counts = append(counts, Count{reason, n})
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	return counts
}

// ActionCount is how many of a plan's letters are of an action.
type ActionCount struct {
	Destination, Action string
	N                   int
}

// Actions counts those to be replayed by their actions, in no order.
func (p *Plan) Actions() []ActionCount {
	n := map[[2]string]int{}
	for _, i := range p.items {
		n[[2]string{i.destination, i.action}]++
	}
	counts := make([]ActionCount, 0, len(n))
	for of, n := range n {
		counts = append(counts, ActionCount{of[0], of[1], n})
	}
	return counts
}

// Plan reads the dead letters, the record of earlier replays and the ledger,
// and changes nothing. progress counts the dead letters and may be nil.
func (p *Planner) Plan(ctx context.Context, progress *Progress) (*Plan, error) {
	plan := &Plan{ID: cmp.Or(p.ID, NewPlanID()), PassedOver: map[Why]int{}, made: time.Now()}
	counts, err := p.Cluster.Count(ctx, p.Source)
	if err != nil {
		return nil, err
	}
	if counts[p.Source] == 0 {
		return nil, fmt.Errorf("read %s: %w", p.Source, kafka.UnknownTopicOrPartition)
	}
	states := NewStates(p.Present)
	plan.states = states
	chosen, err := p.choose(ctx, plan, states, progress)
	if err != nil {
		return nil, err
	}
	sources := p.Sources
	sources.Replays = "" // which findReplays reads
	if err := states.Learn(ctx, sources, progress); err != nil {
		return nil, err
	}
	if err := p.findReplays(ctx, plan, states, chosen); err != nil {
		return nil, err
	}
	for key, i := range chosen {
		if i.source >= counts[p.Source] {
			i.source = -1
		}
		why, ofState := p.decide(plan, states, i)
		switch {
		case !ofState:
			delete(chosen, key)
		case why != "":
			plan.PassedOver[why]++
			plan.Chosen++
			delete(chosen, key)
		default:
			plan.Chosen++
		}
	}
	plan.items = slices.SortedFunc(maps.Values(chosen), func(a, b *item) int {
		// Of an interrupted replay last, then as the topic has them.
		return cmp.Or(cmp.Compare(a.begun(), b.begun()), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	if p.Limit > 0 && len(plan.items) > p.Limit {
		plan.Later = len(plan.items) - p.Limit
		plan.items = plan.items[:p.Limit:p.Limit]
	}
	for _, i := range plan.items {
		plan.Open += i.begun()
	}
	return plan, nil
}

// choose folds the deaths of each delivery, which are all in one partition in
// their order, into the last one, if the filter wants that.
func (p *Planner) choose(ctx context.Context, plan *Plan, states *States, progress *Progress) (map[eventKey]*item, error) {
	spans, err := p.Reader.Spans(ctx, p.Filter.Since)
	if err != nil {
		return nil, err
	}
	plan.ends = spans
	filter := p.Filter
	filter.States = nil // which decide asks
	chosen := map[eventKey]*item{}
	fold := NewFold()
	err = p.Reader.Read(ctx, spans, progress, func(r *Record, fault error) error {
		if errors.Is(fault, ErrForeign) {
			plan.Foreign++
			return nil
		}
		if fold.Repeated(r) {
			return nil
		}
		key := eventKey{r.ID(), r.origin()}
		if !filter.Match(r) {
			delete(chosen, key)
			states.Died(r)
			return nil
		}
		source := r.Partition
		if r.Topic != p.Source {
			source = -1
		}
		chosen[key] = &item{
			id: key.id, origin: key.origin, destination: r.Destination, action: r.Action, reason: r.Reason, source: source, replay: r.Replays + 1,
			partition: r.Position.Partition, offset: r.Position.Offset, disposition: r.Disposition, code: r.TwilioCode,
			sid: r.TwilioSID, doubt: r.Doubt, ref: states.Add(r),
		}
		if p.Takes != nil {
			chosen[key].untaken = p.Takes(r.Destination, r.Action, r.Value)
		}
		return nil
	})
	return chosen, err
}

// findReplays marks the items whose replay was begun or done by anybody, and
// finds the series that the plan belongs to.
func (p *Planner) findReplays(ctx context.Context, plan *Plan, states *States, chosen map[eventKey]*item) error {
	plan.Series = plan.ID
	if p.Audit == nil {
		return nil
	}
	interrupted := map[string]Audit{} // series
	byID := map[string][]*item{}
	for _, i := range chosen {
		byID[i.id] = append(byID[i.id], i)
	}
	err := p.Audit.Read(ctx, func(a Audit) {
		states.Audit(a)
		switch {
		case a.State == Begun && a.Selection == p.Selection && plan.made.Sub(a.At) < seriesLife:
			interrupted[a.Series] = a
		case a.State == Finished:
			delete(interrupted, a.Series)
		default:
			for _, i := range byID[a.ID] {
				if a.Origin == "" || a.Origin == i.origin { // earlier versions don't say
					i.note(a)
				}
			}
		}
	})
	if err != nil {
		return err
	}
	var last time.Time
	for series, a := range interrupted {
		if a.At.After(last) {
			plan.Series, last = series, a.At
		}
	}
	return findPublished(ctx, p.Cluster, p.Source, maps.Values(chosen))
}

// note takes in what was written down of the item.
func (i *item) note(a Audit) {
	if a.Replay == i.replay-1 && a.State != Abandoned {
		i.series = a.Series
	}
	if a.Replay < i.replay {
		return
	}
	switch a.State {
	case Published:
		i.inSource(a.Replay)
		i.lastSeries = a.Series
	case Intended:
		i.intents = append(i.intents, intent{a.Plan, a.Replay, a.SourceEnd, a.Event})
	case Abandoned:
		i.intents = slices.DeleteFunc(i.intents, func(open intent) bool { return open.plan == a.Plan && open.n == a.Replay })
	}
}

// inSource notes that a replay was published.
func (i *item) inSource(replay int) {
	i.published = max(i.published, replay)
	i.intents = slices.DeleteFunc(i.intents, func(open intent) bool { return open.n <= i.published })
}

// done reports whether this replay is in the source.
func (i *item) done() bool { return i.published >= i.replay }

// begun is 1 if this replay was begun by a plan that said nothing more of it.
func (i *item) begun() int {
	if slices.ContainsFunc(i.intents, func(open intent) bool { return open.n == i.replay }) {
		return 1
	}
	return 0
}

// findPublished looks into the source topic for replays that were begun, and
// marks those that are there.
func findPublished(ctx context.Context, cluster *records.Cluster, source string, items func(func(*item) bool)) error {
	open := map[int]map[replayKey]*item{}
	from := map[int]int64{}
	for i := range items {
		if len(i.intents) == 0 {
			continue
		}
		begun := slices.MinFunc(i.intents, func(a, b intent) int { return cmp.Compare(a.from, b.from) }).from
		if open[i.source] == nil {
			open[i.source], from[i.source] = map[replayKey]*item{}, begun
		}
		for _, in := range i.intents {
			open[i.source][replayKey{i.id, i.origin, in.n}] = i
		}
		from[i.source] = min(from[i.source], begun)
	}
	for p, wanted := range open {
		_, err := scanFrom(ctx, cluster, source, p, from[p], nil, func(block []records.Record) error {
			for i := range block {
				if c, ok := claimed(&block[i]); ok {
					if it := wanted[replayKey{c.ID, c.Origin, c.Replays}]; it != nil && it.intended(c, &block[i]) {
						it.inSource(c.Replays)
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for replays in the source: %w", err)
		}
	}
	return nil
}

// intended reports whether a source record is one of the replays that were begun.
func (i *item) intended(c claim, rec *records.Record) bool {
	return slices.ContainsFunc(i.intents, func(in intent) bool {
		return rec.Offset >= in.from && in.n == c.Replays && (in.event == "" || in.plan == c.plan && in.event == fingerprint(rec.Value))
	})
}

// claimed is parseClaim of a record.
func claimed(rec *records.Record) (claim, bool) {
	var headers []kafka.Header
	for _, h := range rec.Headers {
		if ours(string(h.Name)) {
			headers = append(headers, kafka.Header{Key: string(h.Name), Value: h.Value})
		}
	}
	return parseClaim(headers)
}

// NewPlanID names a plan for people: when and by chance.
func NewPlanID() string {
	var b [4]byte
	rand.Read(b[:])
	return time.Now().UTC().Format("20060102-150405-") + hex.EncodeToString(b[:])
}
