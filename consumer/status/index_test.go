package status

import (
	"fmt"
	"testing"
	"time"
	"unsafe"
)

func TestEntryIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(entry{}); n != 24 {
		t.Errorf("%d bytes", n)
	}
	e := newEntry(7, 8, 1<<47, Canceled, 255, 9)
	if e.offset() != 1<<47 || e.state() != Canceled || e.ask() != 255 || e.key != 7 || e.tag != 8 || e.next != 9 {
		t.Errorf("%+v", e)
	}
}

func TestPausesRise(t *testing.T) {
	s := schedule{2 * time.Minute}
	var at []string
	for ask := range 12 {
		at = append(at, s.after(ask).String())
	}
	want := "[2m0s 6m0s 14m0s 30m0s 1h2m0s 2h6m0s 4h14m0s 8h30m0s 14h30m0s 20h30m0s 26h30m0s 32h30m0s]"
	if got := fmt.Sprint(at); got != want {
		t.Errorf("asked at %s, want %s", got, want)
	}
	for age := time.Duration(0); age < 80*time.Hour; age += 7 * time.Minute {
		ask := s.from(age)
		if s.after(ask) <= age || ask > 0 && s.after(ask-1) > age {
			t.Fatalf("%v: ask %d comes at %v", age, ask, s.after(ask))
		}
		now := start.Add(age)
		for _, atOnce := range []bool{false, true} {
			e := s.pending(1, 2, 3, Sent, start, now, atOnce)
			if off := s.accepted(e).Sub(start); off < -tick || off > 0 {
				t.Fatalf("%v: accepted %v off", age, off)
			}
			if due := e.next <= ticksOf(now); due != (atOnce && ask > 0) {
				t.Fatalf("%v: due %v", age, due)
			}
			after := s.asked(e, now)
			if after.next <= ticksOf(now) || after.offset() != 3 || after.state() != Sent {
				t.Fatalf("%v: asked again at %v", age, after.next.time())
			}
		}
	}
}

func TestRoom(t *testing.T) {
	r := NewRoom(4)
	for n := range 4 {
		if ample := r.ample(); ample != (n < 3) || !r.take() {
			t.Errorf("with %d: ample %v", n, ample)
		}
	}
	if r.take() {
		t.Error("five fit into four")
	}
	r.give(2)
	if !r.ample() || !r.take() || !r.take() || r.take() {
		t.Error("two more fits")
	}
}
