package actions

import (
	"errors"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/trigger"
)

// Envelope is what somebody on the way to the topic has wrapped an event in,
// so that no trigger wants it.
type Envelope uint8

const (
	EnvelopeNone        Envelope = iota
	EnvelopeConnect              // Kafka Connect's JSON converter: schema and payload
	EnvelopeDebezium             // a change of a database's row: op, before, after
	EnvelopeCloudEvents          // CloudEvents in structured mode, without an event in data
	EnvelopeSNS                  // a notification of Amazon SNS
	EnvelopeEventBridge          // an event of Amazon EventBridge
	EnvelopeBatch                // several events in one record
	envelopes
)

// NumEnvelopes is how many kinds there are, EnvelopeNone counted.
const NumEnvelopes = int(envelopes)

// String is the metric's label.
func (e Envelope) String() string {
	return [...]string{"", "connect", "debezium", "cloudevents", "sns", "eventbridge", "batch"}[e]
}

// Envelopes are all kinds.
func Envelopes() []Envelope {
	var all []Envelope
	for e := EnvelopeConnect; e < envelopes; e++ {
		all = append(all, e)
	}
	return all
}

// Advice says, for people, what an envelope is and the way out.
func (e Envelope) Advice() string {
	const alone = ", so no trigger looks inside: publish the event alone"
	switch e {
	case EnvelopeConnect:
		return "the event is in Kafka Connect's envelope (schema, payload)" + alone + ", with schemas.enable=false"
	case EnvelopeDebezium:
		return "the event is in Debezium's envelope (op, before, after)" + alone + ", by the transform ExtractNewRecordState"
	case EnvelopeCloudEvents:
		return "the event is a CloudEvent whose data is no event with a type of the Segment spec"
	case EnvelopeSNS:
		return "the event is in an SNS notification (TopicArn, Message)" + alone + ", with raw message delivery"
	case EnvelopeEventBridge:
		return "the event is in EventBridge's envelope (detail-type, detail)" + alone + ", which is its detail"
	case EnvelopeBatch:
		return "the record is a batch of events" + alone + ", each in a record of its own"
	}
	return ""
}

// The keys that tell envelopes.
const (
	keySchema = 1 << iota
	keyPayload
	keyOp
	keyRow // before or after
	keySpecVersion
	keyTopicARN
	keyMessage
	keyDetailType
	keyDetail
	keyBatch
)

// envelopeOf recognises an envelope by its keys. It allocates nothing.
func envelopeOf(e trigger.Event) Envelope {
	keys := 0
	var payload []byte
	for key, value := range e.Members() {
		switch string(key) {
		case "schema":
			keys |= keySchema
		case "payload":
			keys |= keyPayload
			payload = value
		case "op":
			keys |= keyOp
		case "before", "after":
			keys |= keyRow
		case "specversion":
			keys |= keySpecVersion
		case "TopicArn":
			keys |= keyTopicARN
		case "Message":
			keys |= keyMessage
		case "detail-type":
			keys |= keyDetailType
		case "detail":
			keys |= keyDetail
		case "batch", "Records":
			if value[0] == '[' {
				keys |= keyBatch
			}
		}
	}
	has := func(wanted int) bool { return keys&wanted == wanted }
	switch {
	case has(keySchema | keyPayload):
		if inner, err := parseObject(payload); err == nil && envelopeOf(inner) == EnvelopeDebezium {
			return EnvelopeDebezium
		}
		return EnvelopeConnect
	case has(keyOp | keyRow):
		return EnvelopeDebezium
	case has(keySpecVersion):
		return EnvelopeCloudEvents
	case has(keyTopicARN | keyMessage):
		return EnvelopeSNS
	case has(keyDetailType | keyDetail):
		return EnvelopeEventBridge
	case has(keyBatch):
		return EnvelopeBatch
	}
	return EnvelopeNone
}

// opened is the event that triggers are asked about: e, or the data of a
// CloudEvent that holds an event. What e is wrapped in otherwise comes with it.
func opened(e trigger.Event) (trigger.Event, Envelope) {
	if e.OfSpec() {
		return e, EnvelopeNone
	}
	envelope := envelopeOf(e)
	if envelope == EnvelopeCloudEvents {
		if data, err := parseObject(e.Field("data")); err == nil && data.OfSpec() {
			return data, EnvelopeNone
		}
	}
	return e, envelope
}

var errNoObject = errors.New("not an object")

// parseObject is trigger.Parse, whose error allocates, of a value that may be
// of any kind.
func parseObject(value []byte) (trigger.Event, error) {
	if len(value) == 0 || value[0] != '{' {
		return trigger.Event{}, errNoObject
	}
	return trigger.Parse(value)
}

// openedRoot is opened of a decoded event.
func openedRoot(root *jsvalue.Object) *jsvalue.Object {
	if _, structured := root.Get("specversion"); !structured || ofSpec(root) {
		return root
	}
	data, _ := root.Get("data")
	if inner, ok := data.(*jsvalue.Object); ok && ofSpec(inner) {
		return inner
	}
	return root
}

func ofSpec(root *jsvalue.Object) bool {
	text, _ := root.Text("type")
	return trigger.IsType(text)
}
