package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/sim/demo"
)

// demoCmd runs the worker amid everything that it needs, in one process.
type demoCmd struct {
	Forever bool    `help:"Go on until interrupted, so that other commands can look at it."`
	Desk    bool    `help:"Open the desk, the pages in a browser, and go on until interrupted."`
	Events  int     `help:"Events to produce." default:"1500"`
	Rate    float64 `help:"Events per second." default:"100"`
	Seed    uint64  `help:"What the events and the faults are drawn from." default:"1"`
	NoColor bool    `help:"No colours. NO_COLOR does the same." name:"no-color"`
}

// Validate is kong's hook for flags.
func (c *demoCmd) Validate() error {
	if c.Events < 1 || c.Events > 200_000 {
		return errors.New("--events must be from 1 to 200000; --forever has no end")
	}
	if !(c.Rate >= 1 && c.Rate <= 5000) {
		return errors.New("--rate must be from 1 to 5000")
	}
	return nil
}

// Run shows the demo. It fails when anything was lost or sent twice.
func (c *demoCmd) Run(ctx context.Context, app *cli.App) error {
	events := c.Events
	if c.Forever {
		events = 0
	}
	return demo.Run(ctx, demo.Options{
		Events: events, Desk: c.Desk, Rate: c.Rate, Seed: c.Seed, NoColor: c.NoColor, Out: app.Stdout, Command: invocation(os.Args[0]),
		Logger: newLogger, Version: app.Version,
	})
}

// invocation is how a user calls this program again. What `go run` built is
// gone by then.
func invocation(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return "go run ./cmd/engage-worker"
	}
	return arg0
}
