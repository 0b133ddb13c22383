package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
)

// Destination is what a destination is asked about.
type Destination struct {
	Name    string
	Ledger  string // topics
	Status  string
	Retry   []string
	Actions []string // present and former names
	// Wants are the present names of the actions whose triggers want a value.
	Wants func(value []byte) []string
	// Decide is what an action makes of an event now, in words. It may look
	// things up, and is asked only where nothing else is known; nil: nobody is asked.
	Decide func(ctx context.Context, value []byte, action string) string
}

// Collector collects a timeline. Its Progress may be read meanwhile.
type Collector struct {
	Cluster      *records.Cluster
	Source       string
	DeadLetters  string
	Destinations []Destination

	Done, Total atomic.Int64 // offsets

	mu    sync.Mutex
	query *matcher
	line  Timeline
	keys  map[string][]found // of ledgers, by destination and key
	ids   map[string]bool    // of dead letters
	told  map[string]bool    // deliveries of which something is known
}

// found is an event of the source.
type found struct {
	facts
	value    []byte
	position string
	replayed bool
	at       time.Time
}

const (
	readers  = 4 // partitions read at a time
	answer   = 4 << 20
	mostSeen = 1000 // events that are told of
)

// Collect looks for what the query means. What retention deleted, and what is
// older than the query's Since, isn't found.
func (c *Collector) Collect(ctx context.Context, q Query) (*Timeline, error) {
	c.query, c.keys, c.ids, c.told = newMatcher(q), map[string][]found{}, map[string]bool{}, map[string]bool{}
	events, err := c.events(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		c.remember(e)
	}
	if err := c.rest(ctx, q.Since); err != nil {
		return nil, err
	}
	if err := c.replays(ctx); err != nil {
		return nil, err
	}
	for _, e := range events {
		c.triggers(ctx, e)
	}
	c.line.sort()
	return &c.line, nil
}

// events finds the source's.
func (c *Collector) events(ctx context.Context) (events []found, err error) {
	confirmer := &deadletter.Confirmer{Cluster: c.Cluster, Topic: deadletter.AuditTopic(c.DeadLetters)}
	err = c.scan(ctx, c.query.Since, c.Source, func(partition int, r *records.Record) error {
		f, ok := c.query.event(r.Value)
		if !ok {
			return nil
		}
		m := r.Message(c.Source, partition)
		replay, replayed, err := confirmer.Confirm(ctx, &m)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.line.Events++; len(events) == mostSeen {
			c.line.More = true
			return nil
		}
		e := found{facts: f, value: bytes.Clone(r.Value), position: deadletter.Origin(c.Source, partition, r.Offset), at: r.Time}
		step := Step{At: r.Time, What: Event, MessageID: f.MessageID, UserID: f.UserID, Where: e.position}
		if replayed {
			step.What, step.Destination, step.Action = Replayed, replay.Destination, replay.Action
			step.Detail = fmt.Sprintf("replay %d of dead letter %s", replay.Replays, replay.ID)
			c.ids[replay.ID] = true
			e.position, e.replayed = replay.Origin, true
		}
		c.line.Steps = append(c.line.Steps, step)
		events = append(events, e)
		return nil
	})
	return events, err
}

// remember notes what the ledgers know an event's deliveries by.
func (c *Collector) remember(e found) {
	key := deadletter.EventKey(e.MessageID, e.position)
	for _, d := range c.Destinations {
		for _, action := range d.Actions {
			k := d.Name + "\x00" + string(ledger.AppendKey(nil, action, key))
			c.keys[k] = append(c.keys[k], e)
		}
	}
}

// rest reads the other topics.
func (c *Collector) rest(ctx context.Context, since time.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2) // topics at a time; the partitions of each besides
	read := func(topic string, each func(partition int, r *records.Record) error) {
		g.Go(func() error { return c.scan(ctx, since, topic, each) })
	}
	for _, d := range c.Destinations {
		read(d.Ledger, func(p int, r *records.Record) error { c.ledger(d, p, r); return nil })
		read(d.Status, func(p int, r *records.Record) error { c.status(d, p, r); return nil })
		for _, topic := range d.Retry {
			read(topic, func(p int, r *records.Record) error { c.retry(d, topic, p, r); return nil })
		}
	}
	read(c.DeadLetters, func(p int, r *records.Record) error { c.letter(p, r); return nil })
	return g.Wait()
}

func (c *Collector) add(s Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.Steps = append(c.line.Steps, s)
	if s.Action != "" {
		c.told[s.Destination+"\x00"+s.Action+"\x00"+s.MessageID] = true
	}
}

// firstTold reports whether what a key stands for wasn't told of yet.
func (c *Collector) firstTold(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told[key] {
		return false
	}
	c.told[key] = true
	return true
}

func (c *Collector) ledger(d Destination, partition int, r *records.Record) {
	key := r.Key
	if of, beside := ledger.BesideOf(key); beside {
		key = of
	}
	events := c.keys[d.Name+"\x00"+string(key)] // fixed by now
	if len(events) == 0 || r.Value == nil {
		return
	}
	e, err := ledger.ParseEntry(r.Value)
	if err != nil {
		return
	}
	action, _, _ := bytes.Cut(key, []byte{0})
	s := Step{
		At: e.Time, Destination: d.Name, Action: string(action), MessageID: events[0].MessageID, SID: e.SID,
		Where: deadletter.Origin(d.Ledger, partition, r.Offset), Detail: fmt.Sprintf("for the event at %s/%d/%d", c.Source, e.Position.Partition, e.Position.Offset),
	}
	switch e.State {
	case ledger.Intent:
		s.What = Attempt
	case ledger.Sent:
		s.What = Accepted
	case ledger.Dead:
		s.What, s.Detail = Refused, "dead from here"
	default:
		s.What = Refused
		if e.Why != "" {
			s.What, s.Detail = Skipped, e.Why
		}
	}
	c.add(s)
}

// message is as much of a status record as is shown.
type message struct {
	SID, Status, To, Action, MessageID, UserID string
	Code                                       int
	AcceptedAt, SentAt, FinalAt, SeenAt        time.Time
}

func (c *Collector) status(d Destination, partition int, r *records.Record) {
	if r.Value == nil {
		return
	}
	known := len(c.keys[d.Name+"\x00"+string(r.Key)]) > 0
	if !known && c.query.needle != nil && c.query.mask == "" && !bytes.Contains(r.Value, c.query.needle) {
		return
	}
	var m message
	if json.Unmarshal(r.Value, &m) != nil || !known && !c.query.says(m.MessageID, m.UserID) {
		return
	}
	step := func(at time.Time, status string) {
		if at.IsZero() || !c.firstTold(d.Name+"\x00"+m.SID+"\x00"+status) { // a record says all that those before it said
			return
		}
		s := Step{
			At: at, What: Status, Destination: d.Name, Action: m.Action, MessageID: m.MessageID, UserID: m.UserID, SID: m.SID, Detail: status,
			Where: deadletter.Origin(d.Status, partition, r.Offset),
		}
		if m.To != "" {
			s.Detail += " to " + m.To
		}
		c.add(s)
	}
	step(m.AcceptedAt, "accepted")
	step(m.SentAt, "sent")
	if last := m.Status; last != "accepted" && last != "sent" {
		if m.Code != 0 {
			last += fmt.Sprintf(", code %d", m.Code)
		}
		if m.FinalAt.IsZero() {
			m.FinalAt = m.SeenAt
		}
		step(m.FinalAt, last)
	}
}

func (c *Collector) retry(d Destination, topic string, partition int, r *records.Record) {
	f, ok := c.query.event(r.Value)
	if !ok {
		return
	}
	m := r.Message(topic, partition)
	o, ok := intake.RetryOrigin(&m)
	if !ok {
		return
	}
	detail := fmt.Sprintf("after %d attempts, due at %s", o.Attempts, o.NotBefore.UTC().Format(time.RFC3339))
	for _, h := range m.Headers {
		if h.Key == "engage.retry.reason" {
			detail = string(h.Value) + ", " + detail
		}
	}
	c.add(Step{
		At: r.Time, What: Retry, Destination: d.Name, Action: o.Action, MessageID: f.MessageID, UserID: f.UserID, Detail: detail,
		Where: deadletter.Origin(topic, partition, r.Offset),
	})
}

func (c *Collector) letter(partition int, r *records.Record) {
	if !c.query.mayHold(r) {
		return
	}
	letter, err := deadletter.Decode(r.Message(c.DeadLetters, partition))
	if err != nil && letter.Reason == "" || !c.query.letter(letter) {
		return
	}
	detail := letter.Reason
	if letter.TwilioCode != 0 {
		detail += fmt.Sprintf(", code %d", letter.TwilioCode)
	}
	if letter.Message != "" {
		detail += ": " + letter.Message
	}
	c.mu.Lock()
	c.ids[letter.ID()] = true
	c.mu.Unlock()
	c.add(Step{
		At: letter.FailedAt(), What: Dead, Destination: letter.Destination, Action: letter.Action, MessageID: letter.MessageID, UserID: letter.UserID,
		SID: letter.TwilioSID, Detail: fmt.Sprintf("dead letter %s: %s", letter.ID(), detail), Where: letter.Position.String(),
	})
}

// replays tells what the record of replays says of the dead letters.
func (c *Collector) replays(ctx context.Context) error {
	topic := deadletter.AuditTopic(c.DeadLetters)
	if len(c.ids) == 0 {
		return nil
	}
	n, err := c.Cluster.Count(ctx, topic)
	if err != nil || n[topic] == 0 {
		return err
	}
	audit, err := deadletter.OpenAudit(ctx, c.Cluster, topic)
	if err != nil {
		return err
	}
	defer audit.Close()
	return audit.Read(ctx, func(a deadletter.Audit) {
		if !c.ids[a.ID] || a.ID == "" {
			return
		}
		s := Step{
			At: a.At, What: Replay, Destination: a.Destination, Action: a.Action,
			Detail: fmt.Sprintf("replay %d of dead letter %s is %s, by %s, plan %s", a.Replay, a.ID, a.State, a.By, a.Plan),
		}
		if a.State == deadletter.Dismissed || a.State == deadletter.Reopened {
			s.What, s.Detail = Dismissal, fmt.Sprintf("dead letter %s is %s, by %s: %s", a.ID, a.State, a.By, a.Why)
		}
		c.line.Steps = append(c.line.Steps, s)
	})
}

// triggers tells which actions want an event by the configuration at hand, and
// what they make of it where nothing else is known.
func (c *Collector) triggers(ctx context.Context, e found) {
	if e.replayed {
		return
	}
	for _, d := range c.Destinations {
		wanted := d.Wants(e.value)
		if len(wanted) == 0 {
			c.line.Steps = append(c.line.Steps, Step{At: e.at, What: NotWanted, Destination: d.Name, MessageID: e.MessageID, Detail: "no trigger of the destination wants it"})
		}
		for _, action := range wanted {
			c.line.Steps = append(c.line.Steps, Step{At: e.at, What: Trigger, Destination: d.Name, Action: action, MessageID: e.MessageID, Detail: "the trigger wants it"})
			if !c.told[d.Name+"\x00"+action+"\x00"+e.MessageID] && d.Decide != nil {
				c.line.Steps = append(c.line.Steps, Step{
					At: e.at, What: Decision, Destination: d.Name, Action: action, MessageID: e.MessageID,
					Detail: "nothing else is known of it; the configuration at hand says: " + d.Decide(ctx, e.value, action),
				})
			}
		}
	}
}

// scan calls each for the records of a topic that were written at a time or later,
// several partitions at a time. A topic that isn't there has none.
func (c *Collector) scan(ctx context.Context, since time.Time, topic string, each func(partition int, r *records.Record) error) error {
	spans, err := c.Cluster.Spans(ctx, topic, since)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, span := range spans {
		c.Total.Add(span.End - span.From)
		scanner := records.Scanner{Cluster: c.Cluster, MaxBytes: answer, Passed: func(n int64) { c.Done.Add(n) }}
		g.Go(func() error {
			return scanner.Scan(ctx, span, func(block []records.Record) error {
				for i := range block {
					if err := each(span.Partition, &block[i]); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}
