package ledger

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestWhatAnEntrySaysBesides: a refusal says why, and an intent what it may be sent after; earlier versions
// read neither, and the rest as before.
func TestWhatAnEntrySaysBesides(t *testing.T) {
	at := time.UnixMilli(1732390000123)
	for text, want := range map[string]Entry{
		"1 refused 1732390000123 3/12 7  !no_match":            {State: Refused, Time: at, Position: Position{3, 12}, Generation: 7, Why: "no_match"},
		"1 intent 1732390000123 3/12 7 ~1/2 >3/4/SM1":          {State: Intent, Time: at, Position: Position{3, 12}, Generation: 7, Tags: Tags{1, 2}, Past: Past{Position{3, 4}, "SM1"}},
		"1 intent 1732390000123 3/12 7  >3/4/":                 {State: Intent, Time: at, Position: Position{3, 12}, Generation: 7, Past: Past{Position: Position{3, 4}}},
		"1 intent 1732390000123 3/12 7 ~1/2 =1/1/2/3/4/5/6000": {State: Intent, Time: at, Position: Position{3, 12}, Generation: 7, Tags: Tags{1, 2}, Made: Made{1, 2, 3, 4, 5, 6 * time.Second}},
	} {
		got, err := ParseEntry([]byte(text))
		if err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", text, got, err, want)
		}
		if back := string(want.AppendValue(nil)); back != text {
			t.Errorf("%q, want %q", back, text)
		}
	}
	if got, err := ParseEntry([]byte("1 intent 1732390000123 3/12 7  >x/4/SM1")); err != nil || got.Past != (Past{}) {
		t.Errorf("%+v %v", got, err)
	}
}

// TestBeside: what is noted beside a delivery has a key that no delivery has, and
// that tells which one's it is.
func TestBeside(t *testing.T) {
	for _, id := range []string{"m-1", "events/3/12", "\x00" + strings.Repeat("0f", 32), strings.Repeat("x", maxKey+1), "a\x00replay/b"} {
		own := AppendKey(nil, "welcome-sms", id)
		beside := Beside(own)
		if of, ok := BesideOf(beside); !ok || !bytes.Equal(of, own) {
			t.Errorf("%q is beside %q", beside, of)
		}
		if of, ok := BesideOf(own); ok {
			t.Errorf("the delivery %q is taken for one beside %q", own, of)
		}
	}
}

// TestASentMayBePassedOnce: what was sent and didn't arrive may be sent once more,
// by the replay that names it. What that one sends is sent for good, and the
// former SID stays claimed.
func TestASentMayBePassedOnce(t *testing.T) {
	now := time.Now()
	x := newIndex(time.Hour)
	k := x.keys.of([]byte("k"))
	sent := Entry{State: Sent, SID: "SM1", Time: now, Generation: 1, Position: Position{0, 5}}
	again := Entry{State: Intent, Time: now.Add(time.Second), Generation: 1, Position: Position{0, 9}, Past: Past{Position{0, 5}, "SM1"}}
	other := again
	other.Past.Position.Offset = 4
	x.put(k, sent, now)
	if x.put(k, other, now) {
		t.Error("an intent to pass another one counts")
	}
	if !x.put(k, again, now) {
		t.Fatal("the intent that may pass it doesn't count")
	}
	if e, _ := x.get(k); e.State != Intent || e.Past != again.Past {
		t.Errorf("%+v", e)
	}
	if !x.put(k, Entry{State: Sent, SID: "SM2", Time: now.Add(2 * time.Second), Generation: 1, Position: Position{0, 9}}, now) {
		t.Fatal("what it sent doesn't count")
	}
	if x.put(k, again, now.Add(3*time.Second)) {
		t.Error("it is passed twice")
	}
	// A new owner reads only what compaction left: the intent.
	y := newIndex(time.Hour)
	y.put(y.keys.of([]byte("k")), again, now)
	for _, x := range []*index{x, y} {
		if !x.hasClaimed("SM1") {
			t.Error("the former SID is anybody's")
		}
	}
}
