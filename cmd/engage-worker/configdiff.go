package main

import (
	"context"
	"fmt"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/terminal"
)

type configCmd struct {
	Diff configDiffCmd `cmd:"" help:"Say what changes from one configuration to another, and what that does to events."`
}

type configDiffCmd struct {
	A       string `arg:"" help:"The configuration at work."`
	B       string `arg:"" help:"The one to come."`
	SkipEnv bool   `help:"Take no environment variable and no file: what they hold isn't compared."`
}

// Run prints a change a line. It reads both files and nothing else.
func (c *configDiffCmd) Run(_ context.Context, app *cli.App) error {
	before, err := app.LoadWith(c.A, config.Options{SkipEnv: c.SkipEnv})
	if err != nil {
		return err
	}
	after, err := app.LoadWith(c.B, config.Options{SkipEnv: c.SkipEnv})
	if err != nil {
		return err
	}
	changes := config.Diff(before, after)
	for _, change := range changes {
		fmt.Fprintln(app.Stdout, terminal.PlainLines(change))
	}
	if len(changes) == 0 {
		fmt.Fprintln(app.Stdout, "Nothing changes.")
	}
	return nil
}
