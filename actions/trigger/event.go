package trigger

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// root is a top-level field that is asked for often, of events or of Twilio's
// messages; Parse notes where it lies.
type root uint8

const (
	rootType root = iota
	rootEvent
	rootName
	rootUserID
	rootAnonymousID
	rootMessageID
	rootProperties
	rootTraits
	rootContext
	rootSID
	rootAccountSID
	rootCount
	rootOther = rootCount // any other field: found by a scan
)

func rootOf(name string) root {
	switch name {
	case "type":
		return rootType
	case "event":
		return rootEvent
	case "name":
		return rootName
	case "userId":
		return rootUserID
	case "anonymousId":
		return rootAnonymousID
	case "messageId":
		return rootMessageID
	case "properties":
		return rootProperties
	case "traits":
		return rootTraits
	case "context":
		return rootContext
	case "sid":
		return rootSID
	case "account_sid":
		return rootAccountSID
	default:
		return rootOther
	}
}

// Event is one event whose bytes have been checked and whose top-level
// fields have been found: what several triggers share. It refers to the bytes
// that Parse was given, which must not change while it is in use.
type Event struct {
	raw   []byte
	roots [rootCount]span
}

// span is a place in an event; the zero value is none.
type span struct{ start, end uint32 }

// MalformedError says why bytes aren't one JSON object.
type MalformedError struct {
	Offset  int    // of the byte that can't be there
	Message string // holds nothing of the event but that byte
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Message, e.Offset)
}

// Parse checks that event is exactly one JSON object (RFC 8259) with nothing
// but white space around it, and finds its top-level fields. The error is a
// *MalformedError. Without one, Parse allocates nothing.
func Parse(event []byte) (Event, error) {
	e := Event{raw: event}
	start := skipSpace(event, 0)
	if start >= len(event) || event[start] != '{' {
		return Event{}, malformed(event, start, true)
	}
	end := scanNested(event, start, 0, &e)
	if end < 0 {
		return Event{}, malformed(event, ^end, false)
	}
	if end = skipSpace(event, end); end < len(event) {
		return Event{}, &MalformedError{Offset: end, Message: "something follows the JSON object"}
	}
	return e, nil
}

// note notes a top-level field, whose key is given as it is written. Of fields
// with the same name the last one counts.
func (e *Event) note(key []byte, start, end int) {
	r := rootOf(view(key))
	if r == rootOther && !plain(key) {
		r = rootOf(text(key))
	}
	if r != rootOther {
		e.roots[r] = span{uint32(start), uint32(end)}
	}
}

// OfSpec reports whether the event's type is one of the Segment spec's.
func (e Event) OfSpec() bool {
	at := e.roots[rootType]
	raw := e.raw[at.start:at.end]
	return len(raw) > 2 && raw[0] == '"' && IsType(view(raw[1:len(raw)-1]))
}

// IsType reports whether a type is one of the Segment spec's.
func IsType(text string) bool {
	switch text {
	case "track", "identify", "page", "screen", "group", "alias":
		return true
	}
	return false
}

// Members yields the top-level fields: a name without its quotes, with its
// escapes, and its value, both as they are written.
func (e Event) Members() func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		m, ok := firstMember(e.raw, skipSpace(e.raw, 0))
		for ; ok; m, ok = nextMember(e.raw, m.end) {
			if m.end = scanValue(e.raw, m.value, 1); m.end < 0 || !yield(m.key, e.raw[skipSpace(e.raw, m.value):m.end]) {
				return
			}
		}
	}
}

// Field is a top-level field as it is written, or nil.
func (e Event) Field(name string) []byte {
	if r := rootOf(name); r != rootOther {
		at := e.roots[r]
		return e.raw[at.start:at.end]
	}
	return findKey(e.raw[skipSpace(e.raw, 0):], name)
}

// Text returns a top-level field that is a string, or a number as it is
// written; "" of anything else. It is a copy.
func (e Event) Text(field string) string {
	raw := e.Field(field)
	switch v := valueOf(raw); v.kind {
	case kindString:
		return strings.Clone(v.str)
	case kindNumber:
		return string(raw)
	default:
		return ""
	}
}

// Valid returns nil if event is exactly one JSON object, and what Parse
// finds wrong with it if not. It allocates nothing then.
func Valid(event []byte) error {
	_, err := Parse(event)
	return err
}

// malformed says what is wrong at a byte; first, when no object has begun.
func malformed(event []byte, at int, first bool) error {
	e := &MalformedError{Offset: at}
	switch {
	case len(event) == 0:
		e.Message = "empty: no JSON object"
	case at >= len(event) && first:
		e.Message = "white space only: no JSON object"
	case at >= len(event):
		e.Message = "the JSON object is cut off"
	case first && validAt(event, at) && event[at] == '[':
		e.Message = "a JSON list, whose elements are to be published one by one,"
	case first && validAt(event, at):
		e.Message = "JSON, but not an object,"
	case !first && depthAt(event, at) >= maxDepth:
		e.Message = fmt.Sprintf("nested deeper than %d levels", maxDepth)
	default:
		switch r, size := utf8.DecodeRune(event[at:]); {
		case r == utf8.RuneError && size <= 1:
			e.Message = fmt.Sprintf("unexpected byte 0x%02x", event[at])
		case r == '\ufeff':
			e.Message = "a byte order mark, which isn't JSON,"
		default:
			e.Message = fmt.Sprintf("unexpected character %q", r)
		}
	}
	return e
}

// validAt reports whether a value of another kind starts at event[at] and
// ends with the event.
func validAt(event []byte, at int) bool {
	end := scanValue(event, at, 0)
	return end >= 0 && skipSpace(event, end) == len(event)
}

// depthAt counts the objects and arrays that are open before event[at].
func depthAt(event []byte, at int) (depth int) {
	for i := 0; i < at; i++ {
		switch event[i] {
		case '"':
			i = scanString(event, i) - 1
			if i < 0 {
				return depth
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return depth
}
