package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/connect"
)

type topicsCmd struct {
	Create topicsCreateCmd `cmd:"" help:"Create the topics that are missing, and add partitions where the source has more. Changes nothing else; may be run again."`
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

// Run makes the topics and prints a table of what was done.
func (c *topicsCreateCmd) Run(ctx context.Context, app *app) error {
	client, specs, err := app.topics()
	if err != nil {
		return err
	}
	defer connect.CloseClient(client)
	changes, err := connect.EnsureTopics(ctx, client, specs, connect.Sizes{
		Partitions:  c.Partitions,
		Replication: c.ReplicationFactor,
	})
	if len(changes) > 0 {
		table := tabwriter.NewWriter(app.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TOPIC\tROLE\tPARTITIONS\tREPLICAS\tDONE")
		for _, change := range changes {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", change.Topic, change.Role, change.Partitions, change.Replication, change.Done)
		}
		table.Flush()
	}
	return explained(err)
}

type topicsCheckCmd struct{}

// Run prints a line for each problem, on stderr.
func (c *topicsCheckCmd) Run(ctx context.Context, app *app) error {
	client, specs, err := app.topics()
	if err != nil {
		return err
	}
	defer connect.CloseClient(client)
	problems, err := connect.CheckTopics(ctx, client, specs)
	if err != nil {
		return explained(err)
	}
	var fatal []error
	for _, p := range problems {
		if p.Fatal {
			fatal = append(fatal, errors.New(p.String()))
		} else {
			fmt.Fprintf(app.stderr, "engage-worker: warning: %s\n", p)
		}
	}
	if len(fatal) > 0 {
		return errors.Join(fatal...)
	}
	fmt.Fprintf(app.stdout, "%d topics are as they should be.\n", len(specs))
	return nil
}

// topics are the configured topics, with a client to look after them.
func (a *app) topics() (*kafka.Client, []connect.Spec, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return nil, nil, badInput(err)
	}
	return client, connect.Topics(cfg), nil
}

// explained puts an error of Kafka's in plain words, a line for each topic.
func explained(err error) error {
	if err == nil {
		return nil
	}
	if topic := (*connect.TopicError)(nil); errors.As(err, &topic) {
		return err // says it itself
	}
	return errors.New(connect.Explain(err))
}
