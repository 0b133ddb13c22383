package trace

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
)

// Query is what to look for: one of the three.
type Query struct {
	MessageID string
	User      string
	To        string    // a number, however it is written
	Since     time.Time // what was written then or later
}

// facts are what an event says of itself.
type facts struct {
	MessageID string `json:"messageId"`
	UserID    string `json:"userId"`
}

// matcher matches values by their bytes first.
type matcher struct {
	Query
	needle []byte // what a matching value holds; nil: anything may match
	digits string // of the number
	mask   string
}

func newMatcher(q Query) *matcher {
	m := &matcher{Query: q}
	for _, text := range []string{q.MessageID, q.User} {
		if plain(text) { // else JSON may write it in several ways
			m.needle = []byte(text)
		}
	}
	if q.To != "" {
		m.digits = digitsOf(q.To)
		m.mask = twilio.Mask(q.To)
		m.needle = []byte(m.digits[max(0, len(m.digits)-2):]) // however it is grouped
	}
	return m
}

// plain reports whether JSON writes a text as it is.
func plain(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&'/`, r) }) < 0
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// event reports whether an event's value is meant, and what it says of itself.
func (m *matcher) event(value []byte) (f facts, ok bool) {
	if m.needle != nil && !bytes.Contains(value, m.needle) {
		return f, false
	}
	if m.digits != "" && !m.holdsNumber(value) {
		return f, false
	}
	if json.Unmarshal(value, &f) != nil {
		return f, false
	}
	return f, m.digits != "" || m.says(f.MessageID, f.UserID)
}

// says reports whether a messageId or a user is the one that is looked for.
func (m *matcher) says(messageID, user string) bool {
	return m.MessageID != "" && messageID == m.MessageID || m.User != "" && user == m.User
}

// holdsNumber reports whether a text in the value is the number, whatever stands
// between its digits.
func (m *matcher) holdsNumber(value []byte) bool {
	for {
		begin := bytes.IndexByte(value, '"')
		if begin < 0 {
			return false
		}
		value = value[begin+1:]
		end := bytes.IndexByte(value, '"')
		if end < 0 {
			return false
		}
		if text := value[:end]; isNumber(text, m.digits) {
			return true
		}
		value = value[end:]
	}
}

// mayHold reports whether a record's value or a header may hold what is looked for.
func (m *matcher) mayHold(r *records.Record) bool {
	if m.needle == nil || bytes.Contains(r.Value, m.needle) {
		return true
	}
	return slices.ContainsFunc(r.Headers, func(h records.Header) bool { return bytes.Contains(h.Value, m.needle) })
}

// letter reports whether a dead letter is meant.
func (m *matcher) letter(r *deadletter.Record) bool {
	if m.says(r.MessageID, r.UserID) {
		return true
	}
	if m.digits != "" && !(r.Recipient == "" || r.Recipient == m.mask) {
		return false
	}
	_, ok := m.event(r.Value)
	return ok
}

// isNumber reports whether the digits of a text are just these.
func isNumber(text []byte, digits string) bool {
	const longest = 64
	if len(text) < len(digits) || len(text) > longest {
		return false
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			continue
		}
		if n == len(digits) || digits[n] != c {
			return false
		}
		n++
	}
	return n == len(digits)
}
