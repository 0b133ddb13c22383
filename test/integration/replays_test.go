package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
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
		Sources: deadletter.Sources{Cluster: r.cluster, Ledger: r.cfg.LedgerTopic, Status: r.cfg.StatusTopic}, Reader: &deadletter.Reader{Cluster: r.cluster, Topic: r.cfg.DeadLetterTopic()}, Audit: audit, Source: r.topic,
		Destinations: []string{"onboarding"}, MaxReplays: 3, By: "jane@desk", Selection: fmt.Sprint(time.Now().UnixNano()),
		Memory: 7 * 24 * time.Hour,
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

// letterOf writes a dead letter of the source's record at an offset.
func (r *rig) letterOf(m kafka.Message, edit func(*deadletter.Record)) {
	r.t.Helper()
	letter := &deadletter.Record{
		Key: m.Key, Value: m.Value, Topic: r.topic, Partition: m.Partition, Offset: m.Offset, Timestamp: m.Time, Destination: "onboarding", Action: "welcome-sms",
		MessageID: "m-7", LastFailedAt: time.Now(),
	}
	edit(letter)
	p := deadletter.NewPublisher(r.client.Addr, r.client.Transport, r.cfg.DeadLetterTopic())
	defer p.Close()
	if err := p.Publish(r.t.Context(), letter); err != nil {
		r.t.Fatal(err)
	}
}

// TestTheUndeliveredIsSentOnceMore: with --undelivered, and then only once, also
// when the replay's record comes twice and when its owner is gone in between.
func TestTheUndeliveredIsSentOnceMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	w := r.start()
	r.produce(withID(0, "m-7"))
	r.awaitDone(20 * time.Second)
	sent := r.accepted()
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	r.letterOf(r.read(r.topic)[0], func(l *deadletter.Record) {
		l.Reason, l.Disposition, l.TwilioCode, l.TwilioSID = "not_delivered", deadletter.Undelivered, 30003, sent[0].SID
	})
	if report := r.desk(nil); report.Published != 0 {
		t.Errorf("replayed without being asked to: %+v", report)
	}
	if report := r.desk(func(re *deadletter.Replayer) { re.Undelivered = true }); report.Published != 1 {
		t.Fatalf("%+v", report)
	}
	r.awaitDone(20 * time.Second)
	if got := len(r.accepted()); got != 2 {
		t.Fatalf("%d messages, want one more", got)
	}
	w.stop()
	source := r.read(r.topic)
	copied := source[len(source)-1]
	r.produce(kafka.Message{Key: copied.Key, Value: copied.Value, Headers: copied.Headers}, withID(0, "m-7"))
	r.start()
	r.awaitDone(20 * time.Second)
	if report := r.desk(func(re *deadletter.Replayer) { re.Undelivered = true }); report.Published != 0 {
		t.Errorf("replayed twice: %+v", report)
	}
	if got := len(r.accepted()); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

// TestTheUndeliveredThatIsSkipped: where the configuration doesn't want the event
// any more, the letter knows that its replay came to nothing, and why; the
// ledger goes on saying that it was sent, so that nothing else sends it.
func TestTheUndeliveredThatIsSkipped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, to, why string }{
		{"the trigger", "type: sendSms", "type: sendSms\n        trigger: event = \"Another\"", "no_match"},
		{"the mapping", "from: MG", "send: false\n          from: MG", "send_disabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{partitions: 1})
			w := r.start()
			r.produce(withID(0, "m-7"))
			r.awaitDone(20 * time.Second)
			sid := r.accepted()[0].SID
			r.letterOf(r.read(r.topic)[0], func(l *deadletter.Record) {
				l.Reason, l.Disposition, l.TwilioCode, l.TwilioSID = "not_delivered", deadletter.Undelivered, 30003, sid
			})
			w.stop()
			before := r.text()
			r.change(c.from, c.to)
			w = r.start()
			if report := r.desk(func(re *deadletter.Replayer) { re.Undelivered = true }); report.Published != 1 {
				t.Fatalf("%+v", report)
			}
			r.awaitDone(20 * time.Second)
			if state, why := r.stateOf(r.deadLetters()[0]); state != deadletter.StateSkipped || why != c.why {
				t.Errorf("the letter is %s, %q, want skipped, %q", state, why, c.why)
			}
			w.stop()
			r.configure(before) // as it was
			r.start()
			r.produce(withID(0, "m-7"))
			r.awaitDone(20 * time.Second)
			if got := len(r.accepted()); got != 1 {
				t.Fatalf("%d messages: the event came again, and what was sent counts", got)
			}
			if report := r.desk(func(re *deadletter.Replayer) { re.Undelivered, re.Again = true, true }); report.Published != 1 {
				t.Fatalf("again: %+v", report)
			}
			r.awaitDone(20 * time.Second)
			if state, _ := r.stateOf(r.deadLetters()[0]); state != deadletter.StateSent && state != deadletter.StateDelivered || len(r.accepted()) != 2 {
				t.Errorf("again: the letter is %s, %d messages", state, len(r.accepted()))
			}
		})
	}
}

// stateOf is what became of a letter.
func (r *rig) stateOf(letter *deadletter.Record) (state deadletter.State, why string) {
	r.t.Helper()
	states := deadletter.NewStates(nil)
	states.Add(letter)
	if err := states.Learn(r.t.Context(), deadletter.Sources{
		Cluster: r.cluster, Replays: deadletter.AuditTopic(r.cfg.DeadLetterTopic()), Ledger: r.cfg.LedgerTopic, Status: r.cfg.StatusTopic,
	}, nil); err != nil {
		r.t.Fatal(err)
	}
	return states.Of(letter)
}

// TestTwilioKnowsWhatTheLedgerForgot: a replay of what may have been sent asks
// Twilio with what its letter knows, once the ledger has forgotten the attempt.
func TestTwilioKnowsWhatTheLedgerForgot(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	w := r.start()
	r.produce(withID(0, "m-7"))
	r.awaitDone(20 * time.Second)
	w.stop()
	var doubt string
	for _, m := range r.read(r.cfg.LedgerTopic("onboarding")) {
		if e, err := ledger.ParseEntry(m.Value); err == nil && e.State == ledger.Intent {
			doubt = string(e.AppendValue(nil))
		}
	}
	source := r.read(r.topic)[0]
	for _, topic := range []string{r.cfg.LedgerTopic("onboarding"), r.cfg.StatusTopic("onboarding")} {
		if _, err := r.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{topic}}); err != nil {
			t.Fatal(err)
		}
	}
	r.await(20*time.Second, func() error {
		_, err := topics.Ensure(t.Context(), r.client, topics.Of(r.cfg), topics.Sizes{})
		if n, _ := r.cluster.Count(t.Context(), r.cfg.LedgerTopic("onboarding")); len(n) == 0 {
			return fmt.Errorf("no ledger: %w", err)
		}
		return nil
	})
	r.letterOf(source, func(l *deadletter.Record) {
		l.Reason, l.Disposition, l.Doubt = "outcome_unknown", deadletter.Ambiguous, doubt
	})
	w = r.start()
	if report := r.desk(func(re *deadletter.Replayer) { re.Ambiguous = true }); report.Published != 1 {
		t.Fatalf("%+v", report)
	}
	r.awaitSettled(60 * time.Second)
	if got := len(r.accepted()); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
	if got := value(t, w.Registry(), "engage_reconciliations_total", map[string]string{"result": "sent"}); got != 1 {
		t.Errorf("%v were found in Twilio's list, want 1", got)
	}
}
