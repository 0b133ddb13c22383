package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/desk"
)

// deskCmd serves the desk.
type deskCmd struct {
	Listen   string `help:"Where to listen, in place of desk.listen." placeholder:"HOST:PORT"`
	ReadOnly bool   `help:"Only show: nothing is replayed, dismissed or opened again."`
	Unmask   bool   `help:"Show phone numbers and mail whole."`
}

// Run serves until ctx ends.
func (c *deskCmd) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	address := cfg.Desk.Listen
	if c.Listen != "" {
		address = c.Listen
	}
	if cfg.Desk.Token == "" && !config.OnLoopback(address) {
		return cli.BadInput(errors.New("a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082"))
	}
	log := newLogger(app.Stderr, cfg.Log)
	d, err := desk.New(desk.Options{Config: cfg, ReadOnly: c.ReadOnly, Unmask: c.Unmask, Who: cli.Whoami(), Version: app.Version, Log: log})
	if err != nil {
		return cli.BadInput(err)
	}
	defer d.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("desk.listen: %w", err)
	}
	scheme := "http"
	if cfg.Desk.TLS.CertFile != "" {
		scheme = "https"
	}
	log.Info().Str("address", scheme+"://"+listener.Addr().String()).Bool("readOnly", c.ReadOnly).Msg("the desk is open")
	if err := d.Serve(ctx, listener); err != nil {
		return err
	}
	log.Info().Msg("stopped")
	return nil
}
