package twiliosim

import "slices"

// record is an accepted message as kept: what can be told from the form, the
// time or the sequence number is made up again when it is asked for.
type record struct {
	seq                uint64 // from 1, without gaps
	account            string
	to                 string // channel and E.164
	from, service      string // as posted
	raw                string // the form
	remote, host       string
	received, accepted int64 // Unix ns
	media              bool
	inbound            bool // from a person, and not for one
	fault              fault
	fate               fate
}

func (r *record) sender() string {
	if r.service != "" {
		return r.service
	}
	return r.from
}

// recipient is what lists are mostly asked about.
type recipient struct{ account, to string }

const chunkSize = 1024

// store keeps the latest messages in the order of acceptance, in chunks so
// that growing copies nothing and forgetting frees memory. Records don't
// change once added. The Sim's lock guards it.
type store struct {
	keep   int
	next   uint64 // the next message's seq
	first  uint64 // the oldest kept message's seq
	chunks [][]record
	byTo   map[recipient][]uint64 // seqs, ascending
}

// newStore keeps as Options.Keep says. Numbering goes on from next, or
// begins with 1.
func newStore(keep int, next ...uint64) *store {
	n := uint64(1)
	if len(next) > 0 {
		n = next[0]
	}
	return &store{keep: keep, next: n, first: n, byTo: make(map[recipient][]uint64)}
}

// add numbers rec and keeps a copy.
func (s *store) add(rec *record) {
	rec.seq = s.next
	s.next++
	if s.keep < 0 {
		s.first = s.next
		return
	}
	last := len(s.chunks) - 1
	if last < 0 || len(s.chunks[last]) == chunkSize {
		s.chunks = append(s.chunks, make([]record, 0, chunkSize))
		last++
		if s.keep > 0 && (last-1)*chunkSize >= s.keep {
			s.forget()
			last--
		}
	}
	s.chunks[last] = append(s.chunks[last], *rec)
	key := recipient{rec.account, rec.to}
	s.byTo[key] = append(s.byTo[key], rec.seq)
}

// forget drops the oldest chunk.
func (s *store) forget() {
	for i := range s.chunks[0] {
		rec := &s.chunks[0][i]
		key := recipient{rec.account, rec.to}
		if rest := s.byTo[key][1:]; len(rest) > 0 {
			s.byTo[key] = rest
		} else {
			delete(s.byTo, key)
		}
	}
	s.first += chunkSize
	s.chunks = slices.Delete(s.chunks, 0, 1)
}

// get is the message with that seq, or nil.
func (s *store) get(seq uint64) *record {
	if seq < s.first || seq >= s.next || s.keep < 0 {
		return nil
	}
	i := seq - s.first
	return &s.chunks[i/chunkSize][i%chunkSize]
}

// newest yields messages from before the given seq downwards: all, or those
// of one recipient when to isn't empty.
func (s *store) newest(account, to string, before uint64, yield func(*record) bool) {
	if to == "" {
		for seq := min(before, s.next) - 1; seq >= s.first; seq-- {
			if rec := s.get(seq); rec.account == account && !yield(rec) {
				return
			}
		}
		return
	}
	for _, seq := range slices.Backward(s.byTo[recipient{account, to}]) {
		if seq < before && !yield(s.get(seq)) {
			return
		}
	}
}

// snapshot is the messages of this moment, the first with the given seq. It
// may be read without the lock: neither chunks nor records change below it.
func (s *store) snapshot() (first uint64, chunks [][]record) {
	return s.first, slices.Clone(s.chunks)
}
