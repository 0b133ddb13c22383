package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// options are the command line's.
type options struct {
	seed          uint64
	runs          int
	broker        string
	short         bool
	scenarios     string
	withoutLedger bool
	out           string
	keep          bool
	earlier       string
	of            string
}

func main() { os.Exit(command(os.Args[1:], os.Stdout)) }

// command is main with its ends open: 0 when every promise was kept, 1 when one
// wasn't, 2 when that can't be told.
func command(args []string, out io.Writer) int {
	o := options{}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.Uint64Var(&o.seed, "seed", 1, "of the first run; each further run has the next")
	flags.IntVar(&o.runs, "runs", 0, "runs of each scenario; 0: as many as it asks for")
	flags.StringVar(&o.broker, "broker", "embedded", "embedded, kafka, or all")
	flags.BoolVar(&o.short, "short", false, "the short form, within 90 s")
	flags.StringVar(&o.scenarios, "scenario", "", "only these, separated by commas; \"list\" lists all")
	flags.BoolVar(&o.withoutLedger, "without-ledger", false, "switch the ledger off: the scenarios have to find doubles then")
	flags.StringVar(&o.out, "out", "test/chaos/out", "where the histories go")
	flags.BoolVar(&o.keep, "keep", false, "keep the histories of good runs as well")
	flags.StringVar(&o.earlier, "earlier", firstVersion, "the commit that the scenario upgrade begins with; it must be in the clone's history")
	flags.StringVar(&o.of, "of", "", "a commit of the clone's history whose replicas run, to see what it does; the present ones if empty")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen, err := choose(scenarios(), o)
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	if o.scenarios == "list" {
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
	if !slices.Contains([]string{"embedded", "kafka", "all"}, o.broker) {
		return nil, fmt.Errorf("--broker %s: it is embedded, kafka or all", o.broker)
	}
	if o.scenarios != "" && o.scenarios != "list" {
		var chosen []scenario
		for name := range strings.SplitSeq(o.scenarios, ",") {
			i := slices.IndexFunc(from, func(s scenario) bool { return s.name == name })
			if i < 0 {
				return nil, fmt.Errorf("there is no scenario %q; --scenario list lists them", name)
			}
			chosen = append(chosen, from[i])
		}
		return chosen, nil
	}
	return slices.DeleteFunc(slices.Clone(from), func(s scenario) bool {
		if o.short {
			return !s.short
		}
		return s.seeds < 0 || o.broker != "all" && s.kafka != (o.broker == "kafka")
	}), nil
}

func list(out io.Writer, all []scenario) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\n", s.name, s.about)
	}
	w.Flush()
}

// programs are the workers that runs need: that of o.of, the same under overlays,
// and an earlier one; the latter two only where a scenario wants them.
type programs struct {
	program, earlier string
	overlaid         map[*overlay]string
}

// buildAll builds them. cleanup is to be called in any case.
func buildAll(ctx context.Context, chosen []scenario, o options) (built programs, cleanup func(), err error) {
	var cleanups []func()
	cleanup = func() {
		for _, f := range cleanups {
			f()
		}
	}
	add := func(program string, f func(), err error) (string, error) {
		if err == nil {
			cleanups = append(cleanups, f)
		}
		return program, err
	}
	if built.program, err = add(build(ctx, o.of)); err != nil {
		return built, cleanup, err
	}
	built.overlaid = map[*overlay]string{nil: built.program}
	for _, s := range chosen {
		if built.overlaid[s.overlay] != "" {
			continue
		}
		dir, err := os.MkdirTemp("", "engage-chaos-overlay-")
		if err != nil {
			return built, cleanup, err
		}
		cleanups = append(cleanups, func() { os.RemoveAll(dir) })
		file, err := s.overlay.write(ctx, dir)
		if err != nil {
			return built, cleanup, err
		}
		if built.overlaid[s.overlay], err = add(build(ctx, o.of, "-overlay", file)); err != nil {
			return built, cleanup, err
		}
	}
	if slices.ContainsFunc(chosen, func(s scenario) bool { return s.upgrade }) {
		built.earlier, err = add(buildCommit(ctx, o.earlier))
	}
	return built, cleanup, err
}

// all carries out every run, one at a time, and prints the table.
func all(ctx context.Context, chosen []scenario, o options, out io.Writer) (ok bool, err error) {
	start := time.Now()
	o.out, err = filepath.Abs(o.out)
	if err != nil {
		return false, err
	}
	built, cleanup, err := buildAll(ctx, chosen, o)
	defer cleanup()
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
		if o.runs > 0 {
			runs = o.runs
		}
		for i := range runs {
			r := &run{
				scenario: s, seed: o.seed + uint64(i), program: built.overlaid[s.overlay], present: o.of == "", withoutLedger: s.unsafe || o.withoutLedger,
				dir: filepath.Join(o.out, fmt.Sprintf("%s-%d", s.name, o.seed+uint64(i))),
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
			} else if !o.keep {
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

// build builds the worker once, of the present state or of a commit.
func build(ctx context.Context, commit string, flags ...string) (program string, cleanup func(), err error) {
	if commit != "" {
		return buildCommit(ctx, commit, flags...)
	}
	dir, err := os.MkdirTemp("", "engage-chaos-bin-")
	if err != nil {
		return "", nil, err
	}
	cleanup = func() { os.RemoveAll(dir) }
	program = filepath.Join(dir, "engage-worker")
	if text, err := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, flags, []string{"engage-worker/cmd/engage-worker"})...).CombinedOutput(); err != nil {
		cleanup()
		return "", nil, errors.Join(fmt.Errorf("build the worker: %w", err), errors.New(string(text)))
	}
	return program, cleanup, nil
}
