package mapping

import (
	"strings"

	"engage-worker/actions/jsvalue"
)

// parsedTemplate is @template's text, with {{path}} and {{{path}}}
// placeholders.
type parsedTemplate struct {
	source string
	// The hosted kit first fills in what is in three braces, and then looks
	// for two braces in the result; so with the former the latter can't be
	// known in advance.
	triples bool
	parts   []part // without triples
}

// part is some text and the placeholder after it, if any.
type part struct {
	text  string
	path  path
	value bool
}

func parseTemplate(s string) parsedTemplate {
	if strings.Contains(s, "{{{") {
		return parsedTemplate{source: s, triples: true}
	}
	return parsedTemplate{source: s, parts: split(s, 2)}
}

// split cuts s at its placeholders of so many braces: the braces, at least one
// character that is no closing brace, the closing braces.
func split(s string, braces int) []part {
	opening, closing := strings.Repeat("{", braces), strings.Repeat("}", braces)
	var parts []part
	text := 0
	for from := 0; ; {
		start := strings.Index(s[from:], opening)
		if start < 0 {
			return append(parts, part{text: s[text:]})
		}
		start += from
		inner := start + braces
		end := strings.IndexByte(s[inner:], '}')
		if end <= 0 || !strings.HasPrefix(s[inner+end:], closing) {
			from = start + 1
			continue
		}
		end += inner
		parts = append(parts, part{s[text:start], parsePath(jsvalue.Trim(s[inner:end])), true})
		text = end + braces
		from = text
	}
}

func (t parsedTemplate) static() bool {
	return !t.triples && len(t.parts) == 1
}

func (t parsedTemplate) render(payload any) string {
	parts := t.parts
	if t.triples {
		parts = split(fill(split(t.source, 3), payload), 2)
	}
	return fill(parts, payload)
}

func fill(parts []part, payload any) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
		if !p.value {
			continue
		}
		if m := p.path.text(payload); m != nil {
			text, _ := m.Text()
			b.WriteString(text)
		} else if v := p.path.get(payload); !jsvalue.Nullish(v) {
			b.WriteString(jsvalue.String(v))
		}
	}
	return b.String()
}
