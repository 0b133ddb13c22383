package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
)

// healthTimeout is how long a process may take for its answer.
const healthTimeout = 3 * time.Second

type healthCmd struct {
	Of    string `help:"Whom to ask: worker, callbacks or desk." enum:"worker,callbacks,desk" default:"worker" placeholder:"PROCESS"`
	Ready bool   `help:"Ask whether it is ready, too: Kafka answers, and a worker's destinations are each in their consumer group."`
}

// listens are the settings that say where the processes are asked, and by what.
func listens(cfg *config.Config, of string) (setting, address, scheme string) {
	switch {
	case of == "callbacks":
		return "callbacks.listen", cfg.Callbacks.Listen, "http"
	case of == "desk" && cfg.Desk.TLS.CertFile != "":
		return "desk.listen", cfg.Desk.Listen, "https"
	case of == "desk":
		return "desk.listen", cfg.Desk.Listen, "http"
	}
	return "http.listen", cfg.HTTP.Listen, "http"
}

// Run asks a process on this machine, where its configuration has it listen.
func (c *healthCmd) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	setting, address, scheme := listens(cfg, c.Of)
	if address == "" {
		return cli.BadInput(fmt.Errorf("%s is empty: nobody answers", setting))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return cli.BadInput(fmt.Errorf("%s: %w", setting, err))
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	path := "/healthz"
	if c.Ready && c.Of != "desk" { // which serves while it reads the topics, too
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return fmt.Errorf("ask at %s: %w", setting, err)
	}
	// By no proxy. The certificate is in others' names than this machine's for itself.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", setting, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	text = bytes.TrimSpace(text)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s: %s", path, response.Status, text)
	}
	fmt.Fprintf(app.Stdout, "%s\n", text)
	return nil
}
