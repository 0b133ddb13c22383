package main

import (
	"math"
	"testing"
)

func TestDemoFlags(t *testing.T) {
	for _, test := range []struct {
		cmd  demoCmd
		want string
	}{
		{demoCmd{Events: 1500, Rate: 100}, ""},
		{demoCmd{Events: 1, Rate: 5000}, ""},
		{demoCmd{Events: 0, Rate: 100}, "--events must be from 1 to 200000; --forever has no end"},
		{demoCmd{Events: 200_001, Rate: 100}, "--events must be from 1 to 200000; --forever has no end"},
		{demoCmd{Events: 10, Rate: 0.5}, "--rate must be from 1 to 5000"},
		{demoCmd{Events: 10, Rate: math.NaN()}, "--rate must be from 1 to 5000"},
	} {
		got := ""
		if err := test.cmd.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %q, want %q", test.cmd, got, test.want)
		}
	}
}

func TestInvocation(t *testing.T) {
	for arg0, want := range map[string]string{
		"bin/engage-worker":                   "bin/engage-worker",
		"/opt/engage-worker":                  "/opt/engage-worker",
		"/t/go-build1/b001/exe/engage-worker": "go run ./cmd/engage-worker",
	} {
		if got := invocation(arg0); got != want {
			t.Errorf("%s: %q, want %q", arg0, got, want)
		}
	}
}
