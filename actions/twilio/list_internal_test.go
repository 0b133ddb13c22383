package twilio

import (
	"bytes"
	"encoding/json"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`{"messages":[{"sid":"SM00112233445566778899aabbccddeeff","to":"+15551234567","from":"MG1","date_created":"Sun, 01 Nov 2026 10:00:00 +0000"}],"next_page_uri":"/list?Page=1"}`))
	f.Add([]byte(`{"messages":[],"next_page_uri":"https://elsewhere.example/list"}`))
	f.Add([]byte(`{"messages":[{}],"x":[[{"messages":[]}]]} {}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q := listQuery{from: "MG1", to: "+15551234567", since: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)}
		next, err := readPage(bytes.NewReader(body), q.look)
		for _, c := range q.found {
			if !isMessageSID(c.SID) || c.Created.Before(q.since) {
				t.Errorf("%+v", c)
			}
		}
		if err == nil && !json.Valid(body) {
			t.Error("no JSON, and no error")
		}
		if next, err = nextPage(next, "https://api.example", "/list"); err == nil && !strings.HasPrefix(next, "/list?") {
			t.Errorf("next page %q", next)
		}
	})
}

// TestReadPageTakesLittleMemory: whatever fills a page of 4 MB.
func TestReadPageTakesLittleMemory(t *testing.T) {
	good := `{"sid":"SM00112233445566778899aabbccddeeff","to":"+15551234567","from":"MG2","date_created":"Sun, 01 Nov 2026 10:00:00 +0000"}`
	for name, piece := range map[string]struct{ before, repeated string }{
		"nothing":         {`{"messages":[`, `{},`},
		"messages":        {`{"messages":[`, good + `,`},
		"a long text":     {`{"messages":[{"sid":"`, `x`},
		"a deep value":    {`{"x":`, `[`},
		"a wide value":    {`{"x":[`, `{},`},
		"blanks":          {`{"messages":`, ` `},
		"names":           {`{"messages":[{`, `"x":{},`},
		"names of a page": {`{`, `"x":{},`},
	} {
		body := io.MultiReader(strings.NewReader(piece.before), io.LimitReader(endless(piece.repeated), 4<<20))
		q := listQuery{from: "MG1", to: "+15551234567"}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readPage(body, q.look)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		// Of all that is allocated, most is rubbish at once.
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; name != "names of a page" && took > 2 {
			t.Errorf("%s: %d MB were allocated", name, took)
		}
	}
}

// endless repeats text.
func endless(text string) io.Reader {
	return iotest.DataErrReader(&repeater{text: strings.Repeat(text, 1+4096/len(text))})
}

type repeater struct {
	text string
	at   int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func FuzzDecodeContent(f *testing.F) {
	f.Add([]byte(`{"types":{"twilio/media":{"body":"x","media":["y"]}}}`))
	f.Add([]byte(`{"types":{"twilio/text":{"body":null,"media":{"a":1}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			t.Skip() // refused before
		}
		template, err := decodeContent("HX9", body)
		if (template.SID == "HX9") != (err == nil) {
			t.Errorf("%+v, %v", template, err)
		}
	})
}
