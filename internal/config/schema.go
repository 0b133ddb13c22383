package config

import (
	"bytes"
	"encoding/json"
)

// Schema is the JSON Schema of a configuration file, for editors: what Load
// refuses for its keys, types, words and bounds, it refuses. Load knows more.
func Schema() ([]byte, error) {
	s := shapeOf(Default()).Schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = "urn:engage-worker:configuration"
	s["title"] = "Configuration of engage-worker"
	s["patternProperties"] = map[string]any{"^x-": map[string]any{"description": "Anything, for anchors."}}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(s)
	return out.Bytes(), err
}
