// Package mapping resolves Mapping Kit directives: a destination's fields are
// JSON values in which {"@path": "$.userId"} and the like stand for what the
// event has there.
//
//	Compile       a field's value, as configured  -> Value, or all its faults
//	Value.Resolve Value and event                 -> what the field is for this event
//
// It behaves as the hosted kit does, quirks included, for mappings that the
// hosted kit can resolve at all: the order of keys, JavaScript's numbers and
// its undefined, which makes a field absent. What could never resolve there is
// a fault here, found before any event. An @if with "blank" chooses "then"
// when the value is NOT blank; that's what the hosted kit does and mappings
// rely on.
package mapping
