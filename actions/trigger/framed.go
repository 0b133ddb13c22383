package trigger

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// frame is how many bytes a schema registry's serializer puts before a value:
// the magic byte 0 and the schema's number.
const frame = 5

// SerializerError says that a value was written by a schema registry's
// serializer in a format that isn't JSON.
type SerializerError struct {
	Schema uint32 // its number in the registry
}

func (e *SerializerError) Error() string {
	return fmt.Sprintf("not JSON: a schema registry's Avro or Protobuf serializer wrote it (magic byte 0, schema %d); "+
		"publish with the JSON Schema serializer, or JSON without a registry", e.Schema)
}

// Unframed is a record's value without the five bytes of a schema registry's
// serializer, where JSON or nothing follows those; another value it returns as
// it is. The error is a *SerializerError. Without one, it allocates nothing.
func Unframed(value []byte) ([]byte, error) {
	if len(value) < frame || value[0] != 0 {
		return value, nil
	}
	start := skipSpace(value, frame)
	if start < len(value) && value[start] != '{' && !validAt(value, start) {
		return nil, &SerializerError{Schema: binary.BigEndian.Uint32(value[1:])}
	}
	return value[frame:], nil
}

// ParseRecord is Parse of a record's value, which may be framed (see Unframed).
// The error is a *MalformedError or a *SerializerError. Without one, it
// allocates nothing.
func ParseRecord(value []byte) (Event, error) {
	object, err := Unframed(value)
	if err != nil {
		return Event{}, err
	}
	e, err := Parse(object)
	if err != nil {
		if malformed, ok := errors.AsType[*MalformedError](err); ok {
			malformed.Offset += len(value) - len(object)
		}
	}
	return e, err
}
