package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// screen shows a picture that changes, in the place where it was, when its
// writer is a terminal; otherwise only what is printed. One goroutine uses it.
type screen struct {
	w     io.Writer
	tty   bool
	color bool
	size  func() (width, height int)
	drawn int // lines of the picture on the terminal
}

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	plain  = "\x1b[0m"

	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
	// A terminal that knows these shows everything between them at once;
	// others ignore them (DEC private mode 2026).
	beginUpdate = "\x1b[?2026h"
	endUpdate   = "\x1b[?2026l"
)

// newScreen finds out whether w is a terminal. NO_COLOR is the convention of
// no-color.org.
func newScreen(w io.Writer, noColor bool) *screen {
	s := &screen{w: w, size: func() (int, int) { return 80, 24 }}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb" {
		s.tty = true
		s.color = !noColor && os.Getenv("NO_COLOR") == ""
		s.size = func() (int, int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 20 || height < 5 {
				return 80, 24
			}
			return width, height
		}
	}
	return s
}

// draw puts the picture in the place of the one before. Every line is
// overwritten, none is cleared first, so nothing flickers.
func (s *screen) draw(lines []string) {
	width, height := s.size()
	lines = lines[:min(len(lines), height-1)]
	var b strings.Builder
	b.WriteString(beginUpdate + hideCursor)
	s.home(&b)
	for _, line := range lines {
		b.WriteString(s.fit(line, width))
		b.WriteString(eraseRight + "\n")
	}
	b.WriteString(eraseBelow + endUpdate)
	s.drawn = len(lines)
	s.write(b.String())
}

// room is how wide what is printed may be; 0: any.
func (s *screen) room() int {
	if !s.tty {
		return 0
	}
	width, _ := s.size()
	return width
}

// print writes lines for good, in full, so that they can be copied; the next
// picture comes below them.
func (s *screen) print(lines ...string) {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(s.fit(line, 0) + "\n")
	}
	s.drawn = 0
	s.write(b.String())
}

// clear removes the picture and shows the cursor again.
func (s *screen) clear() {
	if !s.tty {
		return
	}
	var b strings.Builder
	s.home(&b)
	b.WriteString(eraseBelow + showCursor)
	s.drawn = 0
	s.write(b.String())
}

func (s *screen) home(b *strings.Builder) {
	if s.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r", s.drawn)
	}
}

func (s *screen) write(text string) { _, _ = io.WriteString(s.w, text) } // nowhere else to say it

// fit cuts a line to the width, 0 for any, and takes its styles away where
// they aren't wanted. Every character takes one column: what the demo shows
// has no others.
func (s *screen) fit(line string, width int) string {
	var b strings.Builder
	column, styled := 0, false
	for len(line) > 0 {
		if style, ok := leadingStyle(line); ok {
			line = line[len(style):]
			if s.color {
				b.WriteString(style)
				styled = style != plain
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		if column++; width > 0 && column > width {
			break
		}
		b.WriteRune(r)
		line = line[size:]
	}
	if styled {
		b.WriteString(plain)
	}
	return b.String()
}

// leadingStyle is the escape sequence that a line begins with.
func leadingStyle(line string) (string, bool) {
	if !strings.HasPrefix(line, "\x1b[") {
		return "", false
	}
	end := strings.IndexByte(line, 'm')
	return line[:end+1], end > 0
}

// wrap is a text behind a head, in lines of at most a width, broken at blanks
// only; those behind the first are indented as far, if there is room. Width 0 is
// any.
func wrap(head, text string, width int) []string {
	const least = 2
	indent := length(head)
	if 3*indent > 2*width {
		indent = least
	}
	lines, at := []string{head}, length(head)
	for i, word := range words(text) {
		switch n := length(word); {
		case width > 0 && i > 0 && at+1+n > width, width > 0 && i == 0 && at+n > width && at > least:
			blanks := indent
			if indent+n > width {
				blanks = least
			}
			lines, at = append(lines, strings.Repeat(" ", blanks)), blanks
		case i > 0:
			lines[len(lines)-1] += " "
			at++
		}
		lines[len(lines)-1] += word
		at += length(word)
	}
	return lines
}

// words are what may not be broken; a no-break space is a part of one.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
}

// command is a command to be copied, in as many lines as it takes.
func command(text string, width int) []string {
	lines := wrap("   ", text, max(0, width-len(" \\")))
	for i := range lines[:len(lines)-1] {
		lines[i] += " \\"
	}
	return lines
}

// styleEach is text with each of its words in a style, so that it can be
// wrapped.
func styleEach(style, text string) string {
	all := words(text)
	for i := range all {
		all[i] = styled(style, all[i])
	}
	return strings.Join(all, " ")
}

// styled is text in a style.
func styled(style, text string) string { return style + text + plain }

// column pads text to a width on its right, or with a negative width on its
// left. It counts characters, as fmt does, but not styles.
func column(text string, width int) string {
	pad := strings.Repeat(" ", max(0, max(width, -width)-length(text)))
	if width < 0 {
		return pad + text
	}
	return text + pad
}

// length is the characters of a text, without styles.
func length(text string) (n int) {
	for len(text) > 0 {
		if style, ok := leadingStyle(text); ok {
			text = text[len(style):]
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		n++
	}
	return n
}
