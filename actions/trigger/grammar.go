package trigger

import (
	"errors"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar, by precedence: or, and, !, predicates, operands.

type orExpr struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Terms  []*andExpr `parser:"@@ ( 'or' @@ )*"`
}

type andExpr struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Terms  []*notExpr `parser:"@@ ( 'and' @@ )*"`
}

type notExpr struct {
	Pos       lexer.Position
	EndPos    lexer.Position
	Bangs     []string   `parser:"@'!'*"`
	Group     *orExpr    `parser:"( '(' @@ ')'"`
	Predicate *predicate `parser:"| @@ )"`
}

type predicate struct {
	Pos    lexer.Position
	EndPos lexer.Position
	Left   *operand `parser:"@@"`
	Op     string   `parser:"( @( '=' | '!=' | '<=' | '<' | '>=' | '>' )"`
	Right  *operand `parser:"@@"`
	In     *list    `parser:"| 'in' @@ )?"`
}

// list is what "in" looks through.
type list struct {
	Literal *listLiteral `parser:"@@"`
	Path    string       `parser:"| @Path"`
}

type listLiteral struct {
	Open     string     `parser:"@'['"`
	Elements []*operand `parser:"( @@ ( ',' @@ )* )? ']'"`
}

type operand struct {
	Pos    lexer.Position
	EndPos lexer.Position
	String *string `parser:"@String"`
	Number *string `parser:"| @Number"`
	Word   *string `parser:"| @( 'true' | 'false' | 'null' )"`
	Call   *call   `parser:"| @@"`
	Path   *string `parser:"| @Path"`
}

type call struct {
	Name string     `parser:"@Path '('"`
	Args []*operand `parser:"( @@ ( ',' @@ )* )? ')'"`
}

var grammar = sync.OnceValue(func() *participle.Parser[orExpr] {
	return participle.MustBuild[orExpr](participle.Lexer(tokens{}), participle.UseLookahead(2))
})

// parse returns expr's syntax tree or a *SyntaxError.
func parse(expr string) (*orExpr, error) {
	if strings.TrimSpace(expr) == "" {
		return nil, &SyntaxError{Expr: expr, Message: "the expression is empty"}
	}
	tree, err := grammar().ParseString("", expr)
	if err == nil {
		if err := (words{expr}).or(tree); err != nil {
			return nil, err
		}
		return tree, nil
	}
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		return nil, syntax
	}
	fault := &SyntaxError{Expr: expr, Message: err.Error()}
	if unexpected, ok := errors.AsType[*participle.UnexpectedTokenError](err); ok {
		fault.Offset = unexpected.Unexpected.Pos.Offset
		fault.Message = unexpectedToken(expr, unexpected.Unexpected)
		return nil, fault
	}
	if at, ok := errors.AsType[participle.Error](err); ok {
		fault.Offset, fault.Message = at.Position().Offset, at.Message()
	}
	return nil, fault
}

// unexpectedToken says what is wrong with a token that can't stand where it is.
func unexpectedToken(expr string, token lexer.Token) string {
	before := strings.TrimRight(expr[:token.Pos.Offset], " \t\r\n")
	switch {
	case token.EOF():
		return "something is missing here"
	case token.Value == "=" && strings.HasSuffix(before, "="):
		return "unexpected =; it is written once"
	case token.Value == "[":
		return `unexpected [; a list's element is written tags\[0\] or tags.0`
	case token.Type == tokenPath && before != "" && isKeyByte(before[len(before)-1]):
		return "unexpected " + token.Value + "; and or or is missing before it, or quotes around a text of several words"
	default:
		return "unexpected " + token.Value
	}
}
