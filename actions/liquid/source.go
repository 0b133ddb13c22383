package liquid

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Source is the text of a template in which some parts are data. Only what its
// author fixed is read as Liquid. Data is printed as it is, whatever it looks
// like: inside of a tag or an output it is a value, inside of quotes a part of
// one. The zero Source is an empty text.
type Source struct {
	text string
	data []stretch // in order; some may be empty
}

// stretch is a part of a Source's text.
type stretch struct{ start, end int }

// hole stands for a datum in what is compiled. It is a byte that no UTF-8 has,
// so that nothing an author or an event writes can be one.
const hole = '\xff'

// Fixed is a text that is all a template.
func Fixed(text string) Source { return Source{text: strings.ToValidUTF8(text, "\uFFFD")} }

// Data is a text that is all data.
func Data(text string) Source { return Source{text: text, data: []stretch{{0, len(text)}}} }

// String is the whole text, fixed and data.
func (s *Source) String() string { return s.text }

// Masked is the whole text with data made unrecognizable. Its bytes are at the
// same places as String's.
func (s *Source) Masked() string {
	if len(s.data) == 0 {
		return s.text
	}
	masked := []byte(s.text)
	for _, d := range s.data {
		for i := d.start; i < d.end; i++ {
			masked[i] = hole
		}
	}
	return string(masked)
}

// AllData reports whether nothing of the text is a template.
func (s *Source) AllData() bool {
	at := 0
	for _, d := range s.data {
		if d.start > at {
			return false
		}
		at = d.end
	}
	return at == len(s.text)
}

// shape is the text with a hole for each datum, and these.
func (s *Source) shape() (string, []string) {
	if len(s.data) == 0 {
		return s.text, nil
	}
	shape := make([]byte, 0, len(s.text)+len(s.data))
	data := make([]string, len(s.data))
	at := 0
	for i, d := range s.data {
		shape = append(append(shape, s.text[at:d.start]...), hole)
		data[i] = s.text[d.start:d.end]
		at = d.end
	}
	return string(append(shape, s.text[at:]...)), data
}

// Map is s with each part made into another by f; what is data remains data.
func (s *Source) Map(f func(string) string) Source {
	var b Builder
	at := 0
	for _, d := range s.data {
		b.Fixed(f(s.text[at:d.start]))
		b.Data(f(s.text[d.start:d.end]))
		at = d.end
	}
	b.Fixed(f(s.text[at:]))
	return b.Source()
}

// Builder puts a Source together. The zero Builder is empty.
type Builder struct {
	text []byte
	data []stretch
}

// Fixed appends a text that is a template.
func (b *Builder) Fixed(text string) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	b.text = append(b.text, text...)
}

// Data appends a text that is data.
func (b *Builder) Data(text string) {
	start := len(b.text)
	b.text = append(b.text, text...)
	b.mark(start, len(b.text))
}

// mark makes the end of the text data, together with data in front of it.
func (b *Builder) mark(start, end int) {
	if n := len(b.data); n > 0 && b.data[n-1].end == start {
		b.data[n-1].end = end
		return
	}
	b.data = append(b.data, stretch{start, end})
}

// Range appends a part of s.
func (b *Builder) Range(s *Source, start, end int) {
	moved := len(b.text) - start
	b.text = append(b.text, s.text[start:end]...)
	first, _ := slices.BinarySearchFunc(s.data, start, func(d stretch, start int) int { return d.end - start })
	for _, d := range s.data[first:] {
		if d.start > end {
			return
		}
		if d = (stretch{max(d.start, start), min(d.end, end)}); d.start < d.end {
			b.mark(d.start+moved, d.end+moved)
		}
	}
}

// Like appends a text in place of a part of s: it is data if some of that is.
func (b *Builder) Like(s *Source, start, end int, text string) {
	for _, d := range s.data {
		if d.start < end && d.end > start {
			b.Data(text)
			return
		}
	}
	b.Fixed(text)
}

// Source is what was put together.
func (b *Builder) Source() Source { return Source{text: string(b.text), data: b.data} }
