package deadletter

import (
	"runtime"
	"strconv"
	"testing"
)

func TestFold(t *testing.T) {
	f := NewFold()
	death := func(id string, replays int) *Record { return &Record{id: id, Replays: replays, Reason: "x"} }
	for i, tc := range []struct {
		r    *Record
		want bool
	}{
		{death("a", 0), false},
		{death("b", 0), false},
		{death("a", 0), true},
		{death("a", 1), false}, // died again after a replay
		{death("a", 1), true},
		{death("a", 0), true},
		{&Record{id: "a", Topic: "events"}, false}, // another event that says it is the same one
		{&Record{id: "a", Partition: 1}, false},
		{&Record{id: "a", Offset: 1}, false},
		{&Record{id: "a", Offset: 1, Reason: "y"}, true},
		{death("", 0), false}, // nobody knows whether they are the same
		{death("", 0), false},
	} {
		if got := f.Repeated(tc.r); got != tc.want {
			t.Errorf("%d: %q after %d replays: %v, want %v", i, tc.r.id, tc.r.Replays, got, tc.want)
		}
	}
}

// However many deaths there are: the last million are remembered, in bounded
// memory.
func TestFoldIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads five million ids")
	}
	memory := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := memory()
	f := NewFold()
	death := func(n int) *Record { return &Record{id: strconv.FormatInt(int64(n)*0x9e3779b97f4a7c, 16), Reason: "x"} }
	const n = 5 * foldGeneration
	for i := range n {
		if f.Repeated(death(i)) {
			t.Fatalf("%d was never there", i)
		}
		if back := i - foldGeneration + 1; back >= 0 && i%1000 == 0 && !f.Repeated(death(back)) {
			t.Fatalf("%d is forgotten after %d", back, i)
		}
	}
	if used := memory() - before; used > 25<<20 {
		t.Errorf("%d MiB", used>>20)
	} else {
		t.Logf("%d MiB", used>>20)
	}
	runtime.KeepAlive(f)
}
