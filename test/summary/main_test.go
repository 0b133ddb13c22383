package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	for _, c := range []struct {
		name, in, want, wantErr string
	}{
		{"passed", pass + `{"Action":"pass","Package":"p"}`,
			"=== RUN   TestA\n\np: 1 passed, 0 failed, 0 skipped, 0 for the embedded broker only\n", ""},
		{"failed", pass + `{"Action":"fail","Package":"p","Test":"TestB"}`,
			"=== RUN   TestA\n\np: 1 passed, 1 failed, 0 skipped, 0 for the embedded broker only\n", "p failed"},
		{"timed out", pass + `{"Action":"fail","Package":"p"}`,
			"=== RUN   TestA\n\np: 1 passed, 0 failed, 0 skipped, 0 for the embedded broker only\n", "p failed"},
		{"skipped", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"no Kafka\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`,
			"=== RUN   TestA\nno Kafka\n\np: 1 passed, 0 failed, 1 skipped, 0 for the embedded broker only\n", "p skipped TestB"},
		{"excused", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"a.go:1: needs the embedded broker\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`,
			"=== RUN   TestA\na.go:1: needs the embedded broker\n\np: 1 passed, 0 failed, 0 skipped, 1 for the embedded broker only\n", ""},
		{"nothing ran", `{"Action":"skip","Package":"p"}`,
			"\np: 0 passed, 0 failed, 0 skipped, 0 for the embedded broker only\n", "p ran no test"},
		{"not a package", "go: cannot find module", "go: cannot find module\n\n", "no package was tested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(c.in), &out)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.wantErr || out.String() != c.want {
				t.Errorf("error %q, output\n%s\nwant %q,\n%s", got, out.String(), c.wantErr, c.want)
			}
		})
	}
}
