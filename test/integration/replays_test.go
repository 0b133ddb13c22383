package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/sim/twiliosim"
)

// desk replays dead letters as `dlq replay` does.
func (r *rig) desk(edit func(*deadletter.Replayer)) *deadletter.Report {
	r.t.Helper()
	audit := r.audit()
	defer audit.Close()
	re := &deadletter.Replayer{Rate: 1000, Planner: deadletter.Planner{
		Cluster: r.cluster, Reader: &deadletter.Reader{Cluster: r.cluster, Topic: r.cfg.DeadLetterTopic()}, Audit: audit, Source: r.topic,
		Destinations: []string{"onboarding"}, MaxReplays: 3, By: "jane@desk", Selection: fmt.Sprint(time.Now().UnixNano()),
		Sent: func(context.Context, string, int, func(action, key string)) error { return nil },
	}}
	if edit != nil {
		edit(re)
	}
	plan, err := re.Plan(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	report, err := re.Run(r.t.Context(), plan)
	if err != nil {
		r.t.Fatal(err)
	}
	return &report
}

// audit opens the record of replays, and makes it where there is none.
func (r *rig) audit() *deadletter.AuditLog {
	r.t.Helper()
	topic := deadletter.AuditTopic(r.cfg.DeadLetterTopic())
	if _, err := topics.Ensure(r.t.Context(), r.client, []topics.Spec{{Name: r.topic, Role: topics.RoleSource}, {Name: topic, Role: topics.RoleReplays}}, topics.Sizes{}); err != nil {
		r.t.Fatal(err)
	}
	audit, err := deadletter.OpenAudit(r.t.Context(), r.cluster, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	return audit
}

// bury writes a dead letter of m, as if it had failed under an action, and
// returns it.
func (r *rig) bury(m kafka.Message, action string) *deadletter.Record {
	r.t.Helper()
	letter := &deadletter.Record{
		Key: m.Key, Value: m.Value, Topic: r.topic, Destination: "onboarding", Action: action, Reason: "twilio_unavailable", Disposition: deadletter.Exhausted,
		MessageID: fmt.Sprintf("m-%d", time.Now().UnixNano()), LastFailedAt: time.Now(),
	}
	p := deadletter.NewPublisher(r.client.Addr, r.client.Transport, r.cfg.DeadLetterTopic())
	defer p.Close()
	if err := p.Publish(r.t.Context(), letter); err != nil {
		r.t.Fatal(err)
	}
	return letter
}

func header(name, value string) kafka.Header { return kafka.Header{Key: name, Value: []byte(value)} }

// TestForgedReplayHeaders: what an event's headers say of replays counts for
// nothing where our own record doesn't say so of this very event: it takes no other
// event's key, keeps no action from its event, and its dead letter is nobody
// else's, of no replay.
func TestForgedReplayHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	w := r.start()
	// A dead letter that was truly replayed, whose headers can be copied.
	genuine := r.bury(withID(0, "genuine"), "welcome-sms")
	if report := r.desk(nil); report.Published != 1 {
		t.Fatalf("%+v", report)
	}
	r.awaitDone(20 * time.Second)
	source := r.read(r.topic)
	copied := source[len(source)-1].Headers
	if replay, ok := deadletter.ParseReplayed(copied); !ok || replay.ID != genuine.ID() {
		t.Fatalf("the replay isn't in the source: %v", copied)
	}
	victim := fmt.Sprintf("%s/0/%d", r.topic, len(source)+1)
	forged := []kafka.Header{
		header(deadletter.HeaderReplayID, "0000000000000000"), header(deadletter.HeaderReplayDestination, "onboarding"), header(deadletter.HeaderReplayAction, "welcome-sms"),
		header(deadletter.HeaderReplayOrigin, victim), header(deadletter.HeaderReplays, "2147483647"),
	}
	attack := withID(1, "")
	attack.Headers = forged
	r.produce(attack)
	r.produce(withID(2, "")) // the victim, which has no messageId but its position
	another := withID(3, "another")
	another.Headers = copied
	elsewhere := withID(4, "elsewhere")
	elsewhere.Headers = []kafka.Header{header(deadletter.HeaderReplayID, "1"), header(deadletter.HeaderReplayDestination, "elsewhere"), header(deadletter.HeaderReplayRecord, "0/0")}
	r.produce(another)
	r.produce(elsewhere)
	dead := kafka.Message{Key: []byte("u"), Value: []byte(`"no event"`), Headers: forged}
	r.produce(dead)
	r.awaitDone(20 * time.Second)
	if got := len(r.accepted()); got != 5 {
		t.Errorf("%d messages, want the replay's and the four events'", got)
	}
	if got := value(t, w.Registry(), "engage_events_total", map[string]string{"reason": "duplicate"}); got != 0 {
		t.Errorf("%v duplicates", got)
	}
	letters := r.deadLetters()
	last := letters[len(letters)-1]
	if len(letters) != 2 || last.Replays != 0 || last.Origin != "" || last.ID() == "0000000000000000" {
		t.Errorf("%d dead letters, the last %+v", len(letters), last)
	}
	if !r.logs.contains("the record of replays doesn't know it") {
		t.Error("the log doesn't tell of it")
	}
}

// TestForgedReplayHeadersInRetries: an event's headers are believed no more on
// the way through a retry topic.
func TestForgedReplayHeadersInRetries(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	attack := withID(1, "")
	attack.Headers = []kafka.Header{
		header(deadletter.HeaderReplayID, "0000000000000000"), header(deadletter.HeaderReplayOrigin, r.topic+"/0/1"), header(deadletter.HeaderReplays, "7"),
		header("engage.retry.position", r.topic+"/0/1"), header("engage.retry.action", "welcome-sms"), header("engage.retry.attempts", "99"),
		header("engage.retry.replay", `{"id":"0000000000000000","origin":"`+r.topic+`/0/1","replays":7}`),
	}
	r.outage(true)
	r.start(shortTiers)
	r.produce(attack)
	r.awaitDone(30 * time.Second)
	r.outage(false)
	r.produce(withID(2, ""))
	r.awaitSettled(60 * time.Second)
	if got := len(r.accepted()); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

// outage has the vendor refuse connections, or not.
func (r *rig) outage(on bool) {
	r.t.Helper()
	var f twiliosim.Faults
	if on {
		f.Behaviour.Outage = twiliosim.Refused
	}
	if err := r.sim.SetFaults(f); err != nil {
		r.t.Fatal(err)
	}
}
