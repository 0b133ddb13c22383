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
// properties.a\.b). A key of digits also indexes a list. Strings stand in
// double or single quotes and know JSON's escapes.
//
// What is missing is null. "=" wants the same type and value, so a number
// never equals a string. "<" and its like are true of numbers only. contains
// and match are true of strings only. "!" and "!=" are plain negation, also
// of what is missing. match takes "*" and "?", which a backslash makes
// ordinary characters. length counts a string's bytes and a list's
// elements. A path into a field is a condition by
// itself: whether what lies there is true.
//
// That is what the hosted destination does, with these differences, where it
// goes wrong: it knows no precedence between "and" and "or", drops "!" before
// a parenthesis, takes !contains, !match and != with a number as false of
// what is missing, != true as always true, null beside type and event as
// the string "null", and single quotes as part of a string.
//
// An event means what encoding/json and JSON.parse would make of it: of
// members with the same name the last one counts, escapes in keys and
// values count as what they stand for.
package trigger
