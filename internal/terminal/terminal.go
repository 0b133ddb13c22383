// Package terminal shows text to people: tables that fit, bars, how far something
// is. And it keeps what comes from outside from driving the terminal, or the
// spreadsheet, of whoever reads it. An event's text may hold escape sequences, C1
// controls that do as they do, marks that turn the direction of writing around, or
// a formula.
package terminal

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Plain is s with U+FFFD for each character that could drive a terminal or hide
// something: controls, line breaks included, and marks of format. The joiners
// that words and emoji are written with stay.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if driving(r) || r == utf8.RuneError {
			return utf8.RuneError
		}
		return r
	}, s)
}

// PlainLines is Plain, but a line break, with or without a carriage return, and
// a tab stay.
func PlainLines(s string) string {
	if strings.IndexFunc(s, driving) < 0 && utf8.ValidString(s) {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		line, returned := strings.CutSuffix(line, "\r")
		parts := strings.Split(line, "\t")
		for j := range parts {
			parts[j] = Plain(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
		if returned && i < len(lines)-1 {
			lines[i] += "\r"
		}
	}
	return strings.Join(lines, "\n")
}

func driving(r rune) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200C', '\u200D'
	switch {
	case r < ' ' || r == 0x7F:
		return true
	case r < 0x80:
		return false
	case r == zeroWidthNonJoiner || r == zeroWidthJoiner:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// EscapeJSON is a valid JSON text with \u escapes for what Plain would replace
// in it: the same value, for every reader. JSON has such characters in strings
// only, and has escaped those below U+0020 already; its own line breaks stay.
func EscapeJSON(text []byte) []byte {
	clean := true
	for _, b := range text {
		if b >= 0x7F {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	const hex = "0123456789abcdef"
	escaped := make([]byte, 0, len(text)+16)
	unit := func(u uint16) {
		escaped = append(escaped, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < 0x7F || !driving(r):
			escaped = append(escaped, text[:size]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			unit(uint16(high))
			unit(uint16(low))
		default:
			unit(uint16(r))
		}
		text = text[size:]
	}
	return escaped
}

// JSON writes JSON to another writer as EscapeJSON has it. Each Write has whole
// characters, as those of an encoding/json.Encoder and a zerolog.Logger have. It
// may be used by as many goroutines as the other writer.
type JSON struct{ To io.Writer }

func (j JSON) Write(text []byte) (int, error) {
	if _, err := j.To.Write(EscapeJSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Cell is a text as a cell of CSV that people open: as PlainLines, and with an
// apostrophe before what a spreadsheet would take for a formula, as OWASP advises.
func Cell(s string) string {
	s = PlainLines(s)
	if r, _ := utf8.DecodeRuneInString(s); strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) && s != "" {
		return "'" + s
	}
	return s
}
