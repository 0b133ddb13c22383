package sample

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"engage-worker/actions/trigger"
)

const docs = "../../../docs"

func eventSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(docs, "event.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, event []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// TestExamples holds the documentation's examples to its schema, and to what
// it says of them.
func TestExamples(t *testing.T) {
	schema := eventSchema(t)
	wants, err := trigger.Compile(`type = "track" and event = "Audience Entered"`)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(docs, "examples", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	matches := map[string]bool{}
	for _, file := range files {
		event, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := trigger.Valid(event); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := validate(t, schema, event); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		matches[filepath.Base(file)] = wants.Match(event)
	}
	if want := map[string]bool{
		"audience-entered.json": true,
		"audience-exited.json":  false,
		"identify.json":         false,
		"rudderstack.json":      true,
		"whatsapp.json":         true,
	}; !reflect.DeepEqual(matches, want) {
		t.Errorf("the default trigger wants %v", matches)
	}
}

func TestGeneratedEventsFitTheSchema(t *testing.T) {
	schema := eventSchema(t)
	for _, ev := range take(New(5, Mix()), 2_000) {
		if ev.Kind == Malformed || ev.Kind == InvalidStatus { // which are wrong on purpose
			continue
		}
		if err := validate(t, schema, ev.Value); err != nil {
			t.Fatalf("%s: %v", ev.Value, err)
		}
	}
}

// TestSchemaRefuses: each change makes a good event a bad one.
func TestSchemaRefuses(t *testing.T) {
	schema := eventSchema(t)
	good, err := os.ReadFile(filepath.Join(docs, "examples", "audience-entered.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(event map[string]any){
		"no type":            func(e map[string]any) { delete(e, "type") },
		"unknown type":       func(e map[string]any) { e["type"] = "Track" },
		"no event":           func(e map[string]any) { delete(e, "event") },
		"nobody":             func(e map[string]any) { delete(e, "userId") },
		"null user":          func(e map[string]any) { e["userId"] = nil },
		"numeric user":       func(e map[string]any) { e["userId"] = 5 },
		"no messageId":       func(e map[string]any) { delete(e, "messageId") },
		"empty messageId":    func(e map[string]any) { e["messageId"] = "" },
		"day as timestamp":   func(e map[string]any) { e["timestamp"] = "2026-11-01" },
		"properties a list":  func(e map[string]any) { e["properties"] = []any{} },
		"recipient's number": func(e map[string]any) { recipient(e)["id"] = "555-1234" },
		"recipient a number": func(e map[string]any) { recipient(e)["id"] = 15551234567 },
		"status a number":    func(e map[string]any) { recipient(e)["isSubscribed"] = 1 },
		"status yes":         func(e map[string]any) { recipient(e)["isSubscribed"] = "yes" },
		"type mobile":        func(e map[string]any) { recipient(e)["type"] = "mobile" },
		"channel text":       func(e map[string]any) { recipient(e)["channelType"] = "text" },
		"externalIds":        func(e map[string]any) { e["externalIds"] = e["external_ids"] },
		"recipient untyped":  func(e map[string]any) { delete(recipient(e), "type") },
	} {
		t.Run(name, func(t *testing.T) {
			var event map[string]any
			if err := json.Unmarshal(good, &event); err != nil {
				t.Fatal(err)
			}
			change(event)
			if err := validate(t, schema, encode(event)); err == nil {
				t.Error("the schema takes it")
			}
		})
	}
}

func recipient(event map[string]any) map[string]any {
	return event["external_ids"].([]any)[1].(map[string]any)
}
