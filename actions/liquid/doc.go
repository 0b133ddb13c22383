// Package liquid renders message templates as the hosted destination does.
//
// That one renders with LiquidJS, and templates in use depend on its dialect:
// numbers are JavaScript's, any path into nothing is empty, arrays print
// without separators, "and" and "or" associate to the right. The dialect is
// made here:
//
//	source ─ lex ─ tokens ─▶ nest: blocks and clauses ─▶ tags: actions ─ render ─▶ text
//	                             └─ reader: expressions, values and filters ─┘
//
// lex finds tags, outputs and text by LiquidJS's rules and trims white space.
// What is compiled is kept as actions, one a tag, which is all that a rendering
// runs.
//
// Differences on purpose: unknown filters are errors, where LiquidJS lets the
// value through, and so is a comma behind a value, where it drops the rest;
// include, render and layout are, too, since there are no files to read; text is
// never cut inside a character; and rendering is bounded in time, output and
// memory.
package liquid
