// Command engage-worker turns audience events on a Kafka topic into SMS, MMS
// and WhatsApp messages through Twilio.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/cmd/engage-worker/dlq"
	"engage-worker/cmd/engage-worker/events"
	"engage-worker/internal/letters"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the context; after it the default is back, so
	// that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commandLine is the command line. Each command lives in the file of its name.
type commandLine struct {
	EnvFile string           `help:"A file of NAME=value lines, for the references that the environment doesn't have." placeholder:"FILE" type:"existingfile"`
	Config  string           `help:"The configuration file; without it, engage.yaml." short:"c" default:"engage.yaml" env:"ENGAGE_CONFIG" placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version and exit."`

	Demo     demoCmd         `cmd:"" help:"Show everything in one process: an embedded broker, a simulated Twilio, a producer and the worker."`
	Run      runCmd          `cmd:"" help:"Run the worker."`
	Health   healthCmd       `cmd:"" help:"Ask the worker or receiver on this machine whether it is alive, for a container's health check."`
	Preview  events.Preview  `cmd:"" help:"Tell what each action would do with each event, without sending."`
	Validate validateCmd     `cmd:"" help:"Check a configuration and print it with its defaults."`
	Init     initCmd         `cmd:"" help:"Write a configuration to begin with, commented, for the simulated Twilio."`
	Schema   schemaCmd       `cmd:"" help:"Print the JSON Schema of a configuration, for editors."`
	Settings configCmd       `cmd:"" name:"config" help:"Compare configurations."`
	Check    checkCmd        `cmd:"" help:"Try what the configuration names for real: Kafka, rights, topics, Twilio's key, senders, templates, the profile token. Sends nothing."`
	Topics   topicsCmd       `cmd:"" help:"Create or check the topics that the worker needs."`
	Produce  events.Produce  `cmd:"" help:"Publish events: a file's, standard input's or generated ones."`
	Consume  events.Consume  `cmd:"" help:"Show the last events of the topic, masked, and those that come."`
	SendTest events.SendTest `cmd:"" help:"Send one message for real, to a number of your own."`
	Dlq      dlq.Cmd         `cmd:"" help:"Look at the dead letters, and send them again."`
	Trace    traceCmd        `cmd:"" help:"Tell what became of an event, a person or a number, in order: event, trigger, attempts, statuses, dead letters, replays."`

	Callbacks callbacksCmd `cmd:"" help:"Receive Twilio's status callbacks, any number of replicas beside the worker."`
	Desk      deskCmd      `cmd:"" help:"Serve pages in a browser: what goes on, dead letters, replays, traces, and what would be made of an event."`

	About      versionCmd    `cmd:"" name:"version" help:"Print the version, the commit, and what this was built with."`
	Help       helpCmd       `cmd:"" help:"Tell about a command, or print a manual page with --man."`
	Completion completionCmd `cmd:"" help:"Print a script that has a shell complete commands and options."`
	Complete   completeCmd   `cmd:"" hidden:""`
}

// run is the whole program except for the process: it parses args, runs the
// command and returns the exit code (see package cli).
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &cli.App{Stdin: stdin, Stdout: stdout, Stderr: stderr, Interrupted: ctx.Done(), Version: version()}
	var c commandLine
	exited := -1 // set by --help and --version, after which kong parses on
	parser, err := kong.New(&c,
		kong.Name("engage-worker"),
		kong.Description("Turns audience events on a Kafka topic into SMS, MMS and WhatsApp messages through Twilio."),
		kong.Vars{"list_columns": strings.Join(letters.ColumnNames(), ", "), "version": "engage-worker " + a.Version},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.Bind(a),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return cli.Report(stderr, err)
	}
	if len(args) == 0 {
		parser.Stdout = stderr
		_, _ = parser.Parse([]string{"--help"}) // which prints, and has no error of its own
		return cli.ExitBadInput
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return cli.Report(stderr, cli.BadInput(fmt.Errorf("%w (see %s --help)", err, called(err))))
	}
	a.ConfigPath, a.EnvFile = c.Config, c.EnvFile
	return cli.Report(stderr, kctx.Run())
}

// called is the command that a wrong command line means, as far as it came.
func called(err error) string {
	name := "engage-worker"
	if wrong := (*kong.ParseError)(nil); errors.As(err, &wrong) {
		for _, step := range wrong.Context.Path {
			if step.Command != nil {
				name += " " + step.Command.Name
			}
		}
	}
	return name
}

// release is set by the linker where the build can't see the repository; see
// the Dockerfile.
var release string

// version is the release, else the module's, else the commit that it was built
// from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
