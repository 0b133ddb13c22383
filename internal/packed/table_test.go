package packed

import (
	"testing"

	"pgregory.net/rapid"
)

// pair is a small key and a value; its hash is as bad as the test wants it.
type pair struct{ key, value uint16 }

func (p pair) Empty() bool      { return p.key == 0 }
func (p pair) Hash() uint64     { return uint64(p.key%7) << 61 }
func (p pair) Same(q pair) bool { return p.key == q.key }

// TestTable plays steps against a map, with hashes that collide.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table[pair]
		want := map[uint16]uint16{}
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			p := pair{rapid.Uint16Range(1, 60).Draw(t, "key"), rapid.Uint16().Draw(t, "value")}
			switch rapid.IntRange(0, 20).Draw(t, "step") {
			case 0:
				table.Clear()
				clear(want)
			case 1, 2, 3, 4, 5, 6:
				table.Remove(p)
				delete(want, p.key)
			default:
				table.Put(p)
				want[p.key] = p.value
			}
			if table.Len() != len(want) {
				t.Fatalf("%d entries, want %d", table.Len(), len(want))
			}
			for key := range uint16(61) {
				if key == 0 {
					continue
				}
				got, ok := table.Get(pair{key: key})
				if value, there := want[key]; ok != there || ok && got.value != value {
					t.Fatalf("key %d: %v, %t; want %d, %t", key, got, ok, value, there)
				}
			}
		}
	})
}
