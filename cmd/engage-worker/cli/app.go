package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"

	"engage-worker/internal/config"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// App is what a command may use of its process. A command has the method
// Run(ctx context.Context, app *cli.App) error; ctx ends at SIGINT and SIGTERM.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	ConfigPath     string
	EnvFile        string
	Interrupted    <-chan struct{} // SIGINT or SIGTERM has come
	Version        string
}

// Config loads the configuration that --config names. Its error is a
// *config.Faults.
func (a *App) Config() (*config.Config, error) { return a.LoadWith(a.ConfigPath, config.Options{}) }

// LoadWith loads a configuration. A pipe that nobody writes to would hold it
// for ever, so it ends with the signal.
func (a *App) LoadWith(path string, options config.Options) (*config.Config, error) {
	if a.EnvFile != "" {
		var err error
		if options.Env, err = config.ReadEnvFile(a.EnvFile); err != nil {
			return nil, BadInput(err)
		}
	}
	type loaded struct {
		cfg *config.Config
		err error
	}
	done := make(chan loaded, 1) // of size one: after a signal, nobody takes it
	go func() {
		cfg, err := options.Load(path)
		done <- loaded{cfg, err}
	}()
	select {
	case l := <-done:
		return l.cfg, l.err
	case <-a.Interrupted:
		return nil, errors.New("interrupted while reading the configuration")
	}
}

// Letters prepares to connect to the configuration's dead letters. Close them in
// the end.
func (a *App) Letters() (*letters.Desk, error) {
	cfg, err := a.Config()
	if err != nil {
		return nil, err
	}
	desk, err := letters.Open(cfg)
	return desk, BadInput(err)
}

// PrintJSON prints v, indented, with < and & as they are.
func (a *App) PrintJSON(v any) error {
	lines := terminal.JSONLines(a.Stdout)
	lines.SetIndent("", "  ")
	return lines.Encode(v)
}

// PrintWarnings prints a configuration's warnings, a line each.
func PrintWarnings(w io.Writer, warnings []config.Warning) {
	for _, warning := range warnings {
		fmt.Fprintln(w, terminal.Plain(warning.String()))
	}
}

// Whoami is who gives the command, for the record.
func Whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
