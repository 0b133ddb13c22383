package packed

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSorted plays sets against a map: with many and few hashes, and with some
// that differ in their last bits alone.
func TestSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := Layout{rapid.IntRange(1, 6).Draw(t, "hash bytes"), rapid.IntRange(0, 6).Draw(t, "data bytes")}
		hash := rapid.Custom(func(t *rapid.T) uint64 {
			return rapid.Uint64().Draw(t, "hash") & rapid.SampledFrom([]uint64{1<<64 - 1, 1<<63 | 7, 0xfff << 52}).Draw(t, "mask")
		})
		want := map[uint64][]byte{}
		add := func(h uint64) {
			want[layout.Cut(h)] = rapid.SliceOfN(rapid.Byte(), layout.Data, layout.Data).Draw(t, "data")
		}
		for range rapid.IntRange(0, 200).Draw(t, "hashes") {
			add(hash.Draw(t, "one"))
		}
		if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
			for i := range uint64(70_000) {
				want[layout.Cut(i*0x9e3779b97f4a7c15)] = make([]byte, layout.Data)
			}
		}
		s := NewSorted(layout, len(want), inOrder(want))
		if s.Len() != len(want) {
			t.Fatalf("%d of %d", s.Len(), len(want))
		}
		n, last := 0, uint64(0)
		for h, data := range s.All() {
			if !bytes.Equal(want[h], data) || n > 0 && h <= last {
				t.Fatalf("%x has %x, want %x; the one before is %x", h, data, want[h], last)
			}
			n, last = n+1, h
		}
		if n != len(want) {
			t.Fatalf("All gives %d of %d", n, len(want))
		}
		for range 50 {
			h := hash.Draw(t, "asked")
			if got, ok := s.Get(h); ok != (want[layout.Cut(h)] != nil) || !bytes.Equal(got, want[layout.Cut(h)]) {
				t.Fatalf("%x: %x, %t; want %x", h, got, ok, want[layout.Cut(h)])
			}
		}
		for h, data := range want {
			if got, ok := s.Get(h); !ok || !bytes.Equal(got, data) {
				t.Fatalf("%x: %x, %t; want %x", h, got, ok, data)
			}
		}
		// A set of another size knows as much.
		again := NewSorted(layout, len(want)+100_000, s.All())
		if !maps.EqualFunc(maps.Collect(again.All()), want, bytes.Equal) {
			t.Fatal("a copy with more room differs")
		}
	})
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := Layout{rapid.IntRange(1, 6).Draw(t, "hash bytes"), 1}
		sets := [2]map[uint64][]byte{{}, {}}
		for i := range sets {
			for range rapid.IntRange(0, 100).Draw(t, "hashes") {
				sets[i][layout.Cut(rapid.Uint64Range(0, 300).Draw(t, "hash")<<40|1<<63)] = []byte{byte(i)}
			}
		}
		want := maps.Clone(sets[1])
		maps.Copy(want, sets[0])
		merged := Merge(NewSorted(layout, len(sets[0]), inOrder(sets[0])), NewSorted(layout, len(sets[1]), inOrder(sets[1])))
		if got := maps.Collect(merged.All()); merged.Len() != len(want) || !maps.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestOfEqualHashesTheFirstCounts(t *testing.T) {
	layout := Layout{Hash: 6, Data: 1}
	s := NewSorted(layout, 3, func(yield func(uint64, []byte) bool) {
		_ = yield(16, []byte{1}) && yield(17, []byte{2}) && yield(32, []byte{3}) // 60 bits are known
	})
	if got, ok := s.Get(18); s.Len() != 2 || !ok || got[0] != 1 {
		t.Errorf("%d hashes, %v, %t", s.Len(), got, ok)
	}
}

func inOrder(m map[uint64][]byte) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for _, h := range slices.Sorted(maps.Keys(m)) {
			if !yield(h, m[h]) {
				return
			}
		}
	}
}

func BenchmarkSortedGet(b *testing.B) {
	const n = 500_000
	s := NewSorted(Layout{6, 4}, n, func(yield func(uint64, []byte) bool) {
		for i := range uint64(n) {
			yield(i<<45, make([]byte, 4))
		}
	})
	for i := uint64(0); b.Loop(); i++ {
		s.Get(i * 0x9e3779b97f4a7c15)
	}
}
