package letters

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"engage-worker/deadletter"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"24h":                       "2026-03-09T12:00:00Z",
		"7d":                        "2026-03-03T12:00:00Z",
		"2w":                        "2026-02-24T12:00:00Z",
		"1h30m":                     "2026-03-10T10:30:00Z",
		"2026-03-01":                "2026-03-01T00:00:00Z",
		"2026-03-01 10:00":          "2026-03-01T10:00:00Z",
		"2026-03-01T10:00:00":       "2026-03-01T10:00:00Z",
		"2026-03-01T10:00:00+02:00": "2026-03-01T08:00:00Z",
		"2026-03-01T10:00:00.5Z":    "2026-03-01T10:00:00.5Z",
	} {
		got, err := ParseTime(in, now, time.UTC)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v (%v), want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1h", "0d", "d", "-3d", "99999999999d", "2026-13-01", "now", "24"} {
		if got, err := ParseTime(in, now, time.UTC); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

func TestOptions(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	berlin, err := ParseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Options{State: []string{"open"}, Reason: []string{"opted_out", "expired"}, Disposition: []string{"permanent"}, Since: "2026-03-01", Until: "1h", Zone: berlin, Code: []int{21610}}.Filter("--", now)
	want := deadletter.Filter{
		States: []deadletter.State{deadletter.StateOpen}, Reasons: []string{"opted_out", "expired"}, Dispositions: []deadletter.Disposition{deadletter.Permanent}, Codes: []int{21610},
		Since: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), Until: now.Add(-time.Hour),
	}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, %v", f, err)
	}
	for want, o := range map[string]Options{
		`--state "opened" is unknown; known are open, replayed, skipped, sent, delivered, failed_again, dismissed`: {State: []string{"opened"}},
		`--disposition "x" is unknown; known are permanent, exhausted, ambiguous, expired, malformed, undelivered`: {Disposition: []string{"x"}},
		"--since must be before --until": {Since: "1h", Until: "2h"},
		`--until: "soon" is no time: write 24h, 7d, 2026-03-01, or 2026-03-01T10:00:00Z`: {Until: "soon"},
	} {
		if _, err := o.Filter("--", now); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := (Options{Reason: []string{"duplicate"}}).Filter("", now); err == nil || !strings.HasPrefix(err.Error(), `reason "duplicate" is unknown; known are malformed_event, `) {
		t.Errorf("a skip's reason: %v", err) // no dead letter has one
	}
	if _, err := ParseZone("Berlin"); err == nil {
		t.Error("Berlin alone is no zone")
	}
}
