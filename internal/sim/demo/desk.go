package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"engage-worker/internal/config"
	"engage-worker/internal/desk"
)

// deskName is what the record of replays calls whoever looks at the demo.
const deskName = "demo"

// pages are the desk of the demo's topics, at an address that only this machine has.
type pages struct {
	desk     *desk.Desk
	listener net.Listener
	log      *os.File // in the demo's folder
}

// openDesk prepares it, or is nil where none is wanted. It is closed by run, or by
// close.
func openDesk(dir string, cfg *config.Config, opts Options) (*pages, error) {
	if !opts.Desk {
		return nil, nil
	}
	log, err := os.Create(filepath.Join(dir, "desk.log"))
	if err != nil {
		return nil, fmt.Errorf("open the desk's log: %w", err)
	}
	p := &pages{log: log}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		p.close()
		return nil, fmt.Errorf("open the desk: %w", err)
	}
	if p.desk, err = desk.New(desk.Options{Config: cfg, Who: deskName, Version: opts.Version, Log: opts.Logger(log, cfg.Log)}); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pages) address() string { return "http://" + p.listener.Addr().String() }

// run serves until ctx ends.
func (p *pages) run(ctx context.Context) error {
	if p == nil {
		return nil
	}
	defer p.close()
	return p.desk.Serve(ctx, p.listener)
}

func (p *pages) close() {
	if p.listener != nil {
		p.listener.Close()
	}
	if p.desk != nil {
		p.desk.Close()
	}
	p.log.Close()
}

// freeAddress is one of this machine's own that nobody listens at. The worker gets
// it, so that the configuration can tell the desk where the worker is.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
