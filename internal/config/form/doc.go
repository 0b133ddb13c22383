// Package form reads a YAML file, strictly, by the shape that is declared for it.
//
//	bytes ─ Reader.Tree ─▶ Nodes ─ Shape.Read ─▶ values, or Faults
//	         aliases, merges,       types, ranges,
//	         duplicates, ${...}     unknown keys
//
// A Shape is a place of the file: what may stand there, where it goes, its default.
// Reading, Print, the documentation (Keys) and the JSON Schema (Shape.Schema) all
// follow from it; Object, List and Named put shapes together, Text, Whole, Duration
// and the others are what values there are.
//
// A good third of it is messages: a fault says what is wrong, where, and the way
// out, which the YAML library's own errors don't.
//
// Each step goes on after a fault, so that all of them are reported at once, each
// with the line that it stands on. ${...} references are put in place after the
// YAML is parsed, so that what they hold can't change its structure.
//
// What came from a reference and what is a secret by its key is veiled: it is
// in no fault and printed as ***.
package form
