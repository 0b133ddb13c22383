package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEntryIsOneLine(t *testing.T) {
	e := Entry{State: Sent, SID: "SM0123", Time: time.UnixMilli(1732390000123), Position: Position{3, 12345}, Generation: 7}
	if got, want := string(e.AppendValue(nil)), "1 sent 1732390000123 3/12345 7 SM0123"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	for _, e := range []Entry{e, {State: Intent, Time: time.UnixMilli(0)}, {State: Refused, Time: time.UnixMilli(-1), Position: Position{0, 1 << 50}, Generation: -1}, {State: Dead, Time: time.UnixMilli(1)}} {
		got, err := ParseEntry(e.AppendValue(nil))
		if err != nil || !got.Time.Equal(e.Time) {
			t.Fatalf("%+v became %+v, %v", e, got, err)
		}
		got.Time, e.Time = time.Time{}, time.Time{}
		if got != e {
			t.Fatalf("%+v became %+v", e, got)
		}
	}
}

func TestEntriesThatAreNone(t *testing.T) {
	for _, s := range []string{"", "2 sent 1 1/1 1 SM", "1", "1 lost 1 1/1 1", "1 sent x 1/1 1", "1 sent 1 11 1", "1 sent 1 1/x 1", "1 sent 1 1/1 -", "1 sent 1234567890123456789 1/1 1"} {
		if e, err := ParseEntry([]byte(s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q was read as %+v, %v", s, e, err)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte("1 sent 1732390000123 3/12345 7 SM0123"))
	f.Add([]byte("1 intent -5 0/0 -1"))
	f.Add([]byte("1 sent 1 1/1 1 SM0123 #a1f @group"))
	f.Add([]byte("1 intent 1 1/1 1 ~9f/2c =1/a1/b2/c3/d4/e5/2500"))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := ParseEntry(value)
		if err != nil {
			return
		}
		again, err := ParseEntry(e.AppendValue(nil))
		if err != nil || again.State != e.State || again.Position != e.Position || again.SID != e.SID || again.Made != e.Made || again.Mark != e.Mark || !again.Time.Equal(e.Time) {
			t.Fatalf("%q: %+v became %+v, %v", value, e, again, err)
		}
	})
}

func TestIndexForgetsAfterTheRetentionAndNotBefore(t *testing.T) {
	const day = 24 * time.Hour
	x := newIndex(7 * day)
	start := time.UnixMilli(1732390000000)
	key := func(n int) Key { return x.keys.of(AppendKey(nil, "sms", time.Duration(n).String())) }
	for n := range 30 * 4 { // four a day, for thirty days
		at := start.Add(time.Duration(n) * day / 4)
		x.put(key(n), Entry{State: Sent, SID: time.Duration(n).String(), Time: at, Position: Position{1, int64(n)}}, at)
		for back := range n {
			age := time.Duration(back) * day / 4
			_, known := x.get(key(n - back))
			if !known && age <= 7*day {
				t.Fatalf("forgot an entry of %v ago", age)
			}
			if known && age > 9*day {
				t.Fatalf("still knows an entry of %v ago", age)
			}
		}
	}
	if x.len() > 9*4+4 {
		t.Fatalf("%d entries are kept", x.len())
	}
	if !x.hasClaimed(time.Duration(119).String()) || x.hasClaimed(time.Duration(3).String()) {
		t.Fatal("SIDs aren't forgotten with their entries")
	}
}

func TestSentStaysSent(t *testing.T) {
	x := newIndex(time.Hour)
	now := time.Now()
	k := x.keys.of([]byte("k"))
	for _, e := range []struct {
		state  State
		stored bool
	}{{Intent, true}, {Refused, true}, {Intent, true}, {Sent, true}, {Intent, false}, {Refused, false}, {Dead, false}, {Sent, true}} {
		if got := x.put(k, Entry{State: e.state, Time: now}, now); got != e.stored {
			t.Fatalf("put %v gave %t", e.state, got)
		}
	}
	if e, ok := x.get(k); !ok || e.State != Sent {
		t.Fatalf("%+v, %t", e, ok)
	}
}

func TestAnIntentHasTags(t *testing.T) {
	e := Entry{State: Intent, Time: time.UnixMilli(1732390000123), Position: Position{3, 12345}, Generation: 7, Tags: Tags{0x9f86d081, 0x2c}}
	const text = "1 intent 1732390000123 3/12345 7 ~9f86d081/2c"
	if got := string(e.AppendValue(nil)); got != text {
		t.Fatalf("%q, want %q", got, text)
	}
	if got, err := ParseEntry([]byte(text)); err != nil || got != e {
		t.Fatalf("%+v, %v; want %+v", got, err, e)
	}
	for _, s := range []string{"1 intent 1 1/1 1 ~", "1 intent 1 1/1 1 ~1", "1 intent 1 1/1 1 ~x/1", "1 intent 1 1/1 1 ~1/123456789"} {
		if e, err := ParseEntry([]byte(s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q was read as %+v, %v", s, e, err)
		}
	}
}

func TestIndexKnowsTheIntentsWithoutAnOutcome(t *testing.T) {
	x, now := newIndex(time.Hour), time.Now()
	put := func(name string, state State, tags Tags) Key {
		k := x.keys.of([]byte(name))
		x.put(k, Entry{State: state, Time: now, Tags: tags}, now)
		return k
	}
	toOne := func(o Doubt) bool { return o.Tags.Recipient == 1 }
	a := put("a", Intent, Tags{1, 10})
	put("b", Intent, Tags{1, 20})
	put("c", Intent, Tags{2, 30})
	put("d", Intent, Tags{1, 40})
	put("d", Sent, Tags{})
	put("d", Intent, Tags{1, 40}) // somebody's late one: it stays sent
	if got := x.bodies(toOne, a); len(got) != 1 || got[0] != 20 {
		t.Errorf("%v, want that of b alone", got)
	}
	put("b", Refused, Tags{})
	if got := x.bodies(toOne, a); len(got) != 0 {
		t.Errorf("%v, want none", got)
	}
	x.forget(now.Add(3 * time.Hour))
	if len(x.open) != 0 {
		t.Errorf("%d intents are remembered past the retention", len(x.open))
	}
}

func TestAnIntentSaysWhatItWasMadeWith(t *testing.T) {
	made := Made{0xa1, 0xb2, 0xc3, 0xd4, 0xffffffff, 2500 * time.Millisecond}
	for text, e := range map[string]Entry{
		"1 intent 1732390000123 3/12345 7 ~9f/2c =1/a1/b2/c3/d4/ffffffff/2500": {Tags: Tags{0x9f, 0x2c}, Made: made},
		"1 intent 1732390000123 3/12345 7  =1/a1/b2/c3/d4/ffffffff/2500":       {Made: made},
	} {
		e.State, e.Time, e.Position, e.Generation = Intent, time.UnixMilli(1732390000123), Position{3, 12345}, 7
		if got := string(e.AppendValue(nil)); got != text {
			t.Errorf("%q, want %q", got, text)
		}
		for _, more := range []string{"", "/later", " $later", "  "} {
			if got, err := ParseEntry([]byte(text + more)); err != nil || got != e {
				t.Errorf("%q: %+v, %v; want %+v", text+more, got, err, e)
			}
		}
	}
	for _, unknown := range []string{"=2/a1/b2/c3/d4/e5/2500", "=1/a1/b2", "=1/0/b2/c3/d4/e5/2500", "=1/x/b2/c3/d4/e5/2500", "=1/a1/b2/c3/d4/e5/-1", "=1/a1/b2/c3/d4/e5/99999999999", "="} {
		if got, err := ParseEntry([]byte("1 intent 1 1/1 1 ~9f/2c " + unknown)); err != nil || got.Made != (Made{}) || got.Tags != (Tags{0x9f, 0x2c}) {
			t.Errorf("%q: %+v, %v; want an intent that was made with what is unknown", unknown, got, err)
		}
	}
}

func TestDifferences(t *testing.T) {
	a := Made{1, 2, 3, 4, 5, time.Second}
	if got := a.Differences(Made{1, 2, 3, 4, 5, time.Minute}); got != nil {
		t.Errorf("%v, want none: a deadline is no difference", got)
	}
	if got := strings.Join(a.Differences(Made{9, 9, 9, 9, 9, 0}), " "); got != "account host sender channel recipient" {
		t.Errorf("%q", got)
	}
}
