package twilio

import (
	"encoding/json"
	"testing"
	"time"
)

func FuzzReadList(f *testing.F) {
	f.Add([]byte(`{"messages":[{"sid":"SM1","to":"+15551234567","from":"MG1","date_created":"Sun, 01 Nov 2026 10:00:00 +0000"}],"next_page_uri":"/list?Page=1"}`))
	f.Add([]byte(`{"messages":[],"next_page_uri":"https://elsewhere.example/list"}`))
	q := listQuery{from: "MG1", to: "+15551234567", since: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC), path: "/list"}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, next, err := q.read(body)
		for _, c := range found {
			if c.SID == "" || c.Created.Before(q.since) {
				t.Errorf("%+v", c)
			}
		}
		if next != "" && (len(next) < 6 || next[:6] != "/list?") || err == nil && !json.Valid(body) {
			t.Errorf("%q, %v", next, err)
		}
	})
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
