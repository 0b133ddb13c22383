package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// healthTimeout is how long a worker may take for its answer.
const healthTimeout = 3 * time.Second

type healthCmd struct {
	Ready bool `help:"Ask whether it is ready, too: Kafka answers, and each destination is in its consumer group."`
}

// Run asks the worker on this machine, at its configuration's http.listen.
func (c *healthCmd) Run(ctx context.Context, app *app) error {
	cfg, err := app.config()
	if err != nil {
		return err
	}
	if cfg.HTTP.Listen == "" {
		return badInput(errors.New("http.listen is empty: the worker answers nobody"))
	}
	host, port, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil {
		return badInput(fmt.Errorf("http.listen: %w", err))
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return fmt.Errorf("ask the worker: %w", err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request) // by no proxy
	if err != nil {
		return fmt.Errorf("no worker answers: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read the worker's answer: %w", err)
	}
	text = bytes.TrimSpace(text)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s: %s", path, response.Status, text)
	}
	fmt.Fprintf(app.stdout, "%s\n", text)
	return nil
}
