package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/sim/scene"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source     = "events"
	dlq        = "events.dlq"
	ledgerName = "events.onboarding.ledger"
	statusName = "events.onboarding.status"
	partitions = 3
)

// rig has the topics of one destination.
type rig struct {
	*scene.Scene
	t testing.TB
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return &rig{scene.New(t, partitions, source, dlq, dlq+".replays", ledgerName, statusName), t}
}

func (r *rig) config() Config {
	return Config{
		Cluster: r.Cluster, DeadLetters: dlq, Every: 10 * time.Millisecond, Log: zerolog.Nop(),
		Destinations: []Destination{{Name: "onboarding", FormerNames: []string{"intro"}, Ledger: ledgerName, Status: statusName}},
	}
}

// run runs a store until the test ends, or stop is called.
func (r *rig) run(cfg Config) (s *Store, stop func()) {
	s = New(cfg)
	return s, r.follow(s)
}

// follow has a store run, likewise.
func (r *rig) follow(s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) }) // which is ctx's error
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	r.t.Cleanup(stop)
	return stop
}

// loaded is run, up to where all is read.
func (r *rig) loaded(cfg Config) *Store {
	r.t.Helper()
	s, _ := r.run(cfg)
	r.await(s, "all is read", func() bool { return s.Progress().Loaded })
	return s
}

// await waits until something holds, looking after each change.
func (r *rig) await(s *Store, what string, holds func() bool) {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		_, changed := s.Changes()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond): // what is no change, such as an error
		case <-deadline:
			r.t.Fatalf("not within 30 s: %s; %+v", what, s.Progress())
		}
	}
}

// letters writes dead letters, each to the partition of its event.
func (r *rig) letters(letters ...*deadletter.Record) {
	r.t.Helper()
	messages := make([]kafka.Message, len(letters))
	for i, l := range letters {
		messages[i] = deadletter.Encode(l)
		messages[i].WriterData = l.Partition
	}
	r.Put(dlq, messages...)
}

// letter is the nth of letters that are like another.
func letter(n int, edits ...func(*deadletter.Record)) *deadletter.Record {
	l := &deadletter.Record{
		Key: fmt.Append(nil, "u", n), Value: fmt.Appendf(nil, `{"messageId":"m%d","userId":"u%d"}`, n, n),
		Topic: source, Partition: n % partitions, Offset: int64(n), Destination: "onboarding", Action: "welcome-sms", Reason: "rate_limited",
		Disposition: deadletter.Exhausted, MessageID: fmt.Sprint("m", n), UserID: fmt.Sprint("u", n), Region: "us-west-2", Recipient: "+15***567",
		Message: "too many requests", TwilioCode: 20429, LastFailedAt: time.Now().Add(-time.Duration(n) * time.Second).UTC().Truncate(time.Millisecond),
	}
	for _, edit := range edits {
		edit(l)
	}
	return l
}

// entry writes what the ledger says of a letter's delivery.
func (r *rig) entry(l *deadletter.Record, e ledger.Entry) {
	r.t.Helper()
	r.Put(ledgerName, kafka.Message{Key: ledger.AppendKey(nil, l.Action, l.IdempotencyKey()), Value: e.AppendValue(nil), WriterData: l.Partition})
}

// said writes what the status topic says of a letter's delivery.
func (r *rig) said(l *deadletter.Record, state status.State, at time.Time, offset int64) {
	r.t.Helper()
	r.Put(statusName, statusOf(l, state, at, offset))
}

func statusOf(l *deadletter.Record, state status.State, at time.Time, offset int64) kafka.Message {
	value := fmt.Sprintf(`{"sid":"SM1","status":%q,"code":0,"to":"+15***567","action":%q,"messageId":%q,"segments":2,"position":"%d/%d","acceptedAt":%q}`,
		state, l.Action, l.MessageID, l.Partition, offset, at.UTC().Format(time.RFC3339))
	return kafka.Message{Key: ledger.AppendKey(nil, l.Action, l.IdempotencyKey()), Value: []byte(value), WriterData: l.Partition}
}

// replayer replays what a filter chooses.
func (r *rig) replayer(f deadletter.Filter, edits ...func(*deadletter.Replayer)) *deadletter.Replayer {
	r.t.Helper()
	audit, err := deadletter.OpenAudit(r.t.Context(), r.Cluster, dlq+".replays")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { audit.Close() })
	p := &deadletter.Replayer{Rate: 10_000, Planner: deadletter.Planner{
		Reader: &deadletter.Reader{Cluster: r.Cluster, Topic: dlq}, Audit: audit, Source: source, Destinations: []string{"onboarding"},
		Filter: f, MaxReplays: 3, By: "jane@desk", Selection: "s", Memory: time.Hour,
		Sources: deadletter.Sources{Cluster: r.Cluster, Ledger: func(string) string { return ledgerName }, Status: func(string) string { return statusName }},
	}}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

// replay replays what a filter chooses, and returns the plan.
func (r *rig) replay(f deadletter.Filter, edits ...func(*deadletter.Replayer)) *deadletter.Plan {
	r.t.Helper()
	p := r.replayer(f, edits...)
	plan, err := p.Plan(r.t.Context(), nil)
	if err == nil {
		_, err = p.Run(r.t.Context(), plan)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return plan
}

// deleteBefore has retention delete what a partition holds before an offset.
func (r *rig) deleteBefore(topic string, partition int, offset int64) {
	r.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = int32(partition), offset
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic, of.Partitions = topic, append(of.Partitions, p)
	req.Topics = append(req.Topics, of)
	r.ask(req)
}

// randomly makes letters of all kinds, and has all sorts of things become of them.
func (r *rig) randomly(rnd *rand.Rand, n int) {
	r.t.Helper()
	one := func(names ...string) string { return names[rnd.IntN(len(names))] }
	var all, again []*deadletter.Record
	now := time.Now()
	for i := range n {
		l := letter(i, func(l *deadletter.Record) {
			l.Destination, l.Action = one("onboarding", "winback", "intro", ""), one("welcome-sms", "wa", "")
			l.Reason, l.Disposition = one("rate_limited", "expired", "opted_out", "brand_new"), deadletter.Disposition(one("exhausted", "permanent", "undelivered", "odd"))
			l.Region, l.UserID = one("us-west-2", "eu", ""), one("", "u"+strconv.Itoa(rnd.IntN(50)))
			l.TwilioCode = []int{0, 20429, 21610, 30003}[rnd.IntN(4)]
			l.LastFailedAt = now.Add(-time.Duration(rnd.IntN(1_000_000)) * time.Millisecond).UTC().Truncate(time.Millisecond)
			l.Message = one("too many requests", "Kein Anschluß", "")
			if rnd.IntN(5) == 0 {
				l.MessageID = ""
			}
		})
		all = append(all, l)
		if rnd.IntN(10) == 0 {
			died := *l
			died.Replays, died.Origin, died.Offset = 1, deadletter.Origin(source, l.Partition, l.Offset), int64(n+i)
			again = append(again, &died)
		}
	}
	r.letters(all...)
	r.replay(deadletter.Filter{Reasons: []string{"expired", "opted_out"}})
	r.letters(again...)
	for _, l := range all {
		switch rnd.IntN(6) {
		case 0:
			r.entry(l, ledger.Entry{State: ledger.Sent, SID: "SM1", Time: now, Position: ledger.Position{Partition: l.Partition, Offset: l.Offset + int64(rnd.IntN(2))}})
		case 1:
			r.entry(l, ledger.Entry{State: ledger.Refused, Time: now, Why: "not_subscribed", Position: ledger.Position{Partition: l.Partition, Offset: 1 << 20}})
		case 2:
			r.said(l, status.States()[rnd.IntN(len(status.States()))], now, l.Offset+int64(rnd.IntN(2)))
		}
	}
}

// ask asks the broker what kafka-go can't.
func (r *rig) ask(req kmsg.Request) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Broker.Brokers()[0])
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		r.t.Fatal(err)
	}
	var size int32
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(size)); err != nil {
		r.t.Fatal(err)
	}
}
