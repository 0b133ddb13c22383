package records

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// frame is an LZ4 frame whose blocks stand by themselves, as Kafka's clients
// write them. Its blocks go straight to where they are read from: lz4.Reader
// holds twice a block's largest size, which is 8 MiB for what Go's clients
// write, copies from there, and sums what the batch's own sum covers already.
type frame struct {
	rest  []byte // that wasn't read
	block int    // bytes that a block decompresses to, at most
	sums  bool   // each block has one behind it
}

// An LZ4 frame's flags.
const (
	lz4Magic       = 0x184d2204
	lz4Version     = 0xc0
	lz4Version1    = 0x40
	lz4Independent = 0x20
	lz4BlockSums   = 0x10
	lz4Size        = 0x08
	lz4Dictionary  = 0x01
	lz4Plain       = 1 << 31 // in a block's size: it isn't compressed
)

// openFrame begins a frame; ok is false where lz4.Reader must read it, or
// say what is wrong with it.
func openFrame(b []byte) (f frame, ok bool) {
	if len(b) < 7 || binary.LittleEndian.Uint32(b) != lz4Magic {
		return frame{}, false
	}
	flags, size, head := b[4], b[5]>>4&7, 7
	if flags&lz4Size != 0 {
		head += 8
	}
	if flags&lz4Version != lz4Version1 || flags&lz4Independent == 0 || flags&lz4Dictionary != 0 || size < 4 || len(b) < head {
		return frame{}, false
	}
	return frame{rest: b[head:], block: 1 << (2*size + 8), sums: flags&lz4BlockSums != 0}, true
}

// next appends the next block to dst, which moves where it hasn't the room.
// io.EOF is the frame's end.
func (f *frame) next(dst []byte) ([]byte, error) {
	c := cursor{b: f.rest}
	head := c.take(4)
	if c.bad {
		return dst, io.ErrUnexpectedEOF
	}
	size := binary.LittleEndian.Uint32(head)
	if size == 0 {
		return dst, io.EOF
	}
	src := c.take(int(size &^ lz4Plain))
	if f.sums {
		c.skip(4)
	}
	if c.bad {
		return dst, io.ErrUnexpectedEOF
	}
	f.rest = c.b
	if size&lz4Plain != 0 {
		return append(dst, src...), nil
	}
	// The block doesn't say how much it becomes.
	for room := min(f.block, max(cap(dst)-len(dst), 4*len(src))); ; room = min(f.block, 2*room) {
		dst = slices.Grow(dst, room)
		n, err := lz4.UncompressBlock(src, dst[len(dst):len(dst)+room])
		switch {
		case err == nil:
			return dst[:len(dst)+n], nil
		case room == f.block:
			return dst, fmt.Errorf("lz4: %w", err)
		}
	}
}
