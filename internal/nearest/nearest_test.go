package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	names := []string{"latest", "earliest", "sessionTimeout", "kafka", "info", ""}
	for typed, want := range map[string]string{
		"last": "latest", "session_timeout": "sessionTimeout", "SESSIONTIMEOUT": "sessionTimeout", "kafak": "kafka", "inf": "info",
		"information": "", "whatever": "", "x": "", "": "", strings.Repeat("k", 101): "",
	} {
		if got, ok := Name(typed, names); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
