package actions

import (
	"errors"
	"unsafe"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/trigger"
)

// Event is a decoded event. It is immutable and may be prepared for several
// actions, concurrently.
type Event struct {
	root      *jsvalue.Object
	messageID string
	userID    string
}

var errNotAnObject = errors.New("the event is not a JSON object")

// Decode decodes value once for all the actions that want it. Of a CloudEvent
// that holds an event that is the event; a schema registry's five bytes are
// none of it. The Event's texts, and those of what is prepared of it, are value's
// memory, which must not change any more. The error means that the event is malformed;
// it holds nothing of the event. An event that Match accepted can still fail here if
// it nests more than a thousand levels deep.
func (d *Destination) Decode(value []byte) (*Event, error) {
	object, err := trigger.Unframed(value)
	if err != nil {
		return nil, err
	}
	v, err := jsvalue.Decode(unsafe.String(unsafe.SliceData(object), len(object)))
	if err != nil {
		return nil, err
	}
	root, ok := v.(*jsvalue.Object)
	if !ok {
		return nil, errNotAnObject
	}
	root = openedRoot(root)
	return &Event{root: root, messageID: idOf(root, "messageId"), userID: idOf(root, "userId")}, nil
}

// idOf is a member that should be a string, but may be a number.
func idOf(root *jsvalue.Object, name string) string {
	if text, ok := root.Text(name); ok {
		return text
	}
	value, _ := root.Get(name)
	if number, ok := value.(float64); ok {
		return jsvalue.FormatNumber(number)
	}
	return ""
}

// MessageID is the event's messageId, or "".
func (e *Event) MessageID() string { return e.messageID }

// UserID is the event's userId, or "".
func (e *Event) UserID() string { return e.userID }
