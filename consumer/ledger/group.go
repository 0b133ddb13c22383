package ledger

import (
	"bytes"
	"slices"
	"time"
)

// Others says which of a ledger's records another consumer group has written.
// One ledger is one group's: two that send for the same events would each miss
// what the other one sends.
type Others struct {
	// Group is the one whose ledger it is; its records say so, and those that
	// say nothing are an earlier version's.
	Group string
	// Adopted are groups that this one goes on for. Their records count as its own.
	Adopted []string
	// Quiet is for how long no record of another group must have been read before
	// this one believes that it is gone.
	Quiet time.Duration
}

// groupMark leads the group in a record's value, behind all else.
const groupMark = " @"

// usualValue is above what an intent's value takes, which is the longest as a rule.
const usualValue = 256

// value appends a record's value with the group that writes it.
func (l *Ledger) value(b []byte, e Entry) []byte {
	b = e.AppendValue(b)
	if l.cfg.Others.Group == "" {
		return b
	}
	if e.SID == "" && e.Tags == (Tags{}) && !e.marked() {
		b = append(b, ' ') // the SID's place stays empty
	}
	return append(append(b, groupMark...), l.cfg.Others.Group...)
}

// groupOf is the group that wrote a value; empty where it doesn't say.
func groupOf(value []byte) []byte {
	i := bytes.LastIndexByte(value, groupMark[1])
	if i < 1 || value[i-1] != groupMark[0] {
		return nil
	}
	group, _, _ := bytes.Cut(value[i+1:], []byte{' '})
	return group
}

// isOurs reports whether a record of group counts.
func (o *Others) isOurs(group []byte) bool {
	return len(group) == 0 || o.Group == "" || string(group) == o.Group ||
		slices.ContainsFunc(o.Adopted, func(adopted string) bool { return string(group) == adopted })
}

// ordered puts an adopted group's generations, which count by themselves, before
// all of our own.
func (o *Others) ordered(group []byte, e Entry) Entry {
	if len(group) > 0 && string(group) != o.Group {
		e.Generation -= 1 << 30
	}
	return e
}

// sighting is what is known of other groups in a ledger. It is guarded by Ledger.mu.
type sighting struct {
	own  bool      // there are records of our own group
	last string    // the other group that wrote last, or ""
	at   time.Time // when its last record was read
}

// see takes a record's group in, and reports whether the record counts. When
// another group's was written nobody knows: its clock may be wrong. So it counts
// from when it is read.
func (l *Ledger) see(group []byte) (ours bool) {
	if l.cfg.Others.isOurs(group) {
		l.seen.own = true
		return true
	}
	if string(group) != l.seen.last {
		l.seen.last = string(group)
	}
	l.seen.at = time.Now()
	return false
}

// Usurper is the group that shares this ledger, or "": one whose records were
// read lately, or the only one that ever wrote.
func (l *Ledger) Usurper() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen.last != "" && (!l.seen.own || time.Since(l.seen.at) < l.cfg.Others.Quiet) {
		return l.seen.last
	}
	return ""
}
