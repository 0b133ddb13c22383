package query

import "testing"

func TestWithin(t *testing.T) {
	for address, want := range map[string]string{
		"/dead-letters?state=open": "/dead-letters?state=open", "/a#b": "/a", "": "/", "x": "/", "//x": "/", "http://x/": "/", "/\\x": "/", "/%0d%0ax": "/%0d%0ax", "/\nx": "/", "///x": "/",
	} {
		if got := Within(address); got != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}
