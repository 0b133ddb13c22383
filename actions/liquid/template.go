package liquid

import (
	"strings"

	osteele "github.com/osteele/liquid"
)

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	t      *osteele.Template
	static bool
}

// Compile compiles source.
func Compile(source string) (*Template, error) {
	t, err := osteele.NewEngine().ParseString(source)
	if err != nil {
		return nil, err
	}
	return &Template{t, !strings.Contains(source, "{{") && !strings.Contains(source, "{%")}, nil
}

// CompileDirective compiles the source of a mapping's @liquid directive.
func CompileDirective(source string) (*Template, error) { return Compile(source) }

// Render renders the template with vars, an object: a *jsvalue.Object or a map[string]any.
func (t *Template) Render(vars any) (string, error) {
	m, _ := vars.(map[string]any)
	s, err := t.t.RenderString(m)
	if err != nil {
		return "", err
	}
	return s, nil
}

// Static reports whether the template has neither tags nor outputs.
func (t *Template) Static() bool { return t.static }
