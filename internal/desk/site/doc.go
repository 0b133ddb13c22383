// Package site is how the desk's pages look: the templates, their words and bars, and
// the static files, all of which are in the program.
//
//	_layout.html ─┐
//	NAME.html    ─┴─▶ Page(NAME, view) ─▶ HTML, in which all that is shown is text
//	static/      ───▶ Static ─▶ files that never change under their address
//
// It knows of no page what it shows: whoever has one shown hands its view over.
package site
