package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// setClocks lets the clock of each replica be set.
var setClocks = &overlay{clockOverlay}

// clockVariable says by how many seconds the clock of a program is ahead that
// is built with clockOverlay.
const clockVariable = "ENGAGE_TEST_CLOCK"

// clockOverlay writes, for go build -overlay, a package time whose wall clock
// is off by what clockVariable says, in the whole program with its libraries.
// The monotonic clock is as it is. Nothing of it is in the worker's own source.
func clockOverlay(ctx context.Context, dir string) (file string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the standard library: %w", err)
	}
	library := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", err
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(original, []byte(now)) != 1 {
		return "", errors.New("time.Now isn't as it was known: the clock can't be set")
	}
	off := `package time

import "syscall"

var testClock = func() int64 {
	text, _ := syscall.Getenv("` + clockVariable + `")
	seconds, _ := atoi(text)
	return int64(seconds)
}()
`
	for name, text := range map[string]string{
		"time.go":      strings.Replace(string(original), now, now+"\tsec += testClock\n", 1),
		"testclock.go": off,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return writeOverlay(dir, map[string]string{
		filepath.Join(library, "time.go"):      filepath.Join(dir, "time.go"),
		filepath.Join(library, "testclock.go"): filepath.Join(dir, "testclock.go"),
	})
}

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
