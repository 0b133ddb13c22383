// Package eventfile reads events from JSON Lines, as from JSON documents.
package eventfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxBytes bounds one line of JSON Lines, and a whole JSON document.
const MaxBytes = 64 << 20

// frame is how many bytes a schema registry's serializer puts before a value:
// a zero, and the schema's number.
const frame = 5

const byteOrderMark = "\xef\xbb\xbf"

// Record is one event as read, which may be anything but blank.
type Record struct {
	Line  int    // where it begins, from 1
	Value []byte // a line byte for byte, or a value of a document without its white space; the caller's to keep
}

// Reader reads records one after another.
//
// Each line is a record, whatever is on it, and blank lines are none. But
// when the input begins with a list, or with an object that goes on in
// the next line, and all of it is JSON, then its values are the records: an
// object, several, or the elements of lists.
//
// A line that begins with a zero byte begins with the five bytes that a schema
// registry's serializer puts before a value. These may hold a line's end.
//
// It is not safe for concurrent use.
type Reader struct {
	in      *bufio.Reader
	line    int // lines read
	begun   bool
	pending []Record // of a document, or of lines that looked like one
	rest    bool     // whether lines follow pending
	lists   bool     // lists are records themselves
	err     error    // what ended the reading
}

// NewReader reads from in.
func NewReader(in io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 256<<10)}
}

// KeepLists makes a list a record of its own, which is what it would be to a
// consumer of the topic, instead of its elements; likewise, a byte order mark
// stays. It is to be called before Next.
func (r *Reader) KeepLists() { r.lists = true }

// Next returns the next record, or io.EOF after the last one.
func (r *Reader) Next() (Record, error) {
	if !r.begun {
		r.begun = true
		r.begin()
	}
	if len(r.pending) > 0 {
		record := r.pending[0]
		r.pending = r.pending[1:]
		return record, nil
	}
	if r.err == nil && !r.rest {
		r.err = io.EOF
	}
	if r.err != nil {
		return Record{}, r.err
	}
	return r.nextLine()
}

// Ready reports whether Next returns without waiting for more input.
func (r *Reader) Ready() bool {
	return len(r.pending) > 0 || r.err != nil || r.begun && !r.rest || bytes.IndexByte(unframed(r.peek()), '\n') >= 0
}

// unframed is b without a frame, or what there is of one.
func unframed(b []byte) []byte {
	if len(b) > 0 && b[0] == 0 {
		return b[min(frame, len(b)):]
	}
	return b
}

func (r *Reader) peek() []byte {
	b, _ := r.in.Peek(r.in.Buffered()) // what is there is there: no error
	return b
}

// begin reads the first record and finds out what the input is.
func (r *Reader) begin() {
	if bom, _ := r.in.Peek(3); string(bom) == byteOrderMark {
		_, _ = r.in.Discard(3) // they are there
		if r.lists {           // a consumer would see it
			defer func() {
				if len(r.pending) > 0 {
					r.pending[0].Value = append([]byte(byteOrderMark), r.pending[0].Value...)
				}
			}()
		}
	}
	r.rest = true
	first, err := r.nextLine()
	if err != nil {
		return // kept in r.err
	}
	list := first.Value[0] == '['
	if !list && first.Value[0] != '{' || (!list || r.lists) && json.Valid(first.Value) {
		r.pending = []Record{first}
		return
	}
	rest, err := io.ReadAll(io.LimitReader(r.in, MaxBytes))
	if err != nil {
		r.pending, r.err = []Record{first}, err
		return
	}
	whole := append(append(bytes.Clone(first.Value), '\n'), rest...)
	if records, ok := r.document(whole, first.Line); ok && len(rest) < MaxBytes {
		r.pending, r.rest = records, false
		return
	}
	// Lines after all: give back what was read ahead.
	r.pending = []Record{first}
	r.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), r.in), 256<<10)
}

// document splits a text that is JSON throughout into records.
func (r *Reader) document(text []byte, firstLine int) (records []Record, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	line, counted := firstLine, 0
	lineAt := func(offset int) int {
		line += bytes.Count(text[counted:offset], []byte("\n"))
		counted = offset
		return line
	}
	for {
		var value json.RawMessage
		if err := dec.Decode(&value); errors.Is(err, io.EOF) {
			return records, true
		} else if err != nil {
			return nil, false
		}
		start := int(dec.InputOffset()) - len(value)
		if value[0] != '[' || r.lists {
			records = append(records, Record{Line: lineAt(start), Value: compact(value)})
			continue
		}
		list := json.NewDecoder(bytes.NewReader(value))
		if _, err := list.Token(); err != nil {
			return nil, false
		}
		for list.More() {
			var element json.RawMessage
			if err := list.Decode(&element); err != nil {
				return nil, false
			}
			at := start + int(list.InputOffset()) - len(element)
			records = append(records, Record{Line: lineAt(at), Value: compact(element)})
		}
	}
}

func compact(value []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return bytes.Clone(value) // it was decoded: it is JSON
	}
	return b.Bytes()
}

// nextLine returns the next line that isn't blank, without the white space
// around it. It keeps an error in r.err.
func (r *Reader) nextLine() (Record, error) {
	for {
		line, err := r.readLine()
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = nil
		}
		if err != nil {
			r.err = err
			return Record{}, err
		}
		r.line++
		text := unframed(line)
		framing := line[:len(line)-len(text)]
		if len(framing) > 0 {
			line = append(framing, bytes.TrimSpace(text)...)
		} else {
			line = bytes.TrimSpace(line)
		}
		if len(line) > 0 {
			return Record{Line: r.line, Value: line}, nil
		}
	}
}

func (r *Reader) readLine() ([]byte, error) {
	var line []byte
	if first, _ := r.in.Peek(1); len(first) > 0 && first[0] == 0 {
		var framing [frame]byte
		n, err := io.ReadFull(r.in, framing[:])
		line = append(line, framing[:n]...)
		if err != nil {
			return line, io.EOF // cut off in the frame
		}
	}
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxBytes {
			return nil, fmt.Errorf("line %d is longer than %d MiB", r.line+1, MaxBytes>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
