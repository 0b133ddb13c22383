package integration

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	neturl "net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/callbacks"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/twiliosim"
)

// quickStatus has Twilio asked soon, and often.
const quickStatus = "status: {sweepAfter: 300ms, giveUpAfter: 1h, rate: 50}\n"

// quickCourse has messages come to their end within a second.
func quickCourse(c twiliosim.Course) twiliosim.Options {
	return twiliosim.Options{SentAfter: 100 * time.Millisecond, DeliveredAfter: 400 * time.Millisecond, Course: c}
}

// statuses are the last records of the status topic, by key.
func (r *rig) statuses() map[string]status.Record {
	r.t.Helper()
	last := map[string]status.Record{}
	for _, m := range r.read(r.cfg.StatusTopic("onboarding")) {
		if m.Value == nil {
			delete(last, string(m.Key))
			continue
		}
		rec, err := status.ParseRecord(m.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		last[string(m.Key)] = rec
	}
	return last
}

// awaitStatuses waits until each accepted message's status is the simulator's.
func (r *rig) awaitStatuses(within time.Duration) {
	r.t.Helper()
	r.await(within, func() error {
		bySID := map[string]status.Record{}
		for _, rec := range r.statuses() {
			bySID[rec.SID] = rec
		}
		missing := 0
		for _, m := range r.accepted() {
			if got := bySID[m.SID]; got.Status.String() != cmp.Or(m.End, "delivered") || got.Code != m.Code {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d messages have another status", missing, len(r.accepted()))
		}
		return nil
	})
}

// undelivered are the ids of the dead letters of messages that failed, each
// once, with their codes by SID.
func (r *rig) undelivered() (codes map[string]int, letters []*deadletter.Record) {
	r.t.Helper()
	codes = map[string]int{}
	seen := map[string]bool{}
	for _, d := range r.deadLetters() {
		if d.Reason != "not_delivered" || seen[d.ID()] {
			continue
		}
		seen[d.ID()] = true
		codes[d.TwilioSID] = d.TwilioCode
		letters = append(letters, d)
	}
	return codes, letters
}

// failures are the codes of the messages that fail at the simulator, by SID.
func (r *rig) failures() map[string]int {
	codes := map[string]int{}
	for _, m := range r.accepted() {
		if m.Code != 0 {
			codes[m.SID] = m.Code
		}
	}
	return codes
}

// TestTheSweepFollowsEachMessageToItsEnd, without anybody calling back, and
// through a change of owners.
func TestTheSweepFollowsEachMessageToItsEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{more: quickStatus, sim: quickCourse(twiliosim.Course{Seed: 3, Failed: 0.1, Undelivered: 0.2, UndeliveredCodes: []int{30003, 30006}})})
	first := r.start()
	events := people(400, "")
	r.produce(events[:200]...)
	r.awaitDone(60 * time.Second)
	second := r.start()
	r.produce(events[200:]...)
	r.awaitDone(60 * time.Second)
	first.stop()
	r.awaitStatuses(60 * time.Second)

	if n := len(r.accepted()); n != 400 {
		t.Errorf("%d messages for 400 events", n)
	}
	codes, letters := r.undelivered()
	if want := r.failures(); !reflect.DeepEqual(codes, want) {
		t.Errorf("dead letters for %d messages, %d failed", len(codes), len(want))
	}
	original := map[string]kafka.Message{}
	for _, m := range r.read(r.topic) {
		original[fmt.Sprint(m.Partition, "/", m.Offset)] = m
	}
	for _, d := range letters {
		m := original[fmt.Sprint(d.Partition, "/", d.Offset)]
		if d.Disposition != deadletter.Undelivered || string(d.Value) != string(m.Value) || string(d.Key) != string(m.Key) || d.MessageID == "" || d.UserID == "" || d.Region != "us-west-2" || d.Action != "welcome-sms" {
			t.Fatalf("a letter %+v of the event %s", d, m.Value)
		}
	}
	for _, rec := range r.statuses() {
		if rec.By != status.BySweep || rec.AcceptedAt.IsZero() || rec.FinalAt.IsZero() || rec.From == "" || rec.To == "" || rec.MessageID == "" || rec.Status == status.Delivered && (rec.SentAt.IsZero() || rec.Segments != 1) {
			t.Fatalf("a record lacks something: %+v", rec)
		}
	}
	if got := value(t, second.Registry(), "engage_messages_pending", nil); got != 0 {
		r.await(5*time.Second, func() error {
			if got := value(t, second.Registry(), "engage_messages_pending", nil); got != 0 {
				return fmt.Errorf("%v pending", got)
			}
			return nil
		})
	}
	second.stop()
	// Nothing is pending: the next owner needn't read anything.
	if got, want := r.committed(r.cfg.StatusTopic("onboarding")), r.ends(r.cfg.StatusTopic("onboarding")); !reflect.DeepEqual(got, want) {
		t.Errorf("committed %v of %v", got, want)
	}
}

// TestCallbacksThatAreLostDoubledShuffledAndForged: with them and the sweep
// each message's status is the simulator's, and no forged one counts.
func TestCallbacksThatAreLostDoubledShuffledAndForged(t *testing.T) {
	t.Parallel()
	const authToken = "0123456789abcdef"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	course := quickCourse(twiliosim.Course{Seed: 5, Failed: 0.1, Undelivered: 0.1, Lost: 0.3, Doubled: 0.7, Shuffled: 0.5, Delay: 300 * time.Millisecond})
	course.AuthToken = authToken
	const key = "0123456789abcdef0123456789abcdef"
	r := newRig(t, settings{sim: course, more: "status: {sweepAfter: 3s, giveUpAfter: 1h, rate: 50}\n" +
		"callbacks: {publicUrl: \"" + url + "\", key: " + key + ", authToken: " + authToken + "}\n"})
	writer := acked.NewWriter(r.client.Addr, r.client.Transport, "")
	t.Cleanup(func() { writer.Close() })
	registry := prometheus.NewRegistry()
	server := &http.Server{Handler: &callbacks.Receiver{
		Keys: callbacks.NewKeys(key), Topics: map[string]string{"onboarding": r.cfg.CallbacksTopic("onboarding")}, PublicURL: url, AuthToken: authToken,
		Writer: writer, Metrics: metrics.New(registry), Log: zerolog.Nop(),
	}}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	w := r.start()
	r.produce(people(200, "")...)
	r.awaitDone(60 * time.Second)
	// Strangers say that all failed: with a path of their own, and with a true one
	// without Twilio's signature.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i, m := range r.accepted() {
		target, _, _ := strings.Cut(m.Value("StatusCallback"), "#")
		want := http.StatusForbidden
		if i%2 == 0 {
			target, want = target[:len(target)-3]+"AAA", http.StatusNotFound
		}
		resp, err := client.PostForm(target, neturl.Values{"MessageSid": {m.SID}, "MessageStatus": {"failed"}, "ErrorCode": {"30007"}})
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %v, %v", target, resp, err)
		}
		resp.Body.Close()
	}
	r.awaitStatuses(60 * time.Second)
	codes, _ := r.undelivered()
	if want := r.failures(); !reflect.DeepEqual(codes, want) {
		t.Errorf("dead letters for %d messages, %d failed", len(codes), len(want))
	}
	by := map[status.Feeder]int{}
	for _, rec := range r.statuses() {
		by[rec.By]++
	}
	if by[status.ByCallback] == 0 || by[status.BySweep] == 0 {
		t.Errorf("told by %v: both should have", by)
	}
	if n := value(t, registry, "engage_callbacks_received_total", map[string]string{"result": "forged"}); n != 200 {
		t.Errorf("%v forged callbacks were refused, of 200", n)
	}
	w.stop()
	client.CloseIdleConnections()
}

// TestTheFleetAsksWithinItsRate: two replicas, which both have messages that have no end, ask
// no faster together than status.rate allows.
func TestTheFleetAsksWithinItsRate(t *testing.T) {
	t.Parallel()
	const perSecond, questions = 10, 40
	r := newRig(t, settings{
		more: fmt.Sprintf("status: {sweepAfter: 100ms, giveUpAfter: 1h, rate: %d}\n", perSecond),
		sim:  twiliosim.Options{SentAfter: time.Hour},
	})
	replicas := []*replica{r.start(), r.start()}
	r.awaitShared(replicas, 3)
	begun := time.Now()
	r.produce(people(60, "")...)
	r.awaitDone(60 * time.Second)
	asked := func() int {
		stats := r.sim.Stats()
		return int(stats.Lists + stats.Fetches)
	}
	r.await(60*time.Second, func() error {
		if n := asked(); n < questions {
			return fmt.Errorf("%d questions", n)
		}
		return nil
	})
	n := asked()
	if most := int(perSecond * (time.Since(begun).Seconds() + 1)); n > most {
		t.Errorf("%d questions in %v: the fleet may ask %d times a second", n, time.Since(begun), perSecond)
	}
	for i, w := range replicas {
		if value(t, w.Registry(), "engage_status_requests_total", nil) == 0 {
			t.Errorf("replica %d asked nothing", i+1)
		}
	}
}

// TestABacklogHidesNoEnds: while messages always wait for the region, the ends of those that
// were sent are known all the same.
func TestABacklogHidesNoEnds(t *testing.T) {
	t.Parallel()
	const events = 1200
	r := newRig(t, settings{
		more: quickStatus, sim: quickCourse(twiliosim.Course{Seed: 7, Undelivered: 0.2}),
		regions: "  us-west-2: {rate: 8, maxInFlight: 64}\n",
	})
	w := r.start()
	r.produce(people(events, "")...)
	r.await(120*time.Second, func() error {
		delivered := value(t, w.Registry(), "engage_messages_total", map[string]string{"status": "delivered"})
		failed := value(t, w.Registry(), "engage_messages_failed_total", nil)
		if delivered < 20 || failed == 0 {
			return fmt.Errorf("%v delivered and %v failed of %d messages", delivered, failed, r.sim.Stats().Accepted)
		}
		return nil
	})
	if n := r.sim.Stats().Accepted; n == events {
		t.Errorf("no backlog was left: %d messages", n)
	}
}
