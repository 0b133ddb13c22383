package trigger

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

const (
	maxExpr    = 64 << 10 // bytes
	maxNesting = 100      // parentheses in parentheses
)

const (
	tokenPath lexer.TokenType = iota + 1
	tokenKeyword
	tokenString
	tokenNumber
	tokenPunct
)

// tokens is the lexer, and its own definition.
type tokens struct{}

func (tokens) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF":     lexer.EOF,
		"Path":    tokenPath,
		"Keyword": tokenKeyword,
		"String":  tokenString,
		"Number":  tokenNumber,
		"Punct":   tokenPunct,
	}
}

func (d tokens) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return d.LexString(name, string(b))
}

func (tokens) LexString(_, expr string) (lexer.Lexer, error) {
	l := &exprLexer{expr: expr}
	if len(expr) > maxExpr {
		return nil, l.fault(0, "longer than %d bytes", maxExpr)
	}
	for i, r := range expr {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(expr[i:]); size == 1 {
				return nil, l.fault(i, "not UTF-8")
			}
		}
	}
	return l, nil
}

type exprLexer struct {
	expr  string
	at    int
	depth int
}

func (l *exprLexer) fault(at int, format string, args ...any) error {
	return &SyntaxError{Expr: l.expr, Offset: at, Message: fmt.Sprintf(format, args...)}
}

// Next cuts the next token off. A token's text is as written, quotes and
// escapes included; a keyword's is in lower case.
func (l *exprLexer) Next() (lexer.Token, error) {
	for l.at < len(l.expr) && strings.IndexByte(" \t\r\n", l.expr[l.at]) >= 0 {
		l.at++
	}
	start := l.at
	kind, err := l.scan()
	if err != nil {
		return lexer.Token{}, err
	}
	text := l.expr[start:l.at]
	if kind == tokenKeyword {
		text = strings.ToLower(text)
	}
	return lexer.Token{Type: kind, Value: text, Pos: lexer.Position{Offset: start, Line: 1, Column: start + 1}}, nil
}

func (l *exprLexer) scan() (lexer.TokenType, error) {
	rest := l.expr[l.at:]
	if rest == "" {
		return lexer.EOF, nil
	}
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return tokenString, l.scanString(c)
	case isDigit(c) || c == '-' || c == '+':
		return tokenNumber, l.scanNumber()
	case isKeyByte(c) || c == '\\':
		start := l.at
		if err := l.scanPath(); err != nil {
			return 0, err
		}
		if isKeyword(l.expr[start:l.at]) {
			return tokenKeyword, nil
		}
		return tokenPath, nil
	case strings.HasPrefix(rest, "!="), strings.HasPrefix(rest, "<="), strings.HasPrefix(rest, ">="):
		l.at += 2
		return tokenPunct, nil
	case strings.IndexByte("()[],!=<>", c) >= 0:
		if c == '(' {
			l.depth++
		} else if c == ')' {
			l.depth--
		}
		if l.depth > maxNesting {
			return 0, l.fault(l.at, "nested deeper than %d parentheses", maxNesting)
		}
		l.at++
		return tokenPunct, nil
	default:
		return 0, l.stranger(rest)
	}
}

// stranger is the fault of a character that begins no token.
func (l *exprLexer) stranger(rest string) error {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case strings.HasPrefix(rest, "&&"):
		return l.fault(l.at, "unexpected &&; it is written and")
	case strings.HasPrefix(rest, "||"):
		return l.fault(l.at, "unexpected ||; it is written or")
	default:
		return l.fault(l.at, "unexpected %q; a text needs quotes, in a field's name it must be escaped with a backslash", r)
	}
}

func (l *exprLexer) scanString(quote byte) error {
	for i := l.at + 1; i < len(l.expr); i++ {
		switch l.expr[i] {
		case quote:
			l.at = i + 1
			return nil
		case '\\':
			i++
		}
	}
	return l.fault(l.at, "the string isn't closed")
}

func (l *exprLexer) scanNumber() error {
	i := l.at
	if !isDigit(l.expr[i]) {
		i++
	}
	digits := func() bool {
		start := i
		for i < len(l.expr) && isDigit(l.expr[i]) {
			i++
		}
		return i > start
	}
	ok := digits()
	if i < len(l.expr) && l.expr[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(l.expr) && (l.expr[i] == 'e' || l.expr[i] == 'E') {
		if i++; i < len(l.expr) && (l.expr[i] == '-' || l.expr[i] == '+') {
			i++
		}
		ok = digits()
	}
	if !ok || i < len(l.expr) && (isKeyByte(l.expr[i]) || l.expr[i] == '.') {
		return l.fault(l.at, "not a number; a text needs quotes")
	}
	if _, err := strconv.ParseFloat(l.expr[l.at:i], 64); err != nil {
		return l.fault(l.at, "the number is out of range")
	}
	l.at = i
	return nil
}

// scanPath reads keys joined by dots.
func (l *exprLexer) scanPath() error {
	for {
		start, named := l.at, false
		for l.at < len(l.expr) && (isKeyByte(l.expr[l.at]) || l.expr[l.at] == '\\') {
			if l.expr[l.at] != '\\' {
				l.at++
				named = true
				continue
			}
			if l.at++; l.at == len(l.expr) {
				return l.fault(l.at-1, "nothing follows the backslash")
			}
			r, size := utf8.DecodeRuneInString(l.expr[l.at:])
			l.at += size
			named = named || !isBracket(r)
		}
		switch {
		case l.at == start:
			return l.fault(l.at, "a field's name is missing after the dot")
		case !named:
			return l.fault(start, "there is no field's name in the brackets")
		case l.at >= len(l.expr) || l.expr[l.at] != '.':
			return nil
		}
		l.at++
	}
}

// isKeyword reports whether a word isn't a field: and, or and in in any case.
func isKeyword(word string) bool {
	switch word {
	case "true", "false", "null":
		return true
	}
	return strings.EqualFold(word, "and") || strings.EqualFold(word, "or") || strings.EqualFold(word, "in")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isKeyByte reports whether c may stand in a field's name without a backslash.
func isKeyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_' || c == '-'
}

// splitPath returns the keys of a path token, without their escapes. An
// escaped bracket parts two keys too, as the hosted destination's builder
// writes a list's index: properties.tags\[0\].
func splitPath(token string) []string {
	var (
		steps   []string
		key     strings.Builder
		escaped bool
	)
	flush := func() {
		if key.Len() > 0 {
			steps = append(steps, key.String())
		}
		key.Reset()
	}
	for _, r := range token {
		switch {
		case escaped && isBracket(r), !escaped && r == '.':
			flush()
			escaped = false
		case !escaped && r == '\\':
			escaped = true
		default:
			key.WriteRune(r)
			escaped = false
		}
	}
	flush()
	return steps
}

func isBracket(r rune) bool { return r == '[' || r == ']' }

// unquote returns what a string token says. It knows JSON's escapes and \';
// a backslash before anything else stays, so that match() sees it.
func unquote(token string) string {
	inner := token[1 : len(token)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			b.WriteByte(inner[i])
			continue
		}
		i++ // a token doesn't end with a lone backslash
		switch c := inner[i]; c {
		case '"', '\'', '\\', '/':
			b.WriteByte(c)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			if r, size := unicodeEscape(inner[i-1:]); size > 0 {
				b.WriteRune(r)
				i += size - 2
				continue
			}
			b.WriteString(`\u`)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unicodeEscape reads \uXXXX, or a pair of them that stands for one
// character, from the start of s. size is 0 if there is none.
func unicodeEscape(s string) (r rune, size int) {
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[:2] != `\u` {
			return 0, false
		}
		n, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(n), err == nil
	}
	r, ok := unit(s)
	if !ok {
		return 0, 0
	}
	if low, ok := unit(s[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}
