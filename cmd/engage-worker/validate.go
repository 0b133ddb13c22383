package main

import (
	"context"
	"fmt"
)

type validateCmd struct{}

// Run prints what the configuration amounts to, or every fault of it.
func (*validateCmd) Run(_ context.Context, app *app) error {
	cfg, err := app.config()
	if err != nil {
		return err
	}
	fmt.Fprintf(app.stdout, "# %s is good. With every default it says the following; *** stands for what isn't shown.\n", cfg.File())
	return cfg.Print(app.stdout)
}
