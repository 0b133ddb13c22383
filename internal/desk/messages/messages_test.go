package messages

import "testing"

// The bits that are kept tell offsets apart, and where retention is.
func TestMessageBits(t *testing.T) {
	for _, offset := range []int64{0, 1, 1 << 31, 1<<32 + 7, 1<<40 - 1} {
		m := message{eventLow: uint32(offset), eventTop: uint8(offset >> 32), offset: uint32(offset)}
		if m.event() != offset {
			t.Errorf("%d became %d", offset, m.event())
		}
		if m.before(offset) || !m.before(offset+1) || offset > 0 && m.before(offset-1) {
			t.Errorf("where retention is from %d", offset)
		}
	}
}
