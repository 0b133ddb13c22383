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
)

// Planner finds what to replay.
type Planner struct {
	Cluster      *records.Cluster
	Reader       *Reader
	Audit        *AuditLog // nil: there is none yet, so nothing was ever replayed
	Source       string    // the source topic
	Destinations []string  // the configured ones
	Filter       Filter
	MaxReplays   int
	Ambiguous    bool   // also what may have been sent: some people may get it twice
	By           string // who replays
	Selection    string // what was asked for, in words that are the same when it is asked for again

	// Sent calls each for every delivery of a destination that the ledger's
	// partition says was sent.
	Sent func(ctx context.Context, destination string, partition int, each func(action, idempotencyKey string)) error
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

	made  time.Time
	items []*item
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
	ambiguous   bool
	series      string   // that replayed it the last time
	published   bool     // its replay is in the source topic
	intents     []intent // of replays begun earlier that nothing is known of
	event       string   // its fingerprint, once it was read
	recordedAt  int64    // where this plan's intent is in the record of replays
}

// intent is a replay that a plan began and said nothing more of.
type intent struct {
	plan  string
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

// Plan reads the dead letters, the record of earlier replays and the ledger,
// and changes nothing. progress counts the dead letters and may be nil.
func (p *Planner) Plan(ctx context.Context, progress *Progress) (*Plan, error) {
	plan := &Plan{ID: newPlanID(), PassedOver: map[Why]int{}, made: time.Now()}
	counts, err := p.Cluster.Count(ctx, p.Source)
	if err != nil {
		return nil, err
	}
	if counts[p.Source] == 0 {
		return nil, fmt.Errorf("read %s: %w", p.Source, kafka.UnknownTopicOrPartition)
	}
	chosen, err := p.choose(ctx, plan, progress)
	if err != nil {
		return nil, err
	}
	plan.Chosen = len(chosen)
	pass := func(key eventKey, why Why) {
		plan.PassedOver[why]++
		delete(chosen, key)
	}
	for key, i := range chosen {
		if i.source < 0 || i.source >= counts[p.Source] || !slices.Contains(p.Destinations, i.destination) {
			pass(key, OtherSource)
		}
	}
	sent, err := p.findSent(ctx, chosen)
	if err != nil {
		return nil, err
	}
	for key := range chosen {
		if sent[key.id] {
			pass(key, AlreadySent)
		}
	}
	if err := p.findReplays(ctx, plan, chosen); err != nil {
		return nil, err
	}
	for key, i := range chosen {
		switch {
		case i.published, plan.Continues() && i.series == plan.Series:
			pass(key, AlreadyReplayed)
		case i.replay > p.MaxReplays:
			pass(key, TooOften)
		case i.ambiguous && !p.Ambiguous:
			pass(key, MayBeSent)
		}
	}
	plan.items = slices.SortedFunc(maps.Values(chosen), func(a, b *item) int {
		// Of an interrupted replay last, then as the topic has them.
		return cmp.Or(cmp.Compare(min(1, len(a.intents)), min(1, len(b.intents))), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for _, i := range plan.items {
		if len(i.intents) > 0 {
			plan.Open++
		}
	}
	return plan, nil
}

// choose folds the deaths of each delivery, which are all in one partition in
// their order, into the last one, if the filter wants that.
func (p *Planner) choose(ctx context.Context, plan *Plan, progress *Progress) (map[eventKey]*item, error) {
	spans, err := p.Reader.Spans(ctx, p.Filter.Since)
	if err != nil {
		return nil, err
	}
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
		if !p.Filter.Match(r) {
			delete(chosen, key)
			return nil
		}
		source := r.Partition
		if r.Topic != p.Source {
			source = -1
		}
		chosen[key] = &item{
			id: key.id, origin: key.origin, destination: r.Destination, action: r.Action, reason: r.Reason, source: source, replay: r.Replays + 1,
			ambiguous: r.Disposition == Ambiguous,
			partition: r.Position.Partition, offset: r.Position.Offset,
		}
		return nil
	})
	return chosen, err
}

// findReplays marks the items whose replay was begun or done by anybody, and
// finds the series that the plan belongs to.
func (p *Planner) findReplays(ctx context.Context, plan *Plan, chosen map[eventKey]*item) error {
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
	switch {
	case a.Replay == i.replay-1 && a.State != Abandoned:
		i.series = a.Series
	case a.Replay != i.replay:
	case a.State == Published:
		i.published = true
	case a.State == Intended:
		i.intents = append(i.intents, intent{a.Plan, a.SourceEnd, a.Event})
	case a.State == Abandoned:
		i.intents = slices.DeleteFunc(i.intents, func(open intent) bool { return open.plan == a.Plan })
	}
}

// findPublished looks into the source topic for replays that were begun, and
// marks those that are there.
func findPublished(ctx context.Context, cluster *records.Cluster, source string, items func(func(*item) bool)) error {
	open := map[int]map[replayKey]*item{}
	from := map[int]int64{}
	for i := range items {
		if i.published || len(i.intents) == 0 {
			continue
		}
		begun := slices.MinFunc(i.intents, func(a, b intent) int { return cmp.Compare(a.from, b.from) }).from
		if open[i.source] == nil {
			open[i.source], from[i.source] = map[replayKey]*item{}, begun
		}
		open[i.source][i.key()] = i
		from[i.source] = min(from[i.source], begun)
	}
	for p, wanted := range open {
		first, end, err := cluster.Bounds(ctx, source, p)
		if err != nil {
			return err
		}
		scanner := records.Scanner{Cluster: cluster, MaxBytes: fetchBytes}
		span := records.Span{Topic: source, Partition: p, From: max(first, from[p]), End: end}
		err = scanner.Scan(ctx, span, func(block []records.Record) error {
			for i := range block {
				if c, ok := claimed(&block[i]); ok {
					if it := wanted[replayKey{c.ID, c.Origin, c.Replays}]; it != nil && it.intended(c, &block[i]) {
						it.published = true
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
		return rec.Offset >= in.from && (in.event == "" || in.plan == c.plan && in.event == fingerprint(rec.Value))
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

// findSent asks the ledger which ids were sent.
func (p *Planner) findSent(ctx context.Context, chosen map[eventKey]*item) (map[string]bool, error) {
	type part struct {
		destination string
		partition   int
	}
	parts, ids := map[part]bool{}, map[string]bool{}
	for _, i := range chosen {
		parts[part{i.destination, i.source}], ids[i.id] = true, true
	}
	sent := map[string]bool{}
	for part := range parts {
		err := p.Sent(ctx, part.destination, part.partition, func(action, key string) {
			if id := deliveryID(part.destination, action, key); ids[id] {
				sent[id] = true
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return sent, nil
}

// newPlanID names a plan for people: when and by chance.
func newPlanID() string {
	var b [4]byte
	rand.Read(b[:])
	return time.Now().UTC().Format("20060102-150405-") + hex.EncodeToString(b[:])
}
