package twiliosim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// ParseFaults reads Faults from JSON or YAML, with the field names of their
// YAML tags and durations as text. Unknown names are errors.
func ParseFaults(document []byte) (Faults, error) { return parse[Faults]("faults", document) }

// ParseCourse reads a Course, likewise.
func ParseCourse(document []byte) (Course, error) { return parse[Course]("course", document) }

// ParseOptions reads Options, likewise.
func ParseOptions(document []byte) (Options, error) { return parse[Options]("options", document) }

func (o *Options) validate() error { return errors.Join(o.Faults.validate(), o.Course.validate()) }

// parse reads a T. One that isn't valid is returned with the error.
func parse[T any, P interface {
	*T
	validate() error
}](what string, document []byte) (T, error) {
	// YAML contains JSON, except for tabs.
	var compact bytes.Buffer
	if json.Compact(&compact, document) == nil {
		document = compact.Bytes()
	}
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	decoder.KnownFields(true)
	var read, none T
	if err := decoder.Decode(&read); err != nil && !errors.Is(err, io.EOF) {
		return none, fmt.Errorf("read %s: %w", what, err)
	}
	return read, P(&read).validate()
}

// encode is the inverse of ParseFaults and ParseCourse, ready for JSON.
func encode(v any) (document any, err error) {
	text, err := yaml.Marshal(v)
	if err != nil {
		return nil, err
	}
	err = yaml.Unmarshal(text, &document)
	return document, err
}
