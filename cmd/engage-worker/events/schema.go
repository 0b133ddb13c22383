package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"engage-worker/docs"
	"engage-worker/internal/nearest"
)

// eventSchema says what of an event isn't as docs/event.schema.json wants it.
type eventSchema struct {
	schema  *jsonschema.Schema
	meaning map[string]string // of each member, by its name
	members []string          // at the top
}

func newEventSchema() (*eventSchema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.EventSchema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("event", document); err != nil {
		return nil, err
	}
	s := &eventSchema{meaning: map[string]string{}}
	if s.schema, err = compiler.Compile("event"); err != nil {
		return nil, err
	}
	type members map[string]struct{ Description string }
	var described struct {
		Properties members
		Defs       map[string]struct{ Properties members } `json:"$defs"`
	}
	if err := json.Unmarshal(docs.EventSchema, &described); err != nil {
		return nil, err
	}
	for name, m := range described.Defs["externalId"].Properties {
		s.meaning[name+"@external_ids"] = m.Description
	}
	for name, m := range described.Properties {
		s.meaning[name] = m.Description
		s.members = append(s.members, name)
	}
	slices.Sort(s.members)
	return s, nil
}

// faults are what is wrong with an event that is a JSON object, in sentences
// that hold no value of it.
func (s *eventSchema) faults(event []byte) (faults []string) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		return nil // malformed, which is told otherwise
	}
	var invalid *jsonschema.ValidationError
	if err := s.schema.Validate(value); !errors.As(err, &invalid) {
		return nil
	}
	var leaves func(e *jsonschema.ValidationError)
	leaves = func(e *jsonschema.ValidationError) {
		_, either := e.ErrorKind.(*kind.AnyOf)
		_, names := e.ErrorKind.(*kind.PropertyNames)
		if len(e.Causes) > 0 && !either && !names {
			for _, cause := range e.Causes {
				leaves(cause)
			}
			return
		}
		if fault := s.fault(e); !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	leaves(invalid)
	slices.Sort(faults)
	return faults
}

func (s *eventSchema) fault(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		missing := strings.Join(append(slices.Clone(e.InstanceLocation), strings.Join(k.Missing, " and ")), ".")
		if len(k.Missing) > 1 {
			return missing + " are missing"
		}
		return missing + " is missing"
	case *kind.PropertyNames:
		if known, ok := nearest.Name(strings.ReplaceAll(k.Property, "_", ""), s.members); ok {
			return k.Property + " is no member of an event; is it " + known + "?"
		}
		return k.Property + " is no member of an event"
	case *kind.AnyOf:
		if len(e.InstanceLocation) == 0 {
			return "userId and anonymousId are missing: one is needed"
		}
	}
	if len(e.InstanceLocation) == 0 {
		return "it isn't as the schema wants it"
	}
	name := e.InstanceLocation[len(e.InstanceLocation)-1]
	meaning := s.meaning[name]
	if e.InstanceLocation[0] == "external_ids" {
		meaning = s.meaning[name+"@external_ids"]
	}
	place := strings.Join(e.InstanceLocation, ".")
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return fmt.Sprintf("%s must be %s, not %s", place, strings.Join(k.Want, " or "), k.Got)
	case *kind.Format:
		return place + " must be a time as in 2026-11-01T10:00:00Z (RFC 3339)"
	case *kind.Enum:
		return fmt.Sprintf("%s must be one of %s", place, strings.Trim(fmt.Sprint(k.Want), "[]"))
	}
	if meaning == "" {
		return place + " isn't as the schema wants it"
	}
	return place + " isn't what it should be: " + strings.TrimSuffix(meaning, ".")
}

// unlike is what is wrong with an event as an error, or nil.
func unlike(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return errors.New("isn't as the schema wants it: " + strings.Join(faults, "; "))
}

var (
	csvHeader = regexp.MustCompile(`^[\w" .-]+([,;\t][\w" .-]+)+$`)
	errCSV    = errors.New("this looks like a table (CSV), whose lines are no events; make each row a JSON object, a line each: {\"type\":\"track\",...}")
)

// looksLikeCSV reports whether the first line of a file is a table's.
func looksLikeCSV(line []byte) bool {
	return !json.Valid(line) && csvHeader.Match(line)
}
