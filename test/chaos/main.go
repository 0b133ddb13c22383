package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// options are the command line's.
type options struct {
	Seed          uint64 `default:"1" help:"Of the first run; each further run has the next."`
	Runs          int    `help:"Runs of each scenario; 0: as many as it asks for."`
	Broker        string `default:"embedded" enum:"embedded,kafka,all" help:"${enum}."`
	Short         bool   `help:"The short form, within 90 s."`
	Scenario      string `help:"Only these, separated by commas; \"list\" lists all."`
	WithoutLedger bool   `help:"Switch the ledger off: the scenarios have to find doubles then."`
	Out           string `default:"test/chaos/out" help:"Where the histories go."`
	Keep          bool   `help:"Keep the histories of good runs as well."`
	Earlier       string `default:"${first}" help:"The commit that the scenario upgrade begins with; it must be in the clone's history."`
	Of            string `help:"A commit of the clone's history whose replicas run, to see what it does; the present ones if empty."`
}

func main() { os.Exit(command(os.Args[1:], os.Stdout)) }

// command is main with its ends open: 0 when every promise was kept, 1 when one
// wasn't, 2 when that can't be told.
func command(args []string, out io.Writer) int {
	o, helped := options{}, false
	parser, err := kong.New(&o, kong.Name("chaos"), kong.Vars{"first": firstVersion}, kong.Writers(out, out), kong.Exit(func(int) { helped = true }))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if helped {
		return 0
	}
	if err != nil {
		fmt.Fprintln(out, "chaos:", err)
		return 2
	}
	chosen, err := choose(scenarios(), o)
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	if o.Scenario == "list" {
		list(out, scenarios())
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := all(ctx, chosen, o, out)
	switch {
	case err != nil:
		fmt.Fprintln(out, "chaos:", err)
		return 2
	case !ok:
		return 1
	}
	return 0
}

// choose picks the scenarios that the options ask for.
func choose(from []scenario, o options) ([]scenario, error) {
	if o.Scenario != "" && o.Scenario != "list" {
		var chosen []scenario
		for name := range strings.SplitSeq(o.Scenario, ",") {
			i := slices.IndexFunc(from, func(s scenario) bool { return s.name == name })
			if i < 0 {
				return nil, fmt.Errorf("there is no scenario %q; --scenario list lists them", name)
			}
			chosen = append(chosen, from[i])
		}
		return chosen, nil
	}
	return slices.DeleteFunc(slices.Clone(from), func(s scenario) bool {
		if o.Short {
			return !s.short
		}
		return s.seeds < 0 || o.Broker != "all" && s.kafka != (o.Broker == "kafka")
	}), nil
}

func list(out io.Writer, all []scenario) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\n", s.name, s.about)
	}
	w.Flush()
}

// all carries out every run, one at a time, and prints the table.
func all(ctx context.Context, chosen []scenario, o options, out io.Writer) (ok bool, err error) {
	start := time.Now()
	o.Out, err = filepath.Abs(o.Out)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "engage-chaos-bin-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	built, err := buildAll(ctx, dir, chosen, o)
	if err != nil {
		return false, err
	}
	ok = true
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tseed\tevents\tkills\taccepted\tlost\tsent twice\twrongly dead\tdead letters\tstill due\tseconds\t\t")
	defer func() {
		w.Flush()
		fmt.Fprintf(out, "\n%s\n%.0f s in all\n", table.String(), time.Since(start).Seconds())
	}()
	kills, lost, twice := 0, 0, 0
	for _, s := range chosen {
		runs := max(1, s.seeds)
		if o.Runs > 0 {
			runs = o.Runs
		}
		for i := range runs {
			r := &run{
				scenario: s, seed: o.Seed + uint64(i), program: built.overlaid[s.overlay], present: o.Of == "", withoutLedger: s.unsafe || o.WithoutLedger,
				dir: filepath.Join(o.Out, fmt.Sprintf("%s-%d", s.name, o.Seed+uint64(i))),
			}
			if s.upgrade {
				r.earlier = built.earlier
			}
			fmt.Fprintf(out, "%s  %s, seed %d: %s\n", time.Now().Format("15:04:05"), s.name, r.seed, s.about)
			res, err := r.carryOut(ctx)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if err != nil {
				fmt.Fprintf(out, "          the run couldn't be carried out: %v; see %s\n", err, r.dir)
				fmt.Fprintf(w, "%s\t%d\t\t\t\t\t\t\t\t\t\tBROKEN\t\n", s.name, r.seed)
				ok = false
				continue
			}
			good := report(out, r, res)
			ok = ok && good
			word := "ok"
			if !good {
				word = "FAILED"
			} else if !o.Keep {
				if err := os.RemoveAll(r.dir); err != nil {
					return false, err
				}
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%s\t\n", s.name, r.seed, res.Events, res.kills, res.Accepted, res.Lost, res.Twice, res.WrongDead, res.DeadLetters, res.Due, res.took.Seconds(), word)
			if !r.withoutLedger {
				kills, lost, twice = kills+res.kills, lost+res.Lost, twice+res.Twice
			}
		}
	}
	fmt.Fprintf(w, "with the ledger\t\t\t%d\t\t%d\t%d\t\t\t\t\t\t\n", kills, lost, twice)
	return ok, nil
}

// told is how many violations are told in full.
const told = 5

// report prints what a run came to and reports whether that is as it should be.
func report(out io.Writer, r *run, res *outcome) bool {
	for _, g := range res.grades {
		fmt.Fprintln(out, "         ", g)
	}
	for _, b := range res.broken {
		fmt.Fprintln(out, "          WRONG:", b)
	}
	if r.withoutLedger {
		fmt.Fprintf(out, "          without the ledger: %d sent twice\n", res.Twice)
		return res.Twice > 0 && len(res.broken) == 0
	}
	for i, v := range res.Violations {
		if i == told {
			fmt.Fprintf(out, "          and %d more\n", len(res.Violations)-told)
			break
		}
		fmt.Fprintf(out, "          VIOLATION: %s %s\n", v.Ref, v.What)
		if v.Ref != "" {
			res.history.Tell(out, v.Ref)
		}
	}
	good := res.OK() && len(res.broken) == 0
	if !good {
		fmt.Fprintf(out, "          the history and the replicas' logs are in %s\n", r.dir)
	}
	return good
}
