package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// shortLived is a configuration by which events expire soon.
func shortLived(text string) string {
	return strings.Replace(text, "delivery:\n", "delivery:\n  maxEventAge: 5m\n", 1)
}

// clocks has replicas with wrong clocks beside one whose clock is right.
func clocks(r *run) {
	off := func(d time.Duration) *replica {
		w := r.startOf(r.program, fmt.Sprintf("%s=%d", clockVariable, int(d.Seconds())))
		r.expect("a replica with a wrong clock that says so", r.tellsTime(w, d))
		return w
	}
	listless := ambiguous
	listless.AcceptedThen500, listless.ListErrors = 0.1, 1
	for range 2 {
		wrong := []*replica{off(10 * time.Minute), off(-10 * time.Minute)}
		r.pause(8 * time.Second)
		r.during("has no list", listless, 3*time.Second)
		for _, w := range wrong {
			r.endToEnd(w)
		}
		for _, w := range wrong {
			r.kill(w)
		}
		r.during("as before", ambiguous, 8*time.Second)
	}
	far := off(2 * time.Hour)
	r.pause(3 * time.Second)
	r.stop(far)
	r.pause(2 * time.Second)
}

var (
	// The embedded broker dates no records, so that it tells no time.
	skewLine = regexp.MustCompile(`(?m)^engage_clock_skew_seconds\{against="(\w+)"\} (\S+)$`)
	sumLine  = regexp.MustCompile(`(?m)^engage_end_to_end_seconds_sum\{.*\} (\S+)$`)
)

// tellsTime checks that a replica shows by how much its clock is ahead, and
// isn't ready for it.
func (r *run) tellsTime(w *replica, ahead time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := r.unready(w, "clock")(ctx); err != nil {
			return err
		}
		_, page, err := w.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		told := 0
		for _, shown := range skewLine.FindAllStringSubmatch(page, -1) {
			if shown[1] == "broker" && r.broker.real == nil {
				continue
			}
			told++
			if seconds, err := strconv.ParseFloat(shown[2], 64); err != nil || seconds < ahead.Seconds()-5 || seconds > ahead.Seconds()+5 {
				return fmt.Errorf("%s: its clock is shown as %s s ahead of the %s's, want %v", w.name, shown[2], shown[1], ahead)
			}
		}
		if told == 0 || r.broker.real != nil && told == 1 {
			return fmt.Errorf("%s shows nothing of its clock against all that tell the time", w.name)
		}
		return nil
	}
}

// endToEnd checks that what a replica shows of its messages' ages is no more
// than they can be, and not negative.
func (r *run) endToEnd(w *replica) {
	_, page, err := w.get(r.ctx, "/metrics")
	must(err)
	for _, sum := range sumLine.FindAllStringSubmatch(page, -1) {
		seconds, err := strconv.ParseFloat(sum[1], 64)
		if most := float64(r.vendor.accepted()) * 60; err != nil || seconds < 0 || seconds > most {
			r.fail(fmt.Errorf("%s: engage_end_to_end_seconds_sum is %s, want 0 to %.0f", w.name, sum[1], most))
		}
	}
}
