package profile

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzEscape(f *testing.F) {
	f.Add("jane@example.com")
	f.Add("../x\x00é?#")
	f.Fuzz(func(t *testing.T, id string) {
		escaped := escape(id)
		back, err := url.PathUnescape(escaped)
		if err != nil || back != id || strings.ContainsAny(escaped, "/?#& ") {
			t.Errorf("%q became %q", id, escaped)
		}
	})
}
