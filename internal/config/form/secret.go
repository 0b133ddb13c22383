package form

// Veil stands in print for what must not be shown.
const Veil = "***"

// Secret is text that prints as *** whatever it is printed with.
type Secret string

// Reveal is the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String is empty for an empty secret, so that "unset" can be told.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Veil
}

// GoString is String: for %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText is String: for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
