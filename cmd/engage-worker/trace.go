package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/letters"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
	"engage-worker/internal/trace"
)

type traceCmd struct {
	MessageID string       `help:"The event with this messageId." placeholder:"ID" xor:"what"`
	User      string       `help:"The events of this user id." placeholder:"ID" xor:"what"`
	To        string       `help:"The events with this phone number in them." placeholder:"NUMBER" xor:"what"`
	Since     string       `help:"How far back to look: 24h or 7d ago, 2026-03-01, or 2026-03-01T10:00:00Z. Without a zone: --tz." default:"24h" placeholder:"WHEN"`
	TZ        letters.Zone `name:"tz" help:"The time zone of times that are given or shown to people: UTC, local, or a name as Europe/Berlin." placeholder:"ZONE"`
	Output    string       `help:"How to print: ${enum}." enum:"table,json" default:"table" short:"o"`

	since time.Time // what Since says; Validate has read it
}

// Validate is kong's hook for flags.
func (c *traceCmd) Validate() (err error) {
	if cmp.Or(c.MessageID, c.User, c.To) == "" {
		return errors.New("one of --message-id, --user and --to is needed, with a value")
	}
	const leastDigits = 5
	digits := 0
	for _, r := range c.To {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	if c.To != "" && digits < leastDigits {
		return fmt.Errorf("--to %q is no phone number", c.To)
	}
	if c.since, err = letters.ParseTime(c.Since, time.Now(), c.TZ.Location()); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	return nil
}

// Run collects and prints.
func (c *traceCmd) Run(ctx context.Context, app *cli.App) error {
	desk, err := app.Letters()
	if err != nil {
		return err
	}
	defer desk.Close()
	previewer, err := preview.New(desk.Config)
	if err != nil {
		return cli.BadInput(err)
	}
	defer previewer.Close()
	// Every topic but this one may be missing and says nothing then.
	counts, err := desk.Cluster.Count(ctx, desk.Config.Kafka.Topic)
	if err == nil && counts[desk.Config.Kafka.Topic] == 0 {
		return cli.BadInput(fmt.Errorf("the topic %s is missing, or this user may not see it: correct kafka.topic, or give the user the ACL to describe and read", desk.Config.Kafka.Topic))
	}
	if err != nil {
		return cli.ExplainedLetters(ctx, desk, err)
	}
	collector := &trace.Collector{Cluster: desk.Cluster, Source: desk.Config.Kafka.Topic, DeadLetters: desk.Reader.Topic, Destinations: previewer.Traced()}
	stop := terminal.Progress(app.Stderr, "looking", func() (done, total int64) { return collector.Done.Load(), collector.Total.Load() })
	line, err := collector.Collect(ctx, trace.Query{MessageID: c.MessageID, User: c.User, To: c.To, Since: c.since})
	stop()
	if err != nil {
		return cli.ExplainedLetters(ctx, desk, err)
	}
	if c.Output == "json" {
		if line.Steps == nil {
			line.Steps = []trace.Step{}
		}
		return app.PrintJSON(line)
	}
	return c.print(app, line)
}

func (c *traceCmd) print(app *cli.App, line *trace.Timeline) error {
	s := terminal.ScreenOf(app.Stdout)
	if len(line.Steps) == 0 {
		_, err := fmt.Fprintf(s, "nothing is found of it since %s %s; --since looks further back\n", c.TZ.Shown(c.since), c.TZ)
		return err
	}
	t := terminal.NewTable(terminal.Column{Head: "WHEN (" + c.TZ.String() + ")"}, terminal.Column{Head: "WHAT"},
		terminal.Column{Head: "DESTINATION", Spare: 2}, terminal.Column{Head: "ACTION"}, terminal.Column{Head: "MESSAGE ID", Spare: 4},
		terminal.Column{Head: "SID", Spare: 3}, terminal.Column{Head: "WHERE", Spare: 1}, terminal.Column{Head: "DETAIL"})
	for _, step := range line.Steps {
		t.Add(step.At.In(c.TZ.Location()).Format("2006-01-02 15:04:05.000"), step.What, step.Destination, step.Action, step.MessageID, step.SID, step.Where, step.Detail)
	}
	if err := t.Print(s); err != nil || !line.More {
		return err
	}
	_, err := fmt.Fprintf(s, "\nof %s only the first are told of; --since and --message-id choose fewer\n", terminal.Plural(line.Events, "event"))
	return err
}
