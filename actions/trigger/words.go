package trigger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// words reads what is written without quotes, as the hosted destination does:
// beside a field, a word is a text (type = track). It changes a syntax tree
// in its place, and refuses what could be a field as well as a text.
type words struct{ expr string }

// spec is the fields at the top of the Segment spec's events, and those of
// Engage's: beside them, a path is a field wherever it stands.
var spec = []string{
	"_metadata", "anonymousId", "category", "channel", "context", "event", "external_ids", "groupId", "integrations",
	"messageId", "name", "originalTimestamp", "previousId", "projectId", "properties", "receivedAt", "sentAt", "timestamp",
	"traits", "type", "userId", "version",
}

func (w words) fault(at *operand, format string, args ...any) error {
	return &SyntaxError{Expr: w.expr, Offset: at.Pos.Offset, Message: fmt.Sprintf(format, args...)}
}

func (w words) or(x *orExpr) error {
	for _, and := range x.Terms {
		for _, term := range and.Terms {
			var err error
			if term.Group != nil {
				err = w.or(term.Group)
			} else {
				err = w.predicate(term)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w words) predicate(not *notExpr) error {
	x := not.Predicate
	if err := w.call(x.Left); err != nil {
		return err
	}
	switch {
	case x.In != nil && x.In.Literal != nil:
		for _, element := range x.In.Literal.Elements {
			if element.Path != nil {
				return w.fault(element, "a list's elements are strings, numbers, true, false or null: a text is written %s", quoted(*element.Path))
			}
		}
	case x.In != nil:
		return w.stranger(x.Left)
	case x.Right != nil:
		if x.Right.isField() || x.Right.Call != nil {
			if err := w.stranger(x.Left); err != nil {
				return err
			}
		}
		if err := cmp.Or(w.call(x.Right), w.word(x.Right, x.Left)); err != nil {
			return err
		}
		textOrNumber(not)
	}
	return nil
}

// stranger refuses a path that isn't the spec's where a text is more likely.
func (w words) stranger(x *operand) error {
	if x.Path == nil || x.isField() {
		return nil
	}
	return w.fault(x, "events have no field %s: the text is written %s", *x.Path, quoted(*x.Path))
}

// call reads what contains and match look for.
func (w words) call(x *operand) error {
	if x.Call == nil {
		return nil
	}
	for i, arg := range x.Call.Args {
		if err := w.call(arg); err != nil {
			return err
		}
		if i == 1 && arg.Path != nil && x.Call.Args[0].Path != nil {
			if err := w.word(arg, x.Call.Args[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isField reports whether x is a path into the spec's fields.
func (x *operand) isField() bool {
	return x.Path != nil && slices.Contains(spec, splitPath(*x.Path)[0])
}

// word makes x a text, if it is a path that can't be a field, beside a field
// or what a function makes of one.
func (w words) word(x, beside *operand) error {
	if x.Path == nil || beside.Path == nil && beside.Call == nil {
		return nil
	}
	token, text := *x.Path, quoted(*x.Path)
	bare := len(splitPath(token)) == 1
	switch {
	case x.isField() && bare && beside.isField():
		return w.fault(x, "%s may be the field or the text here: the text is written %s, and a field stands on the left", token, text)
	case x.isField():
		return nil
	case !bare:
		return w.stranger(x)
	}
	switch lower := strings.ToLower(token); lower {
	case "true", "false", "null":
		return w.fault(x, "%s is written %s, and the text %s", token, lower, text)
	case "nil", "none", "undefined":
		return w.fault(x, "what is missing is null: %s isn't known, and the text is written %s", token, text)
	}
	x.Path, x.String = nil, &text
	return nil
}

// quoted is a path token as a string token.
func quoted(token string) string {
	var b strings.Builder
	escaped := false
	for _, r := range token {
		if escaped = !escaped && r == '\\'; !escaped {
			b.WriteRune(r)
		}
	}
	text, _ := json.Marshal(b.String()) // a string always marshals
	return string(text)
}

// textOrNumber lets a number, true or false beside one of the fields that are
// texts in the spec stand for the text too, as the hosted destination
// takes it: userId = 42 wants "42" and 42.
func textOrNumber(not *notExpr) {
	x := not.Predicate
	field, literal := x.Left, x.Right
	if literal.Path != nil {
		field, literal = literal, field
	}
	if field.Path == nil || x.Op != "=" && x.Op != "!=" || !slices.Contains([]string{"type", "event", "name", "userId"}, *field.Path) {
		return
	}
	var text string
	switch {
	case literal.Number != nil:
		n, _ := strconv.ParseFloat(*literal.Number, 64) // the lexer has read it
		text = strconv.FormatFloat(n, 'f', -1, 64)
	case literal.Word != nil && *literal.Word != "null" && *field.Path != "userId":
		text = *literal.Word
	default:
		return
	}
	if x.Op == "!=" {
		not.Bangs = append(not.Bangs, "!")
	}
	text = strconv.Quote(text)
	elements := []*operand{literal, {Pos: literal.Pos, EndPos: literal.EndPos, String: &text}}
	x.Left, x.Op, x.Right, x.In = field, "", nil, &list{Literal: &listLiteral{Elements: elements}}
}
