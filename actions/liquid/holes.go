package liquid

import "strings"

// filled is a text whose holes are filled in when it is rendered.
type filled struct {
	parts []string // around the holes
	first int      // the number of the first hole
}

// filled makes an operand of a text that begins at a place in the source.
func (r *reader) filled(text string, at int) operand {
	if strings.IndexByte(text, hole) < 0 {
		return constant{text}
	}
	return fill(r.source, text, at)
}

func fill(source, text string, at int) filled {
	return filled{strings.Split(text, "\xff"), strings.Count(source[:at], "\xff")}
}

func (f filled) eval(st *state) (any, error) {
	if len(f.parts) == 2 && f.parts[0] == "" && f.parts[1] == "" {
		return st.data[f.first], nil
	}
	size := 0
	for i, part := range f.parts {
		size += len(part)
		if i > 0 {
			size += len(st.data[f.first+i-1])
		}
	}
	if err := st.spend(float64(size)); err != nil {
		return nil, err
	}
	b := make([]byte, 0, size)
	for i, part := range f.parts {
		if i > 0 {
			b = append(b, st.data[f.first+i-1]...)
		}
		b = append(b, part...)
	}
	return string(b), nil
}

// write writes the text out.
func (f filled) write(st *state) error {
	for i, part := range f.parts {
		if i > 0 {
			if err := st.write(st.data[f.first+i-1]); err != nil {
				return err
			}
		}
		if err := st.write(part); err != nil {
			return err
		}
	}
	return nil
}

// shown is a text of the source as an error shows it.
func shown(text string) string { return strings.ReplaceAll(text, "\xff", "{{...}}") }
