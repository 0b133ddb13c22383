package deadletter

import (
	"strings"
	"testing"
)

// TestEventKey: no messageId takes the key of an event without one, of a very
// long one, or of an odd one.
func TestEventKey(t *testing.T) {
	odd := func(id string) bool { return strings.HasPrefix(EventKey(id, "events/0/5"), "\x00") }
	for id, want := range map[string]bool{
		"m-1": false, "events/0": false, "0/5": false, "/0/5": true, "events/0/5": true, "a/b/events/12/0005": true,
		"events/0/5/": false, "events/0/5x": false, "events/-1/5": false, "events//5": false, "events/0/": false,
		"sha256:": true, "sha256:" + strings.Repeat("0", 64): true, "SHA256:x": false, "\x00": true, "\x00" + strings.Repeat("0", 64): true,
		strings.Repeat("x", 300) + "/0/5": true,
	} {
		if odd(id) != want || OddMessageID(id) != want {
			t.Errorf("%q is odd: %t, %t; want %t", id, odd(id), OddMessageID(id), want)
		}
	}
	const position = "events/0/5"
	if got := EventKey("", position); got != position {
		t.Errorf("without a messageId: %q", got)
	}
	if got := EventKey("m-1", position); got != "m-1" {
		t.Errorf("with one: %q", got)
	}
	key := EventKey(position, position)
	if again := EventKey(key, position); again == key || EventKey(position, "") != key {
		t.Errorf("%q, and of that %q", key, again)
	}
	spelt := Record{Destination: "d", Action: "a", MessageID: position, Topic: "events", Offset: 9}
	without := Record{Destination: "d", Action: "a", Topic: "events", Offset: 5}
	if spelt.ID() == without.ID() {
		t.Error("the dead letters have the same id")
	}
}
