package deadletter_test

import (
	"fmt"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
)

// A dead letter is the event as it was, with headers that say what failed. It is
// read back whole.
func Example() {
	message := deadletter.Encode(&deadletter.Record{
		Key: []byte("u-1"), Value: []byte(`{"messageId":"m-1"}`), Headers: []kafka.Header{{Key: "producer", Value: []byte("web")}},
		Topic: "audience-events", Partition: 3, Offset: 42, MessageID: "m-1",
		Destination: "onboarding", Action: "welcome-sms",
		Reason: "opted_out", Disposition: deadletter.Permanent, TwilioCode: 21610,
	})
	fmt.Printf("%s %s\n", message.Key, message.Value)
	for _, h := range message.Headers {
		switch h.Key {
		case "producer", deadletter.HeaderTopic, "engage.reason", "engage.twilio.code":
			fmt.Printf("%s: %s\n", h.Key, h.Value)
		}
	}

	record, err := deadletter.Decode(message)
	fmt.Println(record.Reason, record.Disposition, record.IdempotencyKey(), err)
	// Output:
	// u-1 {"messageId":"m-1"}
	// producer: web
	// __dlq.errors.topic: audience-events
	// engage.reason: opted_out
	// engage.twilio.code: 21610
	// opted_out permanent m-1 <nil>
}
