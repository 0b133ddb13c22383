package intake

// watermark follows one partition's events: which are open, and up to where
// all are done, which is the offset to commit. Offsets are opened in
// ascending order, with gaps where compaction or control records took
// offsets away, and done in any order. It is not safe for concurrent use.
//
// It keeps a ring of the open span, one slot an event, so its size is bounded
// by how many events may be open, not by the distance of their offsets.
type watermark struct {
	commit int64  // all before it are done
	next   int64  // the next offset to be opened is at least this
	ring   []slot // a power of two
	head   uint64 // the oldest slot in use
	tail   uint64 // the next free one
}

type slot struct {
	offset int64
	dated  int64 // the record's timestamp, Unix ms
	done   bool
}

// ticket stands for an open event in its watermark.
type ticket uint64

func newWatermark(commit int64) *watermark {
	return &watermark{commit: commit, next: commit, ring: make([]slot, 64)}
}

// pass marks the event at offset as done when it is met: nobody waits for it.
func (w *watermark) pass(offset int64) {
	if w.head == w.tail {
		w.commit, w.next = offset+1, offset+1
		return
	}
	// Behind open events, it is done once they are: the next slot's offset, or
	// next, covers it.
	w.next = offset + 1
}

// open adds the event at offset to the open ones; dated is its record's
// timestamp in Unix ms.
func (w *watermark) open(offset, dated int64) ticket {
	if w.tail-w.head == uint64(len(w.ring)) {
		w.grow()
	}
	w.ring[w.tail&uint64(len(w.ring)-1)] = slot{offset: offset, dated: dated}
	if w.head == w.tail {
		w.commit = offset
	}
	w.tail++
	w.next = offset + 1
	return ticket(w.tail - 1)
}

// done marks an open event as done; every ticket is to be given back once.
func (w *watermark) done(t ticket) {
	w.ring[uint64(t)&uint64(len(w.ring)-1)].done = true
	for w.head < w.tail {
		s := &w.ring[w.head&uint64(len(w.ring)-1)]
		if !s.done {
			w.commit = s.offset
			return
		}
		w.head++
	}
	w.commit = w.next
}

// advance says that the log goes on at offset: what lies between isn't there.
func (w *watermark) advance(offset int64) {
	if offset <= w.next {
		return
	}
	w.next = offset
	if w.head == w.tail {
		w.commit = offset
	}
}

// oldest is the timestamp of the oldest open event, Unix ms.
func (w *watermark) oldest() (dated int64, ok bool) {
	if w.head == w.tail {
		return 0, false
	}
	return w.ring[w.head&uint64(len(w.ring)-1)].dated, true
}

// span is the number of events from the oldest open one on, done or not.
func (w *watermark) span() int { return int(w.tail - w.head) }

func (w *watermark) grow() {
	ring := make([]slot, 2*len(w.ring))
	for i := w.head; i < w.tail; i++ {
		ring[i&uint64(len(ring)-1)] = w.ring[i&uint64(len(w.ring)-1)]
	}
	w.ring = ring
}
