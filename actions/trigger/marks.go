package trigger

import (
	"encoding/binary"
	"math/bits"
)

// marks say which of the 64 bytes from an offset on are special within a
// string: quotes, backslashes and control characters. So how long a string is
// decides no branch, which the processor couldn't foresee. The zero value knows
// of no byte.
type marks struct {
	from int
	bits uint64 // bit k is for the byte at from+k
}

// next is the offset of the first special byte from i on, or -1 if it isn't known.
func (m marks) next(i int) int {
	ahead := m.bits >> (uint(i-m.from) & 63)
	if i-m.from >= 64 || ahead == 0 {
		return -1
	}
	return i + bits.TrailingZeros64(ahead)
}

// findQuote is the offset of the quote that ends the string which has its next
// byte at i, or ^o; known is what m is to be replaced by.
func findQuote(b []byte, i int, m marks) (quote int, known marks) {
	for i < len(b) {
		special := m.next(i)
		if special < 0 {
			m = marks{from: i, bits: mark(b[i:])}
			if special = m.next(i); special < 0 {
				i += 64
				continue
			}
		}
		switch b[special] {
		case '"':
			return special, m
		case '\\':
			if i = scanEscape(b, special); i < 0 {
				return i, m
			}
		default:
			return ^special, m
		}
	}
	return ^len(b), m
}

// mark makes the bits of marks for the beginning of b.
func mark(b []byte) uint64 {
	if len(b) < 64 {
		var whole [64]byte
		n := copy(whole[:], b)
		return mark(whole[:]) & (1<<n - 1)
	}
	return mark8(b, 0) | mark8(b, 8) | mark8(b, 16) | mark8(b, 24) | mark8(b, 32) | mark8(b, 40) | mark8(b, 48) | mark8(b, 56)
}

// mark8 makes eight of the bits, in their place.
func mark8(b []byte, k int) uint64 {
	return (special(binary.LittleEndian.Uint64(b[k:])) >> 7) * gather >> 56 << k
}

// gather, as a factor, brings the lowest bits of eight bytes together in the
// highest byte.
const gather = 0x0102040810204080

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has the highest bit of each byte of w that is special.
func special(w uint64) uint64 {
	// Where each byte has its highest bit set, a subtraction takes nothing from
	// the byte above. What had that bit before is never special. Of the rest, a
	// quote is the one byte from 0x20 on that the bit 0x02 takes below 0x21; what
	// is below 0x20 stays there.
	high := w | highs
	low, slash := (high^ones*0x02)-ones*0x21, (high^ones*'\\')-ones
	return highs &^ (low&slash | w)
}
