package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/consumer/callbacks"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/metrics"
)

// callbacksCmd receives Twilio's status callbacks.
type callbacksCmd struct{}

const (
	// callbackDrain is longer than a callback may take.
	callbackDrain = 10 * time.Second

	// callbackLines bounds the log's lines in a second: while Kafka is away, each
	// callback fails. The metrics count them all.
	callbackLines = 5

	// callbackHeaders bounds what is read before a callback's body.
	callbackHeaders = 16 << 10
)

// Run serves until ctx ends.
func (c *callbacksCmd) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	topics := map[string]string{}
	for _, d := range cfg.Destinations {
		if cfg.CallsBack(d.Name) {
			topics[d.Name] = cfg.CallbacksTopic(d.Name)
		}
	}
	if len(topics) == 0 {
		return cli.BadInput(errors.New("nobody is told to call: set callbacks.publicUrl and callbacks.key, for a destination without a webhookUrl"))
	}
	log := newLogger(app.Stderr, cfg.Log)
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return err
	}
	defer connect.CloseClient(client)
	writer := acked.NewWriter(client.Addr, client.Transport, "")
	defer func() {
		if err := writer.Close(); err != nil {
			log.Warn().Err(err).Msg("closing the writer of callbacks")
		}
	}()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	receiver := &callbacks.Receiver{
		Keys: callbacks.NewKeys(cfg.Callbacks.Key.Reveal(), cfg.Callbacks.FormerKey.Reveal()), Topics: topics,
		PublicURL: strings.TrimRight(cfg.Callbacks.PublicURL, "/"), AuthToken: cfg.Callbacks.AuthToken.Reveal(),
		Writer: writer, Metrics: metrics.New(registry), Log: log.Sample(&zerolog.BurstSampler{Burst: callbackLines, Period: time.Second}),
	}
	listener, err := net.Listen("tcp", cfg.Callbacks.Listen)
	if err != nil {
		return fmt.Errorf("callbacks.listen: %w", err)
	}
	server := &http.Server{
		Handler:           callbackRoutes(receiver, registry, client, cfg),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: callbackHeaders,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info().Str("http", listener.Addr().String()).Int("destinations", len(topics)).Msg("receiving callbacks")
	select {
	case err := <-served:
		return fmt.Errorf("serve callbacks: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), callbackDrain)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return errors.Join(fmt.Errorf("stop serving callbacks: %w", err), server.Close())
	}
	log.Info().Msg("stopped")
	return nil
}

// callbackRoutes are the probes, the metrics, and for all else the receiver.
func callbackRoutes(receiver http.Handler, registry *prometheus.Registry, client *kafka.Client, cfg *config.Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "alive\n") })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), 2*time.Second)
		defer cancel()
		if _, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}); err != nil {
			http.Error(rw, "kafka doesn't answer: "+connect.Explain(err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(rw, "receives for %s\n", cfg.Callbacks.PublicURL)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/", receiver)
	return mux
}
