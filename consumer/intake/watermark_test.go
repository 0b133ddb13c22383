package intake

import (
	"testing"

	"pgregory.net/rapid"
)

// model is the watermark in the plainest words: a set of open offsets.
type model struct {
	open map[int64]bool
	next int64
}

func (m *model) commit() int64 {
	low := m.next
	for o := range m.open {
		low = min(low, o)
	}
	return low
}

// checkWatermark plays steps against the model. A step opens or passes the
// next offset after a gap, or finishes some open event.
func checkWatermark(t interface{ Fatalf(string, ...any) }, start int64, steps []byte) {
	w, m := newWatermark(start), model{open: map[int64]bool{}, next: start}
	type opened struct {
		offset int64
		ticket ticket
	}
	var open []opened
	for _, s := range steps {
		gap := int64(s >> 2 & 7)
		switch s & 3 {
		case 0:
			o := m.next + gap
			open = append(open, opened{o, w.open(o, 0)})
			m.open[o], m.next = true, o+1
		case 1:
			o := m.next + gap
			w.pass(o)
			m.next = o + 1
		case 2:
			if len(open) == 0 {
				continue
			}
			i := int(s>>2) % len(open)
			w.done(open[i].ticket)
			delete(m.open, open[i].offset)
			open = append(open[:i], open[i+1:]...)
		case 3:
			w.advance(m.next + gap)
			m.next += gap
		}
		if w.commit != m.commit() || w.next != m.next {
			t.Fatalf("after %d: commit %d, next %d; want %d, %d", s, w.commit, w.next, m.commit(), m.next)
		}
		if w.span() < len(m.open) {
			t.Fatalf("span %d is less than the %d open events", w.span(), len(m.open))
		}
		if len(m.open) == 0 && w.span() != 0 {
			t.Fatalf("span %d with nothing open", w.span())
		}
	}
}

func TestWatermarkNeverPassesAnOpenEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkWatermark(t, rapid.Int64Range(0, 1<<40).Draw(t, "start"), rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "steps"))
	})
}

func FuzzWatermark(f *testing.F) {
	f.Add(int64(0), []byte{0, 0, 0, 2, 2, 6, 1, 3})
	f.Add(int64(41), []byte{0, 1, 1, 0, 31, 2, 30, 0, 2, 2, 2})
	f.Fuzz(func(t *testing.T, start int64, steps []byte) {
		if start < 0 || start > 1<<60 {
			return
		}
		checkWatermark(t, start, steps)
	})
}

func TestWatermarkGrowsByOpenEventsNotByOffsets(t *testing.T) {
	w := newWatermark(0)
	first := w.open(0, 0)
	w.advance(1 << 40)
	second := w.open(1<<40, 0)
	if w.span() != 2 || len(w.ring) != 64 {
		t.Fatalf("span %d, ring %d; want 2, 64", w.span(), len(w.ring))
	}
	w.done(second)
	if w.commit != 0 {
		t.Fatalf("commit %d passed the open event at 0", w.commit)
	}
	w.done(first)
	if w.commit != 1<<40+1 {
		t.Fatalf("commit %d, want %d", w.commit, int64(1<<40+1))
	}
}

func BenchmarkWatermarkPass(b *testing.B) {
	w := newWatermark(0)
	b.ReportAllocs()
	for i := range b.N {
		w.pass(int64(i))
	}
}

// TestWatermarkGrows: more open events than it has slots for, with its ring's
// ends anywhere, and done in any order.
func TestWatermarkGrows(t *testing.T) {
	w := newWatermark(0)
	var steps []byte
	for range 40 { // so that the oldest slot isn't the first
		steps = append(steps, 0, 2)
	}
	for i := range 300 {
		steps = append(steps, byte(i%3<<2))
	}
	for i := range 300 {
		steps = append(steps, byte(i*7)<<2|2)
	}
	checkWatermark(t, 5, steps)
	for offset := range int64(65) {
		w.open(offset, 0)
	}
	if len(w.ring) != 128 {
		t.Errorf("the ring has %d slots for 65 events, want 128", len(w.ring))
	}
}
