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
func ParseFaults(document []byte) (Faults, error) {
	var f Faults
	if err := parse(document, &f); err != nil {
		return Faults{}, fmt.Errorf("read faults: %w", err)
	}
	return f, f.validate()
}

// ParseOptions reads Options from JSON or YAML, likewise.
func ParseOptions(document []byte) (Options, error) {
	var o Options
	if err := parse(document, &o); err != nil {
		return Options{}, fmt.Errorf("read options: %w", err)
	}
	return o, errors.Join(o.Faults.validate(), o.Course.validate())
}

func parse(document []byte, into any) error {
	// YAML contains JSON, except for tabs.
	var compact bytes.Buffer
	if json.Compact(&compact, document) == nil {
		document = compact.Bytes()
	}
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
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
