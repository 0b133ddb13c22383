// Package config reads the worker's configuration: one YAML file, strictly.
//
//	bytes ─ form ─▶ nodes ─ keys.go ─▶ Config ─ check.go ─ compile.go ─▶ Config or Faults
//	                         types, ranges,      between keys    triggers, mappings,
//	                         unknown keys                        templates
//
// A key is declared once, in keys.go: its name, meaning, type, default and
// bounds. Reading, Print, the tables of docs/configuration.md (Keys) and the
// JSON Schema (Schema) all follow from that, as package form says. After a change,
//
//	go test ./internal/config -update
//
// writes the tables and docs/engage.schema.json.
package config
