package trace

import (
	"fmt"
	"testing"
	"time"

	"engage-worker/internal/kafka/records"
)

// TestWhatIsMeant: an event is meant by what it says of itself, however JSON
// writes that, and not because the text stands elsewhere in it.
func TestWhatIsMeant(t *testing.T) {
	for _, c := range []struct {
		query Query
		value string
		want  bool
	}{
		{Query{MessageID: "m-1"}, `{"messageId":"m-1"}`, true},
		{Query{MessageID: "m-1"}, `{"messageId":"m-10"}`, false},
		{Query{MessageID: "m-1"}, `{"messageId":"m-2","properties":{"was":"m-1"}}`, false},
		{Query{MessageID: `a"b`}, `{"messageId":"a\"b"}`, true},
		{Query{MessageID: `a/b`}, `{"messageId":"a\/b"}`, true},
		{Query{MessageID: "é"}, `{"messageId":"\u00e9"}`, true},
		{Query{User: "u-1"}, `{"userId":"u-1","messageId":"m"}`, true},
		{Query{User: "u-1"}, `{"messageId":"u-1"}`, false},
		{Query{To: "+1 (415) 555-0123"}, `{"properties":{"phone":"+14155550123"}}`, true},
		{Query{To: "+14155550123"}, `{"properties":{"phone":"+1 415.555.0123"}}`, true},
		{Query{To: "+14155550123"}, `{"properties":{"phone":"+141555501234"}}`, false},
		{Query{To: "+14155550123"}, `{"a":"+1415555","b":"0123"}`, false},
		{Query{MessageID: "m-1"}, `no JSON m-1`, false},
	} {
		if _, got := newMatcher(c.query).event([]byte(c.value)); got != c.want {
			t.Errorf("%+v in %s: %t", c.query, c.value, got)
		}
	}
}

func TestSteps(t *testing.T) {
	var line Timeline
	for _, what := range []string{Dead, Attempt, Accepted, Event, Trigger} {
		line.Steps = append(line.Steps, Step{What: what})
	}
	line.sort()
	var got []string
	for _, s := range line.Steps {
		got = append(got, s.What)
	}
	if want := "[event trigger attempt accepted dead]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestStepsOfOneSecond: what Twilio dates to the second comes after the
// acceptance that it is about.
func TestStepsOfOneSecond(t *testing.T) {
	second := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	line := Timeline{Steps: []Step{
		{What: Dead, SID: "SM1", At: second},
		{What: Status, SID: "SM1", At: second, Detail: "sent"},
		{What: Status, SID: "SM1", At: second, Detail: "failed"},
		{What: Accepted, SID: "SM1", At: second.Add(600 * time.Millisecond)},
		{What: Status, SID: "SM1", At: second.Add(601 * time.Millisecond), Detail: "accepted"},
		{What: Attempt, At: second.Add(500 * time.Millisecond)},
		{What: Status, SID: "SM2", At: second, Detail: "sent"}, // another's
	}}
	line.sort()
	var got []string
	for _, s := range line.Steps {
		got = append(got, s.What+s.Detail)
	}
	if want := "[statussent attempt accepted statusaccepted statussent statusfailed dead]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestStatusesAreToldOfOnce: a later record of a message says again what an
// earlier one said.
func TestStatusesAreToldOfOnce(t *testing.T) {
	c := &Collector{query: newMatcher(Query{MessageID: "m-1"}), told: map[string]bool{}}
	for i, rest := range []string{`"status":"accepted"`, `"status":"failed","code":30001,"finalAt":"2026-03-01T10:00:01Z"`} {
		c.status(Destination{Name: "d", Status: "d.status"}, 0, &records.Record{
			Offset: int64(i), Key: []byte("k"), Value: []byte(`{"sid":"SM1","messageId":"m-1","acceptedAt":"2026-03-01T10:00:00Z",` + rest + `}`),
		})
	}
	var got []string
	for _, s := range c.line.Steps {
		got = append(got, s.Detail)
	}
	if want := "[accepted failed, code 30001]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}
