// Package docs holds what of the documentation the program itself uses.
package docs

import _ "embed"

// EventSchema is the JSON Schema of an event, as producers should send it.
//
//go:embed event.schema.json
var EventSchema []byte
