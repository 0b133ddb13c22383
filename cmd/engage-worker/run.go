package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/terminal"
	"engage-worker/internal/worker"
)

// runCmd is the worker.
type runCmd struct{}

// Run works until ctx ends, then drains within shutdownTimeout.
func (c *runCmd) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	log := newLogger(app.Stderr, cfg.Log)
	for _, w := range cfg.Warnings() {
		log.Warn().Int("line", w.Line).Str("key", w.Path).Str("way_out", w.WayOut).Msg("configuration: " + w.Message)
	}
	defer watchLogSignal(log, zerolog.GlobalLevel())()
	tracer, stopTracing, err := newTracer(ctx, app.Version)
	if err != nil {
		return err
	}
	defer stopTracing(log)
	w, err := worker.New(cfg, log, app.Version, tracer)
	if err != nil {
		return err
	}
	defer w.Close()
	trying, stopTrying := context.WithCancel(ctx)
	wait := tryBeside(trying, cfg, log)
	err = w.Run(ctx)
	stopTrying()
	wait()
	if err == nil {
		log.Info().Msg("stopped")
	}
	return err
}

// newLogger writes to out in the configured format and sets the process's
// level, which can be changed while it runs.
func newLogger(out io.Writer, cfg config.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		level = zerolog.InfoLevel // config.Load has checked it
	}
	zerolog.SetGlobalLevel(level)
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	lines := io.Writer(terminal.JSON{To: out})
	if cfg.Format == config.LogConsole {
		lines = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000", NoColor: !terminal.ScreenOf(out).Styled, FormatPrepare: plainFields}
	}
	return zerolog.New(lines).With().Timestamp().Logger()
}

// plainFields keeps texts of events from driving the terminal.
func plainFields(fields map[string]any) error {
	for name, value := range fields {
		if text, ok := value.(string); ok {
			fields[name] = terminal.Plain(text)
		}
	}
	return nil
}

// watchLogSignal makes SIGUSR1 switch between the configured level and debug,
// until stop. SIGHUP, which would end the process, is answered: a configuration
// is read once, so that all replicas of a version do the same.
func watchLogSignal(log zerolog.Logger, configured zerolog.Level) (stop func()) {
	signals := make(chan os.Signal, 2) // one of each: signal.Notify waits for nobody
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGHUP)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case got := <-signals:
				if got == syscall.SIGHUP {
					log.Warn().Msg("SIGHUP: the configuration is not read again; restart the worker for that, which loses nothing (config diff says what changes)")
					continue
				}
				if zerolog.GlobalLevel() == zerolog.DebugLevel {
					worker.ChangeLogLevel(log, configured)
				} else {
					worker.ChangeLogLevel(log, zerolog.DebugLevel)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}
