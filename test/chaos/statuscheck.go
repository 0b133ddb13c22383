package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/test/chaos/evidence"
)

// collectStatuses reads a destination's status topic.
func (r *run) collectStatuses(ctx context.Context, h *evidence.History, destination string) error {
	var errs []error
	err := r.read(ctx, r.cfg.StatusTopic(destination), func(m kafka.Message) {
		if m.Value == nil {
			return
		}
		rec, err := status.ParseRecord(m.Value)
		errs = append(errs, err)
		h.Statuses = append(h.Statuses, evidence.Status{SID: rec.SID, Status: rec.Status.String(), Code: rec.Code, By: string(rec.By), Place: place(m)})
	})
	return errors.Join(append(errs, err)...)
}

// collectDead reads the dead letters.
func (r *run) collectDead(ctx context.Context, h *evidence.History) error {
	var errs []error
	err := r.read(ctx, r.cfg.DeadLetterTopic(), func(m kafka.Message) {
		d, err := deadletter.Decode(m)
		if err != nil {
			errs = append(errs, err)
			return
		}
		h.Dead = append(h.Dead, evidence.Dead{
			Ref: evidence.RefOf(m.Value), At: m.Time, ID: d.ID(), Action: d.Action, Reason: d.Reason, Message: d.Message,
			SID: d.TwilioSID, Code: d.TwilioCode, Replays: d.Replays, Place: place(m),
		})
	})
	return errors.Join(append(errs, err)...)
}

// measureStatus judges the statuses, and tells who told of them.
func measureStatus(r *run, h *evidence.History) (grades, faults []string) {
	faults = evidence.CheckStatuses(h)
	by, failed, letters, replays := map[string]int{}, 0, map[evidence.Letter]bool{}, map[string]bool{}
	for _, s := range h.LastStatuses() {
		by[s.By]++
	}
	for _, m := range h.Messages {
		if m.Code != 0 {
			failed++
		}
	}
	for _, d := range h.Dead {
		if d.Reason == evidence.NotDelivered {
			letters[evidence.Letter{ID: d.ID, Replays: d.Replays}] = true
		}
	}
	for _, rec := range h.Records {
		replays[rec.Replay] = true
	}
	delete(replays, "") // what is no replay
	calls := r.vendor.sim.Stats().Callbacks
	grades = append(grades,
		fmt.Sprintf("%d messages: the last status told by callbacks of %d, by Twilio's answer of %d; %d failed, %d dead letters; %d replays",
			len(h.Messages), by["callback"], by["sweep"], failed, len(letters), len(replays)))
	if len(replays) == 0 {
		faults = append(faults, "nothing was replayed")
	}
	if r.front == nil {
		if by["sweep"] != len(h.Messages) {
			faults = append(faults, fmt.Sprintf("told by %v, without a receiver", by))
		}
		return grades, faults
	}
	grades = append(grades, fmt.Sprintf("callbacks: %d answered, %d lost on the way, %d given up by Twilio; forged ones: %d refused, %d met no receiver",
		calls.Answered, calls.Lost, calls.Failed, r.forged.refused, r.forged.other))
	if by["callback"] == 0 || by["sweep"] == 0 || calls.Failed == 0 || r.forged.refused < 100 {
		faults = append(faults, "that shows nothing: "+grades[0]+"; "+grades[1])
	}
	return grades, faults
}
