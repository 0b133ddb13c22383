package eventfile

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func read(t *testing.T, in io.Reader) []Record {
	t.Helper()
	r := NewReader(in)
	var records []Record
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
}

func TestReader(t *testing.T) {
	record := func(line int, value string) Record { return Record{line, []byte(value)} }
	for _, c := range []struct {
		name, in string
		want     []Record
	}{
		{"nothing", "", nil},
		{"blank", "\n \r\n", nil},
		{"one", `{"a": 1}`, []Record{record(1, `{"a": 1}`)}},
		{"lines", "{\"a\": 1}\r\n\n {\"b\":2}\n", []Record{record(1, `{"a": 1}`), record(3, `{"b":2}`)}},
		{"byte order mark", "\ufeff{}\n{}", []Record{record(1, `{}`), record(2, `{}`)}},
		{"broken later", "{}\n{\"a\":\n[1]\n", []Record{record(1, `{}`), record(2, `{"a":`), record(3, `[1]`)}},
		{"broken first", "{\"a\":\n{}\nx\n", []Record{record(1, `{"a":`), record(2, `{}`), record(3, `x`)}},
		{"no JSON at all", "hello\n{}\n", []Record{record(1, `hello`), record(2, `{}`)}},
		{"a list in JSON Lines", "[1\n{}\n", []Record{record(1, `[1`), record(2, `{}`)}},
		{"pretty", "\n{\n  \"a\": \"b c\"\n}\n", []Record{record(2, `{"a":"b c"}`)}},
		{"several pretty", "{\n \"a\": 1\n}\n\n{\n \"b\": 2\n}\n", []Record{record(1, `{"a":1}`), record(5, `{"b":2}`)}},
		{"a list", "[\n {\"a\": 1},\n\n {\n\"b\": [2]}, 3\n]", []Record{record(2, `{"a":1}`), record(4, `{"b":[2]}`), record(5, `3`)}},
		{"an empty list", "[]", nil},
		{"framed", "\x00\x00\x00\x00\x0a{\"a\": 1}\r\n\n\x00\x0a\x0a\x0a\x0a {}\n{}\n\x00\x00\x00\x00\x20\n\x00\x0a", []Record{
			record(1, "\x00\x00\x00\x00\x0a{\"a\": 1}"), record(3, "\x00\x0a\x0a\x0a\x0a{}"), record(4, "{}"), record(5, "\x00\x00\x00\x00\x20"), record(6, "\x00\x0a"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, strings.NewReader(c.in)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v", got)
			}
			if got := read(t, iotest.OneByteReader(strings.NewReader(c.in))); !reflect.DeepEqual(got, c.want) {
				t.Errorf("byte by byte: got %+v", got)
			}
		})
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, before := range []string{"", "{}\n", "{\n", "[1,\n"} {
		r := NewReader(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
		var err error
		for range 3 {
			if _, err = r.Next(); err != nil {
				break
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v", before, err)
		}
	}
	r := NewReader(io.LimitReader(neverEnding('x'), MaxBytes+2))
	if _, err := r.Next(); err == nil || err.Error() != "line 1 is longer than 64 MiB" {
		t.Errorf("a long line: %v", err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// TestReady: a pipe's lines are handed on as they come.
func TestReady(t *testing.T) {
	in, out := io.Pipe()
	r := NewReader(in)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = out.Write([]byte("{}\n{}\n{"))
		_, _ = out.Write([]byte("}\n"))
		out.Close()
	}()
	for _, ready := range []bool{true, false} {
		if record, err := r.Next(); err != nil || string(record.Value) != "{}" {
			t.Fatal(record, err)
		}
		if r.Ready() != ready {
			t.Errorf("ready is %t", !ready)
		}
	}
	if record, err := r.Next(); err != nil || string(record.Value) != "{}" || record.Line != 3 {
		t.Fatal(record, err)
	}
	<-done
	if _, err := r.Next(); !errors.Is(err, io.EOF) || !r.Ready() {
		t.Fatal(err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("{\"a\":\n1}\n[{},[2]]")
	f.Add("{}\nx\n\n")
	f.Add("\x00\n\n\n\n{}\n\x00")
	f.Fuzz(func(t *testing.T, in string) {
		last := 0
		for _, record := range read(t, strings.NewReader(in)) {
			if len(record.Value) == 0 || record.Line < last || record.Line > strings.Count(in, "\n")+1 {
				t.Fatalf("%q: %+v", in, record)
			}
			last = record.Line
		}
	})
}
