package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"engage-worker/cmd/engage-worker/cli"
)

// starter is what init writes: it works with the simulated Twilio.
//
//go:embed starter.yaml
var starter []byte

type initCmd struct {
	File string `arg:"" optional:"" default:"engage.yaml" help:"Where to write it; - is standard output."`
}

// Run writes a commented configuration. It asks nothing and overwrites nothing.
func (c *initCmd) Run(_ context.Context, app *cli.App) error {
	if c.File == "-" {
		_, err := app.Stdout.Write(starter)
		return err
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return cli.BadInput(fmt.Errorf("%s is there already, and init overwrites nothing; name another file", c.File))
	}
	if err != nil {
		return err
	}
	_, err = file.Write(starter)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	fmt.Fprintf(app.Stdout, "%s is written, for a Kafka at localhost:9092 and a simulated Twilio at localhost:8081.\n"+
		"Next: engage-worker validate --config %[1]s\n", c.File)
	return nil
}
