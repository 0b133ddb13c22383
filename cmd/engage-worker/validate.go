package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
)

type validateCmd struct {
	Files   []string `arg:"" optional:"" name:"FILE" help:"Configurations, instead of the one that --config names."`
	SkipEnv bool     `help:"Take no environment variable and no file: what their values would tell isn't checked. For a build that has no secrets."`
	Strict  bool     `help:"Take warnings for faults."`
}

// Run prints what each configuration amounts to, or every fault of it. With
// several files, it only says which are good.
func (c *validateCmd) Run(_ context.Context, app *cli.App) error {
	files := c.Files
	if len(files) == 0 {
		files = []string{app.ConfigPath}
	}
	var wrong config.Faults
	for _, file := range files {
		cfg, err := app.LoadWith(file, config.Options{SkipEnv: c.SkipEnv})
		if err == nil {
			err = warn(app.Stderr, cfg, c.Strict)
		}
		if faults := (*config.Faults)(nil); errors.As(err, &faults) {
			wrong.List = append(wrong.List, faults.List...)
			wrong.Warnings = append(wrong.Warnings, faults.Warnings...)
			continue
		} else if err != nil {
			return err
		}
		if len(files) > 1 {
			fmt.Fprintf(app.Stdout, "%s is good.\n", file)
			continue
		}
		fmt.Fprintf(app.Stdout, "# %s is good. With every default it says the following; *** stands for what isn't shown.\n", cfg.File())
		if err := cfg.Print(app.Stdout); err != nil {
			return err
		}
	}
	if len(wrong.List) > 0 {
		return &wrong
	}
	return nil
}

// warn prints the warnings of a configuration, a line each; the error is a
// *config.Faults of them if they count as faults.
func warn(w io.Writer, cfg *config.Config, strict bool) error {
	if warnings := cfg.Warnings(); strict && len(warnings) > 0 {
		faults := &config.Faults{}
		for _, w := range warnings {
			faults.List = append(faults.List, w.Fault())
		}
		return faults
	}
	cli.PrintWarnings(w, cfg.Warnings())
	return nil
}
