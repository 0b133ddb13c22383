// Package trigger compiles FQL, Segment's filter query language, and asks
// compiled expressions whether they want an event, on the event's raw bytes.
//
//	or        = and { "or" and }
//	and       = not { "and" not }
//	not       = { "!" } ( "(" or ")" | predicate )
//	predicate = operand [ ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) operand | "in" ( list | path ) ]
//	operand   = string | number | "true" | "false" | "null" | path
//	          | ( "contains" | "match" ) "(" operand "," operand ")"
//	          | ( "lowercase" | "length" | "typeof" ) "(" operand ")"
//
// A path's keys are joined by dots; what isn't a letter of ASCII, a digit,
// "_" or "-" is escaped with a backslash (properties.product\ 1.price,
// properties.a\.b). Escaped brackets part keys too, and a key of digits also
// indexes a list: properties.tags\[0\]. Strings stand in double or single
// quotes and know JSON's escapes. Beside a field a word without quotes is a
// string, unless it is a path into the spec's fields. "and", "or" and "in" may be
// in capitals.
//
// What is missing is null. "=" wants the same type and value, so a number
// never equals a string. "<" and its like are true of numbers only. contains
// and match are true of strings only. "!" and "!=" are plain negation, also
// of what is missing. match takes "*", "?" and classes ("[a-z]"), which a
// backslash makes ordinary characters. length counts a string's bytes and a list's
// elements. A path into a field is a condition by
// itself: whether what lies there is true.
//
// docs/triggers.md is the same for users, docs/conformance.md lists where the
// hosted destination goes wrong and isn't followed.
//
// An event means what encoding/json and JSON.parse would make of it: of
// members with the same name the last one counts, escapes in keys and
// values count as what they stand for.
package trigger
