package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
	mangokong "github.com/alecthomas/mango-kong"
	"github.com/muesli/roff"

	"engage-worker/cmd/engage-worker/cli"
)

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to tell about."`
	Man     bool     `help:"Print a manual page of all commands: engage-worker help --man | man -l -"`
}

// Run prints what --help does, or the manual.
func (c *helpCmd) Run(_ context.Context, app *cli.App, kctx *kong.Context) error {
	if c.Man {
		fmt.Fprintln(app.Stdout, mangokong.NewManPage(1, kctx.Model).Build(roff.NewDocument()))
		return nil
	}
	trace, err := kong.Trace(kctx.Kong, c.Command)
	if err != nil {
		return cli.BadInput(err)
	}
	if trace.Error != nil {
		return cli.BadInput(fmt.Errorf("there is no command %s (see engage-worker help)", strings.Join(c.Command, " ")))
	}
	return trace.PrintUsage(false)
}

type versionCmd struct{}

// Run prints what this is and what it was built with and from.
func (*versionCmd) Run(_ context.Context, app *cli.App) error {
	fmt.Fprintf(app.Stdout, "engage-worker %s\n", app.Version)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	if settings["vcs.modified"] == "true" {
		commit += " and changes"
	}
	for _, line := range [][2]string{{"commit", commit}, {"of", settings["vcs.time"]}, {"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, {"Kafka client", dependency(info, "github.com/segmentio/kafka-go")}, {"Twilio client", dependency(info, "github.com/twilio/twilio-go")}} {
		if line[1] != "" {
			fmt.Fprintf(app.Stdout, "%-14s%s\n", line[0], line[1])
		}
	}
	return nil
}

// dependency is a module and its version, or nothing.
func dependency(info *debug.BuildInfo, path string) string {
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Path + " " + m.Version
		}
	}
	return ""
}
