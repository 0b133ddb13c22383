package records

import "encoding/binary"

// cursor reads Kafka's encoding of numbers and bytes. Whatever goes beyond
// the end is zero, and makes it bad.
type cursor struct {
	b   []byte
	bad bool
}

// take is the next n bytes, shared.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) skip(n int) { c.take(n) }

func (c *cursor) int8() int8 {
	if b := c.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint is a zigzag-encoded number.
func (c *cursor) varint() int64 {
	v, n := varint(c.b)
	if n <= 0 {
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint is binary.Varint. Nearly all have one byte or two.
func varint(b []byte) (v int64, n int) {
	if len(b) < 2 || b[0]&b[1] >= 0x80 {
		return binary.Varint(b)
	}
	u := uint64(b[0])
	n = 1
	if u >= 0x80 {
		u, n = u&0x7f|uint64(b[1])<<7, 2
	}
	return int64(u>>1) ^ -int64(u&1), n
}

// bytes are as many as a varint before them says; -1 is null, which is nil.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	return c.take(int(n))
}
