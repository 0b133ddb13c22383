package main

import "context"

type validateCmd struct{}

// Run checks the configuration.
func (validateCmd) Run(_ context.Context, app *app) error {
	_, err := app.config()
	return err
}
