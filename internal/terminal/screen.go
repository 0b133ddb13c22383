package terminal

import (
	"encoding/json"
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// Screen is where text for people goes.
type Screen struct {
	io.Writer
	Width  int  // of the terminal; 0: no terminal, lines may be long
	Styled bool // bold may be used
}

// ScreenOf finds out what w is.
func ScreenOf(w io.Writer) Screen {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return Screen{Writer: w}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return Screen{w, width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Bold is text in bold on a terminal.
func (s Screen) Bold(text string) string {
	if !s.Styled {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// JSONLines writes a value a line to w, with < and & as they are, and as
// EscapeJSON has it.
func JSONLines(w io.Writer) *json.Encoder {
	lines := json.NewEncoder(JSON{To: w})
	lines.SetEscapeHTML(false)
	return lines
}

// Thousands writes n, which isn't negative, with commas.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// Plural is a number of things whose name takes an s.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Thousands(n) + " " + noun + "s"
}
