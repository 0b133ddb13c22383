package liquid

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader reads expressions from a range of a template's source, by LiquidJS's
// grammar, which is lenient in places: what a value could be read from is one.
type reader struct {
	source  string
	at, end int
	depth   int // of values inside of values
	*vocabulary
}

// maxNesting bounds how deep values, and blocks, may nest.
const maxNesting = 100

// isBlank tells what LiquidJS takes as white space.
func isBlank(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\v', '\f', '\r', 0xA0, 0x1680, 0x180E, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// isWord tells what LiquidJS takes as part of a name: ASCII letters, digits,
// "_", "-", "?", and all of Unicode but its white space and curly quotes.
func isWord(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '?':
		return true
	case r < utf8.RuneSelf:
		return false
	}
	return !isBlank(r) && r != 0x201C && r != 0x201D
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (r *reader) fail(format string, args ...any) error {
	return errorAt(r.source, r.at, format, args...)
}

// rest is what is still to be read, shortened, for an error.
func (r *reader) rest() string {
	s := shown(r.source[min(r.at, r.end):r.end])
	if utf8.RuneCountInString(s) > 32 {
		s = string([]rune(s)[:29]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

func (r *reader) done() bool { return r.at >= r.end }

// peek is the n-th byte ahead, or 0.
func (r *reader) peek(n int) byte {
	if r.at+n >= r.end {
		return 0
	}
	return r.source[r.at+n]
}

// rune is the character at a place, and its size: 0 at the end. A hole is none
// that is blank or part of a name.
func (r *reader) rune(at int) (rune, int) {
	if at >= r.end {
		return 0, 0
	}
	if r.source[at] == hole {
		return -1, 1
	}
	return utf8.DecodeRuneInString(r.source[at:r.end])
}

func (r *reader) blanks() {
	for {
		c, size := r.rune(r.at)
		if size == 0 || !isBlank(c) {
			return
		}
		r.at += size
	}
}

// identifier reads a name, which may be empty.
func (r *reader) identifier() string {
	r.blanks()
	start := r.at
	for {
		c, size := r.rune(r.at)
		if size == 0 || !isWord(c) {
			return r.source[start:r.at]
		}
		r.at += size
	}
}

func (r *reader) tagName() string {
	r.blanks()
	if r.peek(0) == '#' {
		r.at++
		return "#"
	}
	return r.identifier()
}

// skipTo moves behind the next s, or to the end.
func (r *reader) skipTo(s string) bool {
	if r.done() {
		return false
	}
	if i := strings.Index(r.source[r.at:r.end], s); i >= 0 {
		r.at += i + len(s)
		return true
	}
	r.at = r.end
	return false
}

// word reads one of the words, those of letters only at their boundary.
func (r *reader) word(words ...string) (string, bool) {
	r.blanks()
	found := ""
	for _, w := range words {
		if len(w) > len(found) && strings.HasPrefix(r.source[min(r.at, r.end):r.end], w) {
			found = w
		}
	}
	if found == "" {
		return "", false
	}
	if last := rune(found[len(found)-1]); isWord(last) {
		if next, size := r.rune(r.at + len(found)); size > 0 && isWord(next) {
			return "", false
		}
	}
	r.at += len(found)
	return found, true
}

// expression reads operands and operators as far as they go.
func (r *reader) expression() (expression, error) {
	var e expression
	var pending []operator
	for !r.done() {
		if w, ok := r.word("==", "!=", ">=", "<=", ">", "<", "contains", "not", "and", "or"); ok {
			op := operatorOf(w)
			for len(pending) > 0 && pending[len(pending)-1].precedence() > op.precedence() {
				e.add(step{op: pending[len(pending)-1]})
				pending = pending[:len(pending)-1]
			}
			pending = append(pending, op)
			continue
		}
		start := r.at
		v, err := r.value()
		if err != nil {
			return e, err
		}
		if v == nil {
			r.at = start
			r.blanks()
			break
		}
		e.add(step{value: v})
	}
	for len(pending) > 0 {
		e.add(step{op: pending[len(pending)-1]})
		pending = pending[:len(pending)-1]
	}
	return e, nil
}

// filtered reads an expression and its filters, which have to end the range.
func (r *reader) filtered() (filtered, error) {
	var f filtered
	var err error
	if f.initial, err = r.expression(); err != nil {
		return f, err
	}
	if len(f.initial.steps) == 0 {
		return f, r.fail("a value is expected here, not %s", r.rest())
	}
	for {
		r.blanks()
		if r.done() {
			return f, nil
		}
		if r.peek(0) != '|' {
			return f, r.fail("%s is not expected here; filters start with |", r.rest())
		}
		r.at++
		call, ok, err := r.filter()
		if err != nil {
			return f, err
		}
		if !ok {
			return f, nil
		}
		call.fix()
		f.filters = append(f.filters, call)
	}
}

// filter reads a filter's name and arguments. A "|" with nothing behind it is
// none.
func (r *reader) filter() (call, bool, error) {
	r.blanks()
	c := call{at: r.at}
	c.name = r.identifier()
	if c.name == "" {
		if r.done() {
			return c, false, nil
		}
		return c, false, r.fail("the name of a filter is expected, not %s", r.rest())
	}
	apply, ok := r.filterNamed(c.name)
	if !ok {
		return c, false, errorAt(r.source, c.at, "there is no filter %q", c.name)
	}
	c.apply = apply
	if err := r.arguments(&c); err != nil {
		return c, false, err
	}
	return c, true, r.fit(&c)
}

// fit refuses arguments that a filter can't mean.
func (r *reader) fit(c *call) error {
	switch c.name {
	case "where_exp", "reject_exp", "find_exp", "find_index_exp", "has_exp", "group_by_exp":
		// Otherwise an event could say what is evaluated.
		if len(c.args) < 2 {
			return errorAt(r.source, c.at, "%s needs the name of an item and an expression", c.name)
		}
		fixed, _ := c.args[1].value.(constant)
		if _, ok := fixed.value.(string); !ok || c.args[1].name != "" {
			return errorAt(r.source, c.at, "%s takes its expression in quotes, not out of a variable", c.name)
		}
	case "default":
		if len(c.args) > 1 && c.args[0].name != "" && c.args[1].name == "" {
			return errorAt(r.source, c.at, "default's value stands in front of %s", c.args[0].name)
		}
	}
	return nil
}

// arguments reads a filter's arguments, if it has any.
func (r *reader) arguments(c *call) error {
	r.blanks()
	switch {
	case r.done(), r.peek(0) == '|':
		return nil
	case r.peek(0) != ':':
		return r.fail("a filter's arguments start with a colon, not with %s", r.rest())
	}
	for {
		r.at++ // the colon or a comma
		arg, err := r.argument()
		if err != nil {
			return err
		}
		if arg.value != nil || arg.name != "" {
			c.args = append(c.args, arg)
		}
		r.blanks()
		if r.peek(0) == ',' && !r.done() {
			continue
		}
		if !r.done() && r.peek(0) != '|' {
			return r.fail("%s is not expected in a filter's arguments", r.rest())
		}
		return nil
	}
}

// argument is a filter's argument; name is set for "name: value".
type argument struct {
	name  string
	value operand
}

func (r *reader) argument() (argument, error) {
	r.blanks()
	start, read := r.at, len(r.variables)
	v, err := r.value()
	if err != nil || v == nil {
		return argument{}, err
	}
	text := r.source[start:min(r.at, r.end)]
	r.blanks()
	if r.peek(0) != ':' {
		return argument{value: v}, nil
	}
	r.variables = r.variables[:read] // it was a name
	r.at++
	v, err = r.value()
	return argument{name: text, value: v}, err
}

// hash reads "name: value" and single names, as many as there are.
func (r *reader) hash() ([]argument, error) {
	var args []argument
	for {
		r.blanks()
		if r.peek(0) == ',' {
			r.at++
		}
		name := r.identifier()
		if name == "" {
			return args, nil
		}
		r.blanks()
		arg := argument{name: name}
		if r.peek(0) == ':' {
			r.at++
			var err error
			if arg.value, err = r.value(); err != nil {
				return args, err
			}
		}
		args = append(args, arg)
	}
}

// value reads a literal, a string, a range, a number or a variable, and the
// properties behind it. Where there is none it is nil.
func (r *reader) value() (operand, error) {
	if r.depth++; r.depth > maxNesting {
		return nil, r.fail("values nest more than %d deep", maxNesting)
	}
	defer func() { r.depth-- }()
	r.blanks()
	start := r.at
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	keys, err := r.properties(base == nil)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return base, nil
	}
	p := newPath(base, keys, r.source[start:min(r.at, r.end)])
	r.reads(p, start)
	return p, nil
}

// required reads a value that must be there.
func (r *reader) required() (operand, error) {
	v, err := r.value()
	if err == nil && v == nil {
		err = r.fail("a value is expected here, not %s", r.rest())
	}
	return v, err
}

func (r *reader) base() (operand, error) {
	if w, ok := r.word("true", "false", "nil", "null", "empty", "blank"); ok {
		switch w {
		case "true", "false":
			return constant{w == "true"}, nil
		case "empty":
			return constant{emptyDrop{}}, nil
		case "blank":
			return constant{blankDrop{}}, nil
		}
		return constant{nilDrop{}}, nil
	}
	switch c := r.peek(0); {
	case r.done():
		return nil, nil
	case c == hole:
		r.at++
		return r.filled("\xff", r.at-1), nil
	case c == '"', c == '\'':
		at := r.at
		return r.filled(r.quoted(), at), nil
	case c == '(':
		return r.span()
	}
	if n, ok := r.number(); ok {
		return constant{n}, nil
	}
	return nil, nil
}

func (r *reader) span() (operand, error) {
	r.at++
	low, err := r.required()
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.peek(0) != '.' || r.peek(1) != '.' {
		return nil, r.fail("a range's .. is expected here, not %s", r.rest())
	}
	r.at += 2
	high, err := r.required()
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.peek(0) != ')' {
		return nil, r.fail("a range is closed with ), not with %s", r.rest())
	}
	r.at++
	return span{low, high}, nil
}

// number reads a decimal number. What goes on as a name is none.
func (r *reader) number() (float64, bool) {
	n := 0
	if c := r.peek(0); c == '-' || c == '+' {
		n++
	}
	point, digits := false, false
	for r.at+n <= r.end {
		c := r.peek(n)
		if isDigit(c) {
			digits = true
		} else if c == '.' && r.peek(n+1) != '.' {
			if point || !digits {
				return 0, false
			}
			point = true
		} else {
			break
		}
		n++
	}
	next, size := r.rune(r.at + n)
	if !digits || size > 0 && isWord(next) {
		return 0, false
	}
	f, err := strconv.ParseFloat(r.source[r.at:r.at+n], 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	r.at += n
	return f, true
}

// quoted reads a string from its quote to the same quote, or the end.
func (r *reader) quoted() string {
	quote := r.source[r.at]
	start := r.at
	r.at++
	for escaped := false; r.at < r.end; {
		c := r.source[r.at]
		r.at++
		if c == quote && !escaped {
			break
		}
		escaped = !escaped && c == '\\'
	}
	// LiquidJS takes off the last character even when the quote is missing.
	text := r.source[start+1 : r.at]
	if len(text) > 0 {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	if strings.IndexByte(text, hole) < 0 {
		return unescape(text)
	}
	parts := strings.Split(text, "\xff")
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	return strings.Join(parts, "\xff")
}

// unescape resolves a string's escapes: the usual letters, \u and up to four
// hexadecimal digits, up to three octal ones; any other character stands for
// itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var units []uint16
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if c != '\\' {
			units = utf16.AppendRune(units, c)
			continue
		}
		if i == len(s) {
			break
		}
		c, size = utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.ContainsRune("bfnrtv", c):
			units = append(units, uint16("\b\f\n\r\t\v"[strings.IndexRune("bfnrtv", c)]))
			i += size
		case c == 'u':
			n, used := digits(s[i+1:], 4, 16)
			units = append(units, uint16(n))
			i += 1 + used
		case c >= '0' && c <= '7':
			n, used := digits(s[i:], 3, 8)
			units = append(units, uint16(n))
			i += used
		default:
			units = utf16.AppendRune(units, c)
			i += size
		}
	}
	return string(utf16.Decode(units))
}

// digits reads up to most digits of a base.
func digits(s string, most int, base uint64) (n uint64, used int) {
	for used < most && used < len(s) {
		d, err := strconv.ParseUint(s[used:used+1], int(base), 8)
		if err != nil {
			break
		}
		n = n*base + d
		used++
	}
	return n, used
}

// properties reads .name and [value], as many as there are; first allows a
// name in front.
func (r *reader) properties(first bool) ([]operand, error) {
	var keys []operand
	for {
		switch {
		case r.peek(0) == '[':
			r.at++
			key, err := r.value()
			if err != nil {
				return nil, err
			}
			if key == nil {
				key = constant{""}
			}
			if !r.skipTo("]") {
				return nil, r.fail("[ is not closed with ]")
			}
			keys = append(keys, key)
			continue
		case first && len(keys) == 0:
			if name := r.identifier(); name != "" {
				keys = append(keys, constant{name})
				continue
			}
		}
		if r.peek(0) != '.' || r.peek(1) == '.' {
			return keys, nil
		}
		r.at++
		name := r.identifier()
		if name == "" {
			return keys, nil
		}
		keys = append(keys, constant{name})
	}
}
