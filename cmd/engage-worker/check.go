package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/rs/zerolog"

	"engage-worker/actions/twilio"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/preflight"
	"engage-worker/internal/terminal"
)

// checkCmd tries what the configuration names for real.
type checkCmd struct {
	Output string `help:"How to print: table or json, one object a line." enum:"table,json" default:"table" short:"o"`
}

// errCheckFailed is said once the lines have said which.
var errCheckFailed = errors.New("not everything can be done; see the lines that fail")

// Run prints a line for each thing that was tried. It sends nothing.
func (c *checkCmd) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return cli.BadInput(err)
	}
	defer connect.CloseClient(client)
	results := append(preflight.Kafka(ctx, client, cfg), tryTwilio(ctx, cfg)...)
	if err := printResults(app.Stdout, c.Output, results); err != nil {
		return err
	}
	for _, r := range results {
		if r.Status == preflight.StatusFails {
			return errCheckFailed
		}
	}
	return nil
}

func tryTwilio(ctx context.Context, cfg *config.Config) []preflight.Result {
	http := twilio.NewHTTPClient(1)
	defer http.CloseIdleConnections()
	return preflight.Twilio(ctx, http, cfg)
}

func printResults(out io.Writer, format string, results []preflight.Result) error {
	if format == "json" {
		lines := terminal.JSONLines(out)
		for _, r := range results {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STATUS\tTRIED\tPROBLEM")
	for _, r := range results {
		problem := r.Problem
		if r.WayOut != "" {
			problem += "; " + r.WayOut
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Status, terminal.Plain(r.What), terminal.Plain(problem))
	}
	return table.Flush()
}

// tryBeside tries rights and Twilio while the worker begins, looks for what is
// left over or would be sent late, and logs what fails; the worker goes on. wait
// is for its end, which ctx hastens. That Kafka can't be reached, or a topic
// isn't as it should be, the worker says itself.
func tryBeside(ctx context.Context, cfg *config.Config, log zerolog.Logger) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		client, err := connect.Client(cfg.Kafka)
		if err != nil {
			return
		}
		defer connect.CloseClient(client)
		results, err := preflight.Rights(ctx, client, cfg)
		if err != nil {
			return
		}
		left, err := preflight.Leftovers(ctx, client, cfg)
		if err != nil {
			return
		}
		backlog, err := preflight.Backlog(ctx, client, cfg)
		if err != nil {
			return
		}
		results = append(append(append(results, left...), backlog...), tryTwilio(ctx, cfg)...)
		if ctx.Err() == nil {
			logResults(log, results)
		}
	}()
	return func() { <-done }
}

func logResults(log zerolog.Logger, results []preflight.Result) {
	good := 0
	for _, r := range results {
		line, what := log.Warn(), "something that is configured couldn't be tried"
		switch r.Status {
		case preflight.StatusOK:
			good++
			continue
		case preflight.StatusFails:
			line, what = log.Error(), "something that is configured can't be done"
		case preflight.StatusWarning:
			what = "the worker goes on, but somebody should know"
		}
		line.Str("tried", r.What).Str("problem", r.Problem).Str("wayOut", r.WayOut).Msg(what)
	}
	log.Info().Int("ok", good).Int("tried", len(results)).Msg("tried rights, leftovers, keys, senders, templates and tokens")
}
