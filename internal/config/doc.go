// Package config reads the worker's configuration: one YAML file, strictly.
//
//	bytes ─ tree.go ─▶ nodes ─ keys.go ─▶ Config ─ check.go ─ compile.go ─▶ Config or Faults
//	         aliases, merges,   types, ranges,      between keys    triggers, mappings,
//	         duplicates, ${...} unknown keys                        templates
//
// A key is declared once, in keys.go: its name, meaning, type, default and
// bounds. Reading, Print, the tables of docs/configuration.md (Keys) and the
// JSON Schema (Schema) all follow from that; shape.go says how keys are put
// together, value.go which values there are. After a change,
//
//	go test ./internal/config -update
//
// writes the tables and docs/engage.schema.json.
//
// Each step goes on after a fault, so that all of them are reported at once,
// each with the line that it stands on. ${...} references are put in place
// after the YAML is parsed, so that what they hold can't change its structure.
//
// What came from a reference and what is a secret by its key is veiled: it is
// in no fault and printed as ***.
package config
