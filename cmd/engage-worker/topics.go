package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
)

type topicsCmd struct {
	Create topicsCreateCmd `cmd:"" help:"Create the topics that are missing, and add partitions where the source has more. Changes nothing else, but says what differs; may be run again."`
	Check  topicsCheckCmd  `cmd:"" help:"Say what is missing or wrong with the topics."`
}

type topicsCreateCmd struct {
	Partitions        int `help:"Partitions of the source topic when it is missing; the others follow it." default:"12"`
	ReplicationFactor int `help:"Replicas of a topic that is created; 0 for the source's, or 3 as far as there are brokers." default:"0"`
}

// Validate is kong's hook for flags.
func (c *topicsCreateCmd) Validate() error {
	const most = 10_000
	if c.Partitions < 1 || c.Partitions > most {
		return fmt.Errorf("--partitions must be from 1 to %d", most)
	}
	if c.ReplicationFactor < 0 || c.ReplicationFactor > 100 {
		return errors.New("--replication-factor must be from 0 to 100")
	}
	return nil
}

// Run makes the topics and prints a table of what was done. It fails when
// a topic that was there would lose or delete records: it isn't changed.
func (c *topicsCreateCmd) Run(ctx context.Context, app *cli.App) error {
	client, cfg, err := openTopics(app)
	if err != nil {
		return err
	}
	defer connect.CloseClient(client)
	specs := topics.Of(cfg)
	changes, err := topics.Ensure(ctx, client, specs, topics.Sizes{
		Partitions:  c.Partitions,
		Replication: c.ReplicationFactor,
	})
	printChanges(app.Stdout, changes)
	if err != nil {
		return cli.Explained(err)
	}
	problems, err := topics.Check(ctx, client, specs)
	if err != nil {
		return cli.Explained(err)
	}
	// Not every broker knows yet of a topic that has just been made.
	problems = slices.DeleteFunc(problems, func(p topics.Problem) bool {
		return slices.ContainsFunc(changes, func(c topics.Change) bool { return c.Topic == p.Topic && c.Done == topics.DoneCreated })
	})
	return tell(app.Stderr, problems)
}

func printChanges(out io.Writer, changes []topics.Change) {
	if len(changes) == 0 {
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tROLE\tPARTITIONS\tREPLICAS\tDONE")
	for _, change := range changes {
		done := change.Done.String()
		switch {
		case change.Unread:
			done += "; its settings may not be read"
		case len(change.Differs) > 0:
			done += ", and differs:"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", change.Topic, change.Role, change.Partitions, change.Replication, done)
		for _, differs := range change.Differs {
			fmt.Fprintf(table, "\t\t\t\t  %s\n", differs)
		}
	}
	table.Flush()
}

type topicsCheckCmd struct{}

// Run prints a line for each problem, on stderr.
func (c *topicsCheckCmd) Run(ctx context.Context, app *cli.App) error {
	client, cfg, err := openTopics(app)
	if err != nil {
		return err
	}
	defer connect.CloseClient(client)
	specs := topics.Of(cfg)
	problems, err := topics.Check(ctx, client, specs)
	if err != nil {
		return cli.Explained(err)
	}
	left, err := topics.Leftovers(ctx, client, cfg)
	if err != nil {
		return cli.Explained(err)
	}
	problems = append(problems, left...)
	if err := tell(app.Stderr, problems); err != nil {
		return err
	}
	unchecked := 0
	for _, p := range problems {
		if p.Unchecked {
			unchecked++
		}
	}
	if unchecked > 0 {
		return fmt.Errorf("the settings of %d of %d topics couldn't be checked", unchecked, len(specs))
	}
	fmt.Fprintf(app.Stdout, "%d topics are as they should be.\n", len(specs))
	return nil
}

// tell prints what doesn't keep the worker from working as warnings. The error
// holds the rest, a line for each.
func tell(w io.Writer, problems []topics.Problem) error {
	var fatal []error
	for _, p := range problems {
		if p.Fatal {
			fatal = append(fatal, errors.New(p.String()))
		} else {
			fmt.Fprintf(w, "engage-worker: warning: %s\n", p)
		}
	}
	return errors.Join(fatal...)
}

// openTopics are the configured topics, with a client to look after them.
func openTopics(app *cli.App) (*kafka.Client, *config.Config, error) {
	cfg, err := app.Config()
	if err != nil {
		return nil, nil, err
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return nil, nil, cli.BadInput(err)
	}
	return client, cfg, nil
}
