package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"engage-worker/actions/jsvalue"
	"engage-worker/internal/config/form"
)

func TestSchemaIsWritten(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/engage.schema.json", string(text))
}

// schemaError is what an editor says of a file: the schema sees what stands
// there, with merges done and references as they are written.
func schemaError(t *testing.T, text string) (err error, readable bool) {
	t.Helper()
	written, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("urn:engage-worker:configuration", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("urn:engage-worker:configuration")
	if err != nil {
		t.Fatal(err)
	}
	r := &form.Reader{File: "engage.yaml", SkipEnv: true}
	root := r.Tree([]byte(text))
	if readable = root != nil && r.Err() == nil; !readable {
		return nil, false
	}
	return schema.Validate(plain(root.Object())), true
}

// plain is v with Go's maps for objects.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for key, value := range v {
			m[key] = plain(value)
		}
		return m
	case *jsvalue.Object:
		m := map[string]any{}
		for key, value := range v.All() {
			m[key] = plain(value)
		}
		return m
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return items
	default:
		return v
	}
}

// beyondSchema are the broken configurations of TestFaults that no JSON Schema
// can tell: what lies between keys, or in files.
var beyondSchema = []string{
	"commits too rare", "sessions too short", "login", "login without a mechanism", "login by a file that isn't there", "login at Amazon's", "a derived topic's name is too long", "topics collide", "files", "half a pair", "a desk for all, and no token", "a desk by a name that only looks like loopback", "a desk's short token", "half a desk's pair",
}

// TestSchemaRefusesWhatTheCheckerDoes, and takes what the checker takes.
func TestSchemaRefusesWhatTheCheckerDoes(t *testing.T) {
	for _, test := range brokenConfigurations() {
		err, readable := schemaError(t, test.text)
		if beyond := slices.Contains(beyondSchema, test.name); readable && (err == nil) != beyond {
			t.Errorf("%s: %v, beyond the schema: %v", test.name, err, beyond)
		}
	}
	for _, text := range append(goodConfigurations(t), good) {
		if err, readable := schemaError(t, text); err != nil || !readable {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// Each value alone: the schema and the checker agree on it.
func TestSchemaAgreesOnValues(t *testing.T) {
	for key, values := range map[string][]string{
		"kafka: {topic: %s}":       {"a", "\"\"", "a b", "5", "true", "[a]", "\"${X}\"", "", "\"..a\""},
		"kafka: {startOffset: %s}": {"latest", "LATEST", "Latest", "late", "\"${X}\"", "1", ""},
		"kafka: {brokers: %s}":     {"a:1", "\"a:1, b:2\"", "[a:1, \"b:2\"]", "[]", "-localhost:9092", "a", "\"${X}\"", "[\"${X}\"]", "{a: 1}"},
		"kafka: {sasl: {mechanism: %s, username: a, password: b}}": {"plain", "PLAIN", "SCRAM-SHA-512", "scram-sha-1"},
		"kafka: {tls: {enabled: %s}}":                              {"true", "True", "\"true\"", "yes", "1", "\"${X}\""},
		"shutdownTimeout: %s":                                      {"1s", "1m30s", "\"0.5h\"", "0", "5", "-1s", "1 s", "\" 1s \"", "1", "0.01d", "soon", "\"${X}\""},
		"delivery: {maxEventAge: %s}":                              {"0", "\"0\"", "7d", "1d12h", "24h", "1", "d", "0.0", "\"-0\""},
		"delivery: {attempts: %s}":                                 {"1", "1.0", "0", "101", "1.5", "\"3\"", "1e1", "\"${X}\""},
		"regions: {a: {rate: %s}}":                                 {"0.5", "0", "-1", "1000000", "1000001", "\"${X}\"", "~"},
		"regions: {%s: {}}":                                        {"a", "a.b", "-a", "a_b", "_0123456789-0123456789-0123456789-0123456789-0123456789-012345678", "a0123456789-0123456789-0123456789-0123456789-0123456789-0123456789"},
		"regions: {a: %s}":                                         {"{}", "~", "1", "{rat: 1}"},
		"regions: {a: {senders: {%s: {rate: 1}}}}":                 {"MG1", "\"+15005550006\"", "\"whatsapp:+15005550006\"", "\"12345\"", "My Shop", "\"a!\"", "\"\"", "\" a\""},
		"regions: {a: {senders: {MG1: %s}}}":                       {"{rate: 0.5}", "{}", "~", "{rat: 1}"},
		"http: {listen: %s}":                                       {"\":1\"", "\"a:1\"", "\"a\"", "\":x\"", "8080", "\"${X}\""},
		"x-%s: {a: [1, {b: c}]}":                                   {"a", "", "kafka"},
		"y-%s: {}":                                                 {"a"},
	} {
		for _, value := range values {
			text := sprintf(key, value) + "\n" + good
			err, readable := schemaError(t, text)
			_, checked := load(text, map[string]string{"X": "1"}, nil)
			if skipped := (&loader{skipEnv: true}); readable {
				skipped.compile = compileNothing
				_, checked = skipped.parse("engage.yaml", []byte(text), 0o600)
			}
			if readable && (err == nil) != (checked == nil) {
				t.Errorf("%s\nthe schema: %v\nthe checker: %v", text, err, checked)
			}
		}
	}
}

// TestSchemaKnowsTheFieldsOfAMapping: an editor offers them, and marks another.
func TestSchemaKnowsTheFieldsOfAMapping(t *testing.T) {
	for field, ok := range map[string]bool{"body": true, "contentVariables": true, "validityPeriod": true, "bodi": false, "Body": false} {
		text := strings.Replace(good, "mapping: {}", "mapping: {from: MG1, "+field+": x}", 1)
		if err, readable := schemaError(t, text); !readable || (err == nil) != ok {
			t.Errorf("%s: %v", field, err)
		}
	}
}
