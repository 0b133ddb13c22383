package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

const statusTopic, callbacksTopic = "events.d.status", "events.d.callbacks"

// eventually waits until check is content.
func (r *rig) eventually(what string, check func() error) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %v", what, err)
		}
	}
}

// awaitState waits until a member is in a state, whenever it came to it.
func (r *rig) awaitState(g *Group, want State) {
	r.t.Helper()
	r.eventually("the member's state", func() error {
		is := g.State()
		if is.Since = (time.Time{}); is != want {
			return fmt.Errorf("%+v, want %+v", is, want)
		}
		return nil
	})
}

// awaitSent waits until just these messages were sent, each once.
func (r *rig) awaitSent(ids ...string) {
	r.t.Helper()
	want := map[string]int{}
	for _, id := range ids {
		want[id] = 1
	}
	r.eventually("what is sent", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if fmt.Sprint(r.sent) != fmt.Sprint(want) {
			return fmt.Errorf("%v, want %v", r.sent, want)
		}
		return nil
	})
}

// TestWhatBecomesOfMessages: Twilio's callbacks and its answers get into the status
// topic, and who has the shards next goes on from there.
func TestWhatBecomesOfMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, topic := range []string{statusTopic, callbacksTopic} {
		if err := r.broker.CreateTopic(topic, shards, nil); err != nil {
			t.Fatal(err)
		}
	}
	r.asked = func(sid string) (twilio.Report, error) {
		switch sid {
		case "SMasked":
			return twilio.Report{SID: sid, Status: "undelivered", Code: 30003, Updated: time.Now()}, nil
		default: // on its way
			return twilio.Report{SID: sid, Status: "sent", Updated: time.Now()}, nil
		}
	}
	member := func() *Group {
		return r.group(zerolog.Nop(), func(c *Config, p *Parts) {
			c.Topics.Status, c.Topics.Callbacks = statusTopic, callbacksTopic
			c.StatusSweepAfter, c.StatusGiveUpAfter = 100*time.Millisecond, time.Hour
			p.Pending = status.NewRoom(1000)
		})
	}
	first := r.run(member())
	defer first()
	for i, id := range []string{"told", "asked", "later"} {
		r.write(source, i%shards, kafka.Message{Value: event(id)})
	}
	r.awaitSent("told", "asked", "later")
	told := func(id string, partition int) {
		r.write(callbacksTopic, partition, kafka.Message{Key: ledger.AppendKey(nil, "sms", id), Value: fmt.Appendf(nil, `{"MessageSid":"SM%s","MessageStatus":"delivered","NumSegments":"2"}`, id)})
	}
	r.write(callbacksTopic, 0, kafka.Message{Value: []byte("no callback")})
	told("told", 0)
	r.awaitStatuses(map[string]status.Record{
		"told":  {Status: status.Delivered, By: status.ByCallback, Segments: 2},
		"asked": {Status: status.Undelivered, Code: 30003, By: status.BySweep},
		"later": {Status: status.Sent, By: status.BySweep},
	})
	r.eventually("where the next owner begins", func() error {
		// What can't be known of yet is read again: that is no more than the last of each.
		if at := r.committed(callbacksTopic); len(at) != shards || at[0] != 2 {
			return fmt.Errorf("the callbacks are committed up to %v", at)
		}
		return nil
	})
	first()

	second := r.run(member())
	defer second()
	told("later", 0)
	r.awaitStatuses(map[string]status.Record{
		"told":  {Status: status.Delivered, By: status.ByCallback, Segments: 2},
		"asked": {Status: status.Undelivered, Code: 30003, By: status.BySweep},
		"later": {Status: status.Delivered, By: status.ByCallback, Segments: 2},
	})
	r.awaitSent("told", "asked", "later")
}

// awaitStatuses waits until the status topic says this last, by messageId.
func (r *rig) awaitStatuses(want map[string]status.Record) {
	r.t.Helper()
	r.eventually("the statuses", func() error {
		last := map[string]status.Record{}
		for p := range shards {
			r.read(statusTopic, p, func(rec *records.Record) {
				var s status.Record
				if err := json.Unmarshal(rec.Value, &s); err != nil {
					r.t.Fatal(err)
				}
				last[s.MessageID] = status.Record{Status: s.Status, Code: s.Code, By: s.By, Segments: s.Segments}
			})
		}
		if fmt.Sprint(last) != fmt.Sprint(want) {
			return fmt.Errorf("%+v, want %+v", last, want)
		}
		return nil
	})
}

// read calls each for the records of a partition.
func (r *rig) read(topic string, partition int, each func(*records.Record)) {
	r.t.Helper()
	first, end, err := r.cluster.Bounds(r.t.Context(), topic, partition)
	if err == nil && end > first {
		scanner := records.Scanner{Cluster: r.cluster, MaxBytes: 1 << 20}
		err = scanner.Scan(r.t.Context(), records.Span{Topic: topic, Partition: partition, From: first, End: end}, func(block []records.Record) error {
			for i := range block {
				each(&block[i])
			}
			return nil
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestStatusesWaitTheirTurn: what is to be sent goes first, and an account that is
// refused isn't asked.
func TestStatusesWaitTheirTurn(t *testing.T) {
	t.Parallel()
	m := metrics.New(prometheus.NewRegistry())
	gates := ratelimit.NewGates(map[string]ratelimit.Config{
		StatusRate: {Rate: 1000, Burst: 1000, MaxInFlight: 10}, "region": {Rate: 1000, Burst: 1000, MaxInFlight: 1},
	}, ratelimit.Config{Rate: 1, MaxInFlight: 1}, m, zerolog.Nop())
	gates.SetParts(func(string) []ratelimit.Part {
		return []ratelimit.Part{{From: 0, To: 1, Until: time.Now().Add(time.Hour)}}
	}, true)
	doors := ratelimit.NewDoors(m, zerolog.Nop())
	asking := turns{"d", gates, doors}
	sending, err := gates.Get("region").Acquire(t.Context(), ratelimit.Request{Flow: "sms"})
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 3*busyPause)
	defer cancel()
	if _, err := asking.Take(soon, "region"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a message that is being sent: %v", err)
	}
	sending.Done(ratelimit.Verdict{Kind: ratelimit.Delivered})
	turn, err := asking.Take(t.Context(), "region")
	if err != nil {
		t.Fatal(err)
	}
	if !turn.Start() {
		t.Error("the turn is no turn")
	}
	turn.Done(ratelimit.Verdict{Kind: ratelimit.Delivered})
	pass, err := doors.Enter(t.Context(), ratelimit.Sender{Destination: "d"})
	if err != nil {
		t.Fatal(err)
	}
	pass.Done(ratelimit.AccountRefused, "", ratelimit.Refusal{Code: 20003, Message: "Authenticate"})
	var closed *ratelimit.ClosedError
	if _, err := asking.Take(t.Context(), "region"); !errors.As(err, &closed) {
		t.Errorf("of an account that is refused: %v", err)
	}
}

// TestAGroupGoesOnForAnother: it waits for the other's members, begins where that
// one stopped, and knows what that one sent.
func TestAGroupGoesOnForAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	former := r.group(zerolog.Nop(), func(c *Config, _ *Parts) { c.GroupID = "former" })
	stopFormer := r.run(former)
	defer stopFormer()
	r.write(source, 0, kafka.Message{Value: event("a")})
	r.awaitSent("a")
	r.awaitState(former, State{Joined: true, Owned: shards})
	var logged lockedBuffer
	next := r.group(zerolog.New(&logged), func(c *Config, _ *Parts) {
		c.Adopted, c.StartEarliest, c.QuietLedger = []string{"former"}, false, time.Minute
	})
	stop := r.run(next)
	defer stop()
	r.eventually("why it waits", func() error {
		if text := logged.String(); !strings.Contains(text, `"group":"former","members":1`) {
			return errors.New(text)
		}
		return nil
	})
	if s := next.State(); s.Joined || !s.Since.IsZero() {
		t.Errorf("while the other has members: %+v", s)
	}
	stopFormer()
	r.write(source, 0, kafka.Message{Value: event("b")}) // which the former left, and latest would pass over
	r.write(source, 1, kafka.Message{Value: event("c")})
	r.write(source, 0, kafka.Message{Value: event("a")})
	r.awaitSent("a", "b", "c")
	r.await(source)
	r.awaitSent("a", "b", "c")
	r.awaitState(next, State{Joined: true, Owned: shards})
}

// TestAnotherGroupInTheLedger: nothing is sent while it may be at work, and then all.
func TestAnotherGroupInTheLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const quiet = 2 * time.Second
	for p := range shards {
		r.write(source, p, kafka.Message{Value: event(fmt.Sprint("a", p))})
	}
	first := r.run(r.group(zerolog.Nop(), nil))
	defer first()
	r.await(source)
	first()
	for p := range shards { // long ago, by its clock
		r.write(ledgerTopic, p, kafka.Message{Key: ledger.AppendKey(nil, "sms", fmt.Sprint("b", p)), Value: fmt.Appendf(nil, "1 sent %d 1/0 1 SM9 @other", time.Now().Add(-time.Hour).UnixMilli())})
	}
	r.write(source, 1, kafka.Message{Value: event("b1")})
	var logged lockedBuffer
	g := r.group(zerolog.New(&logged), func(c *Config, _ *Parts) { c.QuietLedger = quiet })
	stop := r.run(g)
	defer stop()
	r.awaitState(g, State{Joined: true, Owned: shards, Usurper: "other"})
	r.awaitSent("a0", "a1")
	r.awaitState(g, State{Joined: true, Owned: shards})
	r.awaitSent("a0", "a1", "b1") // what another group says of it settles nothing
	for _, line := range []string{UsurperAdvice, "the ledger is this group's alone again"} {
		if n := strings.Count(logged.String(), line); n != 1 {
			t.Errorf("%d times in the log: %s", n, line)
		}
	}
}

// TestShardsMove: who joins takes its part, and who leaves gives it back; nothing
// is sent twice or left out.
func TestShardsMove(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	send := func(step string) {
		t.Helper()
		for p := range shards {
			id := fmt.Sprint(step, p)
			want = append(want, id)
			r.write(source, p, kafka.Message{Value: event(id)})
			r.write(source, p, kafka.Message{Value: event(fmt.Sprint("alone", p))}) // once more
		}
		r.await(source)
		r.awaitSent(want...)
	}
	first := r.group(zerolog.Nop(), nil)
	stopFirst := r.run(first)
	defer stopFirst()
	r.awaitState(first, State{Joined: true, Owned: shards})
	send("alone")
	second := r.group(zerolog.Nop(), nil)
	stopSecond := r.run(second)
	defer stopSecond()
	r.awaitState(first, State{Joined: true, Owned: 1})
	r.awaitState(second, State{Joined: true, Owned: 1})
	send("both")
	if n := len(first.ledgers); n != 1 {
		t.Errorf("it remembers %d ledgers, and owns one", n)
	}
	stopFirst()
	r.awaitState(second, State{Joined: true, Owned: shards})
	send("other")
}

// TestWhatTheCoordinatorRefuses is tried again, and nothing is sent twice for it.
func TestWhatTheCoordinatorRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault kfake.Fault
		line  string // of the log; "" for none
	}{
		{"joining", kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, Count: 2}, "the consumer group can't be joined; trying again"},
		{"the offsets of before", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.CoordinatorLoadInProgress, Count: 2}, ""},
		{"where it begins", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: 3}, "the generation can't begin; joining again"},
		{"telling of the members", kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Err: kerr.GroupAuthorizationFailed, Count: -1}, "it can't be seen what other replicas are configured for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			var logged lockedBuffer
			g := r.group(zerolog.New(&logged), func(cfg *Config, _ *Parts) { cfg.Fingerprint = 1 })
			for i := range 10 {
				r.write(source, i%shards, kafka.Message{Value: event(fmt.Sprint("m", i))})
			}
			r.broker.Fault(c.fault)
			stop := r.run(g)
			defer stop()
			var ids []string
			for i := range 10 {
				ids = append(ids, fmt.Sprint("m", i))
			}
			slices.Sort(ids)
			r.awaitSent(ids...)
			r.await(source)
			r.awaitSent(ids...)
			if !strings.Contains(logged.String(), c.line) {
				t.Errorf("the log doesn't say %q: %s", c.line, logged.String())
			}
		})
	}
}

// TestACommitThatIsRefused: the member has lost its shards, and takes them anew.
func TestACommitThatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var logged lockedBuffer
	g := r.group(zerolog.New(&logged), nil)
	stop := r.run(g)
	defer stop()
	r.write(source, 0, kafka.Message{Value: event("a")})
	r.await(source)
	r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: 1})
	r.eventually("the shards are assigned anew", func() error {
		if n := strings.Count(logged.String(), "shards assigned"); n < 2 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	r.write(source, 0, kafka.Message{Value: event("a")})
	r.write(source, 1, kafka.Message{Value: event("b")})
	r.await(source)
	r.awaitSent("a", "b")
	if !strings.Contains(logged.String(), "a commit failed; sending goes on only while the lease lasts") {
		t.Error(logged.String())
	}
}

// TestAMemberThatNeverBegan leaves as it came.
func TestAMemberThatNeverBegan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, adopted := range [][]string{nil, {"former"}} {
		g := r.group(zerolog.Nop(), func(c *Config, _ *Parts) { c.Adopted = adopted })
		if err := g.Run(ctx); err != nil {
			t.Errorf("adopting %q: %v", adopted, err)
		}
		if s := g.State(); s.Joined || s.Owned > 0 {
			t.Errorf("adopting %q: %+v", adopted, s)
		}
	}
}
