package main

import "context"

type topicsCmd struct {
	Create topicsCreateCmd `cmd:"" help:"Create what is missing; changes nothing that is there but for adding partitions."`
	Check  topicsCheckCmd  `cmd:"" help:"Say what is missing or wrong."`
}

type topicsCreateCmd struct{}

// Run makes the topics.
func (c *topicsCreateCmd) Run(_ context.Context, app *app) error {
	_, err := app.config()
	return err
}

type topicsCheckCmd struct{}

// Run checks the topics.
func (c *topicsCheckCmd) Run(_ context.Context, app *app) error {
	_, err := app.config()
	return err
}
