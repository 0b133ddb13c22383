package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/sim/twiliosim"
)

// TestLogsTellNothingPersonal: whatever fails, the log says which delivery it
// was and nothing of the person, the message or the credentials.
func TestLogsTellNothingPersonal(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{
		delivery: "  attempts: 2\n  requestTimeout: 2s\n",
		actions: `      - name: welcome-sms
        type: sendSms
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@template": "Confidential text for {{properties.first_name}} {{messageId}}"}
      - name: liquid
        type: sendSms
        trigger: type = "track" and properties.broken = true
        mapping:
          from: MG00000000000000000000000000000001
          body: "Confidential {{ profile.traits.first_name | divided_by: 0 }}"
      - name: whatsapp
        type: sendWhatsApp
        trigger: type = "track" and properties.whatsapp = true
        mapping:
          from: "+14155238886"
          contentSid: HX00000000000000000000000000000bad
`,
		sim: twiliosim.Options{Faults: twiliosim.Faults{Seed: 3, Behaviour: twiliosim.Behaviour{
			AcceptedThen500: 0.05, AcceptedThenReset: 0.05, Garbled: 0.05, Throttled: 0.05, Unavailable: 0.05, Reset: 0.05, ListErrors: 0.3, LookupErrors: 0.2,
		}}},
	})
	const apiSecret, profileToken = "hush-hush-key", "hush-hush-token"
	r.cfg.Destinations[0].Settings.TwilioAPIKeySecret = apiSecret
	r.cfg.Destinations[0].Settings.ProfileAPIAccessToken = profileToken

	var messages []kafka.Message
	for i := range 20 {
		messages = append(messages, person(i, ""))
	}
	// Twilio's magic numbers: each refused for its own reason.
	for i, number := range []string{"+15005550001", "+15005550002", "+15005550003", "+15005550004", "+15005550009", "not a number, +14155550123"} {
		m := person(100+i, "")
		m.Value = bytes.Replace(m.Value, fmt.Appendf(nil, "+1415%07d", 2000100+i), []byte(number), 1)
		messages = append(messages, m)
	}
	messages = append(messages,
		person(200, `,"broken":true`),
		person(201, `,"whatsapp":true`),
		kafka.Message{Key: []byte("u"), Value: []byte(`{"type":"track","phone":"+14155550199","text":"Confidential`)},
		kafka.Message{Key: []byte("v"), Value: []byte(`["+14155550199"]`)},
	)
	r.produce(messages...)
	r.level = zerolog.TraceLevel // all that can be logged
	w := r.start()
	r.awaitDone(60 * time.Second)
	w.stop()

	number := regexp.MustCompile(`\+?1?(415|500)\d{7}`)
	failures := 0
	for line := range bytes.Lines([]byte(r.logs.all())) {
		if found := number.Find(line); found != nil {
			t.Errorf("a number, %s, is in the log: %s", found, line)
		}
		for _, told := range []string{"Confidential", apiSecret, profileToken, "first_name"} {
			if bytes.Contains(line, []byte(told)) {
				t.Errorf("%q is in the log: %s", told, line)
			}
		}
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Errorf("no JSON: %s", line)
			continue
		}
		fields := map[string][]string{
			"a delivery failed": {"destination", "action", "reason", "region", "messageId", "topic", "partition", "offset", "attempt", "why"},
			"an event failed":   {"destination", "reason", "topic", "partition", "offset", "why"},
		}[fmt.Sprint(entry["message"])]
		for _, field := range fields {
			if v, ok := entry[field]; !ok || v == "" {
				t.Errorf("a failure doesn't tell its %s: %s", field, line)
			}
		}
		if fields != nil {
			failures++
		}
	}
	if failures < 10 {
		t.Errorf("only %d failures are in the log; the faults should have made more", failures)
	}
}

// TestEveryDeadLetterIsLogged: also of what was never tried.
func TestEveryDeadLetterIsLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{actions: smsAction + `      - name: nothing
        type: sendSms
        trigger: properties.empty = true
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@path": $.properties.text}
`})
	old := person(1, "")
	old.Time = time.Now().Add(-25 * time.Hour)
	nobody := person(2, "")
	nobody.Value = bytes.Replace(nobody.Value, []byte("+14152000002"), []byte("nobody"), 1)
	refused := person(4, "")
	refused.Value = bytes.Replace(refused.Value, []byte("+14152000004"), []byte("+15005550004"), 1)
	r.produce(old, nobody, refused, person(5, `,"empty":true`), kafka.Message{Value: []byte("no event")})
	r.start()
	r.awaitDone(30 * time.Second)

	logged := map[string]int{}
	for line := range strings.Lines(r.logs.all()) {
		var entry struct {
			Message, Reason, Action string
			Partition, Offset       int64
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Message == "a delivery failed" || entry.Message == "an event failed" {
			logged[fmt.Sprint(entry.Reason, entry.Action, entry.Partition, entry.Offset)]++
		}
	}
	reasons := map[string]int{}
	for _, d := range r.deadLetters() {
		reasons[d.Reason]++
		if n := logged[fmt.Sprint(d.Reason, d.Action, d.Partition, d.Offset)]; n != 1 {
			t.Errorf("%d lines tell of %s, %s at %d/%d", n, d.Reason, d.Action, d.Partition, d.Offset)
		}
	}
	if want := map[string]int{"expired": 1, "invalid_recipient": 1, "opted_out": 1, "no_content": 1, "malformed_event": 1}; !maps.Equal(reasons, want) {
		t.Errorf("dead letters: %v", reasons)
	}
}

// TestStormsAreThinned: a thousand failures are some lines a second.
func TestStormsAreThinned(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	const storm = 1000
	var messages []kafka.Message
	for i := range storm {
		messages = append(messages, kafka.Message{Key: fmt.Append(nil, i), Value: []byte("no event")})
	}
	r.produce(messages...)
	began := time.Now()
	w := r.start()
	r.awaitDone(60 * time.Second)
	w.stop()
	const aSecond = 20
	lines := strings.Count(r.logs.all(), `"an event failed"`)
	if most := aSecond * (int(time.Since(began).Seconds()) + 2); lines == 0 || lines > most {
		t.Errorf("%d lines for %d failures; there should be some, and %d at most", lines, storm, most)
	}
	if dead := len(r.deadLetters()); dead != storm {
		t.Errorf("%d dead letters, not %d", dead, storm)
	}
}
