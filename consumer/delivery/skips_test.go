package delivery

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions/outcome"
)

// The log has one line a second and reason, which counts the others; the last
// few skips stay to be looked at.
func TestSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s := NewSkips(zerolog.New(&logged))
		skip := func(offset int64) Skip {
			return Skip{Time: time.Now(), Action: "a", MessageID: "m", Topic: "t", Partition: 3, Offset: offset}
		}
		for offset := range int64(200) {
			s.add(outcome.ReasonNoRecipient, skip(offset))
		}
		s.add(outcome.ReasonNotSubscribed, skip(200))
		time.Sleep(saySkips)
		s.add(outcome.ReasonNoRecipient, skip(201))
		want := []string{
			`{"level":"warn","reason":"no_recipient","action":"a","messageId":"m","topic":"t","partition":3,"offset":0,"skipped":1,"message":"a matching event isn't sent"}`,
			`{"level":"info","reason":"not_subscribed","action":"a","messageId":"m","topic":"t","partition":3,"offset":200,"skipped":1,"message":"a matching event isn't sent"}`,
			`{"level":"warn","reason":"no_recipient","action":"a","messageId":"m","topic":"t","partition":3,"offset":201,"skipped":200,"message":"a matching event isn't sent"}`,
		}
		if got := strings.TrimSpace(logged.String()); got != strings.Join(want, "\n") {
			t.Errorf("the log has\n%s", got)
		}
		last := s.Last()
		if kept := last["no_recipient"]; len(kept) != keptSkips || kept[0].Offset != 191 || kept[keptSkips-1].Offset != 201 {
			t.Errorf("kept are %+v", kept)
		}
		if kept := last["not_subscribed"]; len(kept) != 1 || kept[0].Offset != 200 {
			t.Errorf("kept are %+v", kept)
		}
	})
}
