package trigger

import (
	"bytes"
	"strconv"
	"strings"
)

// path leads to a field: its keys, unescaped.
type path struct {
	root  root
	steps []string // the first one is the root's name
	text  string   // as written
}

func newPath(text string, steps []string) path {
	return path{root: rootOf(steps[0]), steps: steps, text: text}
}

// find returns the field's bytes as written, or nil if it is missing.
func (p path) find(e Event) []byte {
	var raw []byte
	if p.root == rootOther {
		raw = findKey(e.raw[skipSpace(e.raw, 0):], p.steps[0])
	} else {
		at := e.roots[p.root]
		raw = e.raw[at.start:at.end]
	}
	for _, step := range p.steps[1:] {
		switch {
		case len(raw) == 0:
			return nil
		case raw[0] == '{':
			raw = findKey(raw, step)
		case raw[0] == '[':
			raw = findIndex(raw, step)
		default:
			return nil
		}
	}
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// findKey returns the value of the last member named key, as JSON.parse
// and encoding/json take it, of an object that Parse has accepted.
func findKey(object []byte, key string) (found []byte) {
	m, ok := firstMember(object, 0)
	for ; ok; m, ok = nextMember(object, m.end) {
		if m.end = scanValue(object, m.value, 0); m.end < 0 {
			return nil
		}
		if saysString(m.key, key) {
			found = object[skipSpace(object, m.value):m.end]
		}
	}
	return found
}

// findIndex returns an array's element by its index in canonical decimal.
func findIndex(array []byte, step string) []byte {
	index, err := strconv.ParseUint(step, 10, 31)
	if err != nil || len(step) > 1 && step[0] == '0' || step[0] == '+' {
		return nil
	}
	for element := range elements(array) {
		if index == 0 {
			return element
		}
		index--
	}
	return nil
}

// elements yields the elements of an array that Parse has accepted.
func elements(array []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		at, ok := firstElement(array, 0)
		for ok {
			end := scanValue(array, at, 0)
			if end < 0 || !yield(array[skipSpace(array, at):end]) {
				return
			}
			at, ok = nextElement(array, end)
		}
	}
}

// saysString reports whether a scanned string, given without its quotes,
// says s.
func saysString(raw []byte, s string) bool {
	switch {
	case string(raw) == s:
		// The bytes may be an escape here and mean themselves there.
		return plain(raw) || text(raw) == s
	case len(raw) > len(s):
		// Escapes are longer than what they stand for.
		return bytes.IndexByte(raw, '\\') >= 0 && text(raw) == s
	default:
		// Only what isn't UTF-8 is shorter than what stands for it: U+FFFD,
		// whose encoding begins with 0xef.
		return strings.IndexByte(s, 0xef) >= 0 && text(raw) == s
	}
}
