package main

import (
	"context"

	"engage-worker/internal/config"
)

type schemaCmd struct{}

// Run prints the schema. It reads no configuration.
func (*schemaCmd) Run(_ context.Context, app *app) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = app.stdout.Write(schema)
	return err
}
