package form

import (
	"slices"
	"strings"
)

// reference is the pattern of a text that holds a ${...} reference, which may
// stand for any scalar.
const reference = `\$\{`

func objectSchema(fields []Field) map[string]any {
	properties := map[string]any{}
	var required []string
	var either []any // of what has two names
	for _, f := range fields {
		p := f.shape.Schema()
		if f.doc != "" {
			p["description"] = strings.ReplaceAll(f.meaning(), "`", "")
		}
		switch {
		case f.required && f.other != "":
			either = append(either, map[string]any{"oneOf": []any{needs(f.key), needs(f.other)}})
		case f.required:
			required = append(required, f.key)
		default:
			nullable(p)
		}
		properties[f.key] = p
		if f.other != "" {
			properties[f.other] = p
		}
		if f.other != "" && !f.required {
			either = append(either, map[string]any{"not": needs(f.key, f.other)})
		}
	}
	s := map[string]any{"type": []string{"object"}, "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	if either != nil {
		s["allOf"] = either
	}
	return s
}

func needs(keys ...string) map[string]any { return map[string]any{"required": keys} }

func namedSchema(names Rule, inner Shape) map[string]any {
	values := inner.Schema()
	if !slices.ContainsFunc(inner.fields, func(f Field) bool { return f.required }) {
		nullable(values)
	}
	return map[string]any{
		"type":                 []string{"object"},
		"propertyNames":        map[string]any{"pattern": names.Pattern},
		"additionalProperties": values,
	}
}

// nullable lets s pass "key:" with nothing behind it.
func nullable(s map[string]any) {
	if types, ok := s["type"].([]string); ok {
		s["type"] = append(types, "null")
		return
	}
	s["anyOf"] = append(s["anyOf"].([]any), map[string]any{"type": "null"})
}

// scalarSchema is of a value of the type, or of a text of the pattern.
func scalarSchema(kind, pattern string) map[string]any {
	types := []string{kind}
	if kind != "string" {
		types = append(types, "string")
	}
	return map[string]any{"type": types, "pattern": pattern}
}

func textSchema(pattern string) map[string]any {
	if pattern == "" {
		return map[string]any{"type": []string{"string"}}
	}
	return scalarSchema("string", pattern+"|"+reference)
}

func choiceSchema(names []string) map[string]any {
	var words []string
	for _, name := range names {
		words = append(words, name)
		if capitals := strings.ToUpper(name); name == strings.ToLower(name) && capitals != name {
			words = append(words, capitals)
			if underscored := strings.ReplaceAll(capitals, "-", "_"); underscored != capitals { // AWS_MSK_IAM
				words = append(words, underscored)
			}
		}
	}
	return map[string]any{"anyOf": []any{map[string]any{"enum": words}, map[string]any{"type": "string", "pattern": reference}}}
}
