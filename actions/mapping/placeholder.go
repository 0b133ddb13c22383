package mapping

import (
	"strings"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// part is some text of a template and the placeholder after it, if any.
type part struct {
	start, end int // of the text
	value      bool
	path       path
	from, to   int // of the path, if there is data in it
}

// firstBraces is how many braces there are around the placeholders to be filled
// in first. The hosted kit fills in what is in three braces, {{{path}}}, and
// then looks for two in the result.
func firstBraces(s string) int {
	if strings.Contains(s, "{{{") {
		return 3
	}
	return 2
}

// split cuts s at its placeholders of so many braces: the braces, at least one
// character that is no closing brace, the closing braces.
func split(s string, braces int) []part {
	opening, closing := "{{{"[:braces], "}}}"[:braces]
	var parts []part
	text, end := 0, -1
	for from := 0; ; {
		start := strings.Index(s[from:], opening)
		if start < 0 {
			break
		}
		start += from
		inner := start + braces
		if end < inner {
			next := strings.IndexByte(s[inner:], '}')
			if next < 0 {
				break
			}
			end = inner + next
		}
		if end == inner || !strings.HasPrefix(s[end:], closing) {
			from = start + 1
			continue
		}
		p := part{start: text, end: start, value: true}
		if utf8.ValidString(s[inner:end]) {
			p.path = parsePath(jsvalue.Trim(s[inner:end]))
		} else { // masked
			p.from, p.to = inner, end
		}
		parts = append(parts, p)
		text = end + braces
		from = text
	}
	return append(parts, part{start: text, end: len(s)})
}

// fill puts together what s was split into, with what the placeholders lead to.
func (n template) fill(r *run, s *liquid.Source, parts []part, payload any) (liquid.Source, error) {
	var b liquid.Builder
	for i := range parts {
		p := &parts[i]
		b.Range(s, p.start, p.end)
		if !p.value {
			continue
		}
		at := p.path
		if p.from < p.to {
			at = parsePath(jsvalue.Trim(s.String()[p.from:p.to]))
		}
		value, err := placed(r, at, payload)
		if err == nil {
			err = r.spend(p.end - p.start + len(value))
		}
		if err != nil {
			return liquid.Source{}, err
		}
		if n.trusting {
			b.Fixed(value)
		} else {
			b.Data(value)
		}
	}
	return b.Source(), nil
}

// placed is what stands for a placeholder.
func placed(r *run, at path, payload any) (string, error) {
	if err := r.spend(1 + len(at)); err != nil {
		return "", err
	}
	if m := at.text(payload); m != nil {
		text, _ := m.Text()
		return text, nil
	}
	v := at.get(payload)
	if jsvalue.Nullish(v) {
		return "", nil
	}
	_, err := r.weigh(v, 0)
	if err != nil {
		return "", err
	}
	return jsvalue.String(v), nil
}
