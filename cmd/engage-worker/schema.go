package main

import (
	"context"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
)

type schemaCmd struct{}

// Run prints the schema. It reads no configuration.
func (*schemaCmd) Run(_ context.Context, app *cli.App) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = app.Stdout.Write(schema)
	return err
}
