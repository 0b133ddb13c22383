// Package config reads the worker's configuration: one YAML file, strictly.
//
//	bytes ─ tree.go ─▶ nodes ─ shape.go, schema.go ─▶ Config ─ check.go ─ compile.go ─▶ Config or Faults
//	         aliases, merges,      types, ranges,        between keys    triggers, mappings,
//	         duplicates, ${...}    unknown keys                          templates
//
// Each step goes on after a fault, so that all of them are reported at once,
// each with the line that it stands on. ${...} references are put in place
// after the YAML is parsed, so that what they hold can't change its structure.
//
// What came from a reference and what is a secret by its key is veiled: it is
// in no fault and printed as ***.
package config
