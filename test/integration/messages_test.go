package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/sim/twiliosim"
)

// TestMessagesOfAllChannels: what the hosted successor sends, by a number, a
// messaging service, WhatsApp and Messenger, is sent once each where Twilio
// took it and failed to say so, and only to who is subscribed.
func TestMessagesOfAllChannels(t *testing.T) {
	t.Parallel()
	const head = `      - name: %s
        type: sendMessage
        mapping:
          contentTemplateType: Inline
          inlineBody: "%[1]s to {{id}}"
          inlineVariables: {id: {"@path": $.messageId}}
          subscriptionStatus: {"@path": $.properties.status}
`
	channels := map[string]string{
		"number": `          channel: SMS
          senderType: Phone number
          fromPhoneNumber: "+15005550006"
          toPhoneNumber: {"@path": $.properties.phone}
`,
		"service": `          channel: SMS
          senderType: Messaging Service
          messagingServiceSid: Marketing [MG00000000000000000000000000000001]
          toPhoneNumber: {"@path": $.properties.phone}
`,
		"whatsapp": `          channel: Whatsapp
          senderType: Phone number
          fromPhoneNumber: "+15005550006"
          toPhoneNumber: {"@path": $.properties.phone}
`,
		"messenger": `          channel: Messenger
          senderType: Messenger Sender ID
          fromMessengerSenderId: "100000000000001"
          toMessengerPageUserId: {"@path": $.properties.page_user}
`,
	}
	actions := ""
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		actions += fmt.Sprintf(head, name) + channels[name]
	}
	r := newRig(t, settings{
		delivery: "  requestTimeout: 3s\n  attempts: 10\n", actions: actions,
		regions: "  us-west-2: {rate: 1000, maxInFlight: 64, breaker: {failureRatio: 0.9, minRequests: 200}}\n",
		sim: twiliosim.Options{Faults: twiliosim.Faults{Seed: 1, Behaviour: twiliosim.Behaviour{
			AcceptedThen500: 0.15, AcceptedThenReset: 0.15, Garbled: 0.1, Failed: 0.1, Reset: 0.1, ListLag: time.Second,
		}}},
	})
	const n = 16
	var messages []kafka.Message
	for i := range n {
		status := "subscribed"
		if i%8 == 0 {
			status = "unsubscribed"
		}
		messages = append(messages, person(i, fmt.Sprintf(`,"status":%q,"phone":"+1415%07d","page_user":"20000000%07d"`, status, 2000000+i, i)))
	}
	r.produce(messages...)
	w := r.start(shortTiers)
	r.awaitSettled(120 * time.Second)

	got := map[string]int{}
	for _, m := range r.accepted() {
		got[fmt.Sprintf("%s from %s to %s", m.Value("Body"), m.Sender(), m.To)]++
	}
	for i := range n {
		want := 1
		if i%8 == 0 {
			want = 0
		}
		phone := fmt.Sprintf("+1415%07d", 2000000+i)
		for _, message := range []string{
			"number to m-%06d from +15005550006 to " + phone, "service to m-%06d from MG00000000000000000000000000000001 to " + phone,
			"whatsapp to m-%06d from whatsapp:+15005550006 to whatsapp:" + phone,
			"messenger to m-%06d from messenger:100000000000001 to messenger:" + fmt.Sprintf("20000000%07d", i),
		} {
			message = fmt.Sprintf(message, i)
			if got[message] != want {
				t.Errorf("%q was sent %d times, not %d", message, got[message], want)
			}
			delete(got, message)
		}
	}
	if len(got) > 0 {
		t.Errorf("sent as well: %v", got)
	}
	if dead := r.deadLetters(); len(dead) > 0 {
		t.Errorf("%d dead letters, the first because of %s: %s", len(dead), dead[0].Reason, dead[0].Message)
	}
	for _, result := range []string{"sent", "not_sent"} {
		if n := value(t, w.Registry(), "engage_reconciliations_total", map[string]string{"result": result}); n < 2 {
			t.Errorf("%v deliveries were reconciled as %s; the faults should have made more", n, result)
		}
	}
}

// TestSkipsAreShown: /debug/skips names the matching events that weren't sent,
// to whoever has the token, and nobody's number.
func TestSkipsAreShown(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	r.change(`http: {listen: "127.0.0.1:0"}`, `http: {listen: "127.0.0.1:0", token: open}`)
	unlike := kafka.Message{Key: []byte("u"), Value: []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"misspelt","externalIds":[{"id":"+14155550134","type":"phone","isSubscribed":true}]}`)}
	stopped := kafka.Message{Key: []byte("u"), Value: []byte(`{"type":"track","event":"Audience Entered","userId":"u","messageId":"stopped","external_ids":[{"id":"+14155550134","type":"phone","isSubscribed":false}]}`)}
	r.produce(person(1, ""), unlike, stopped, person(1, ""))
	r.start()
	r.awaitSettled(30 * time.Second)

	address := listening.FindStringSubmatch(r.logs.all())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address[1]+"/debug/skips", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer open")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	type skip struct {
		Time                     time.Time
		Action, MessageID, Topic string
		Partition                int
		Offset                   int64
	}
	var got map[string]map[string][]skip
	if err := json.Unmarshal(body, &got); err != nil || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, body)
	}
	var shown []string
	for destination, byReason := range got {
		for reason, skips := range byReason {
			for _, s := range skips {
				if age := time.Since(s.Time); age < 0 || age > time.Hour {
					t.Errorf("%+v is of %v ago", s, age)
				}
				shown = append(shown, fmt.Sprintf("%s %s %s %s %s/%d@%d", destination, reason, s.Action, s.MessageID, s.Topic, s.Partition, s.Offset))
			}
		}
	}
	slices.Sort(shown)
	want := []string{
		"onboarding duplicate welcome-sms m-000001 " + r.topic + "/0@3", "onboarding no_recipient welcome-sms misspelt " + r.topic + "/0@1",
		"onboarding not_subscribed welcome-sms stopped " + r.topic + "/0@2",
	}
	if !slices.Equal(shown, want) {
		t.Errorf("got %q\nwant %q", shown, want)
	}
	if strings.Contains(string(body), "4155550134") {
		t.Errorf("a number is shown: %s", body)
	}
}
