package integration

import (
	"cmp"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
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
	r.awaitDone(20 * time.Second)
	second := r.start()
	r.produce(events[200:]...)
	r.awaitDone(20 * time.Second)
	first.stop()
	r.awaitStatuses(30 * time.Second)

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
