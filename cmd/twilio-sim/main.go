// Command twilio-sim serves a simulated Twilio: the APIs that engage-worker
// uses, with faults that can be switched while it runs. See
// internal/sim/twiliosim for what it does and for its own API under /_sim/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/twmb/franz-go/pkg/kfake"

	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/twiliosim"
)

type flags struct {
	Listen  []string      `default:":8081" help:"Addresses to listen on; several can stand for several regions. Without any, :8081." placeholder:"HOST:PORT"`
	Kafka   *int          `help:"Serve a Kafka broker as well, on this port of localhost: embedded, its topics in memory. To try the worker where there is no Kafka." placeholder:"PORT"`
	Admin   string        `help:"A further address that serves only /_sim/ and never goes down." placeholder:"HOST:PORT"`
	Config  string        `help:"Options as YAML or JSON: accounts, templates, profiles, keep, faults, ..." type:"existingfile" placeholder:"FILE"`
	Faults  string        `help:"Faults as JSON, or a file of them; stands in for those of --config." placeholder:"JSON|FILE"`
	Course  string        `help:"What becomes of messages and how their status callbacks come, as JSON, or a file of it; stands in for that of --config." placeholder:"JSON|FILE"`
	Token   string        `name:"auth-token" help:"The account's auth token, with which status callbacks are signed." env:"TWILIO_SIM_AUTH_TOKEN" placeholder:"TOKEN"`
	Calls   []string      `name:"callback-host" help:"A host beyond this machine that status callbacks may be posted to." placeholder:"HOST"`
	Latency time.Duration `help:"Time before each answer; stands in for that of the faults."`
	Rate    float64       `help:"Messages per second, beyond which requests get a 429; stands in for that of the faults."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, stop, args, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "twilio-sim:", err)
		return 1
	}
	return 0
}

// serve runs until ctx ends, calls stop so that another signal ends the
// process at once, and gives requests under way some seconds to finish.
func serve(ctx context.Context, stop func(), args []string, stdout, stderr io.Writer) error {
	var f flags
	exited := false
	parser, err := kong.New(&f,
		kong.Name("twilio-sim"), kong.Description("A simulated Twilio, with faults on demand."),
		kong.Writers(stdout, stderr), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return err
	}
	if _, err := parser.Parse(args); exited {
		return nil // --help
	} else if err != nil {
		return err
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	sim, err := twiliosim.New(opts)
	if err != nil {
		return err
	}
	defer sim.Close()

	var listeners []*twiliosim.Listener
	for _, addr := range f.Listen {
		l, err := sim.Listen(addr)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, "twilio-sim: serving on", l.Addr())
		listeners = append(listeners, l)
	}
	if f.Admin != "" {
		l, err := sim.ListenAdmin(f.Admin)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, "twilio-sim: serving /_sim/ on", l.Addr())
		listeners = append(listeners, l)
	}

	if f.Kafka != nil {
		broker, err := embedded.Start(kfake.Ports(*f.Kafka), kfake.SeedTopics(sourcePartitions, "audience-events"))
		if err != nil {
			return err
		}
		defer broker.Close()
		fmt.Fprintln(stdout, "twilio-sim: serving Kafka on", strings.Join(broker.Brokers(), ", "))
	}

	<-ctx.Done()
	stop()
	return shutdown(sim, listeners, stdout)
}

// sourcePartitions is how many partitions the embedded broker's topic has.
const sourcePartitions = 6

// grace is what requests under way get at the end: more than a client's usual
// latency, less than what orchestrators wait before they kill.
const grace = 5 * time.Second

func shutdown(sim *twiliosim.Sim, listeners []*twiliosim.Listener, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var errs []error
	for _, l := range listeners {
		if err := l.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, err)
		}
	}
	stats := sim.Stats()
	fmt.Fprintf(stdout, "twilio-sim: %d requests, %d messages accepted\n", stats.Received, stats.Accepted)
	return errors.Join(errs...)
}

// options puts file and flags together.
func (f *flags) options() (twiliosim.Options, error) {
	var opts twiliosim.Options
	if f.Config != "" {
		document, err := os.ReadFile(f.Config)
		if err != nil {
			return opts, err
		}
		if opts, err = twiliosim.ParseOptions(document); err != nil {
			return opts, fmt.Errorf("%s: %w", f.Config, err)
		}
	}
	if err := errors.Join(
		inlineOrFile("--faults", f.Faults, &opts.Faults, twiliosim.ParseFaults),
		inlineOrFile("--course", f.Course, &opts.Course, twiliosim.ParseCourse),
	); err != nil {
		return opts, err
	}
	if f.Token != "" {
		opts.AuthToken = f.Token
	}
	opts.CallbackHosts = append(opts.CallbackHosts, f.Calls...)
	if f.Latency != 0 {
		opts.Faults.Latency = f.Latency
	}
	if f.Rate != 0 {
		opts.Faults.Rate = f.Rate
	}
	return opts, nil
}

// inlineOrFile reads a flag's document: the value itself, or the file that it
// names. Without a value, what there is stays.
func inlineOrFile[T any](flag, value string, into *T, parse func([]byte) (T, error)) error {
	if value == "" {
		return nil
	}
	document, err := []byte(value), error(nil)
	if !strings.HasPrefix(strings.TrimSpace(value), "{") {
		document, err = os.ReadFile(value)
	}
	if err == nil {
		*into, err = parse(document)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}
