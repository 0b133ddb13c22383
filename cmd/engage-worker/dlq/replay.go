package dlq

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type Replay struct {
	choosing
	IDs        []string `arg:"" optional:"" name:"id" help:"Only these dead letters."`
	Rate       float64  `help:"Events per second that go back to the source topic." default:"20"`
	MaxReplays int      `help:"How often one delivery may be replayed in all." default:"3"`
	Ambiguous  bool     `help:"Replay also those of which nobody knows whether they were sent: some people may get the message twice."`
	EvenIfSent bool     `help:"Replay also those that may have been sent where neither the ledger nor Twilio can tell any more: some people will get the message twice."`

	Undelivered bool          `help:"Replay also what Twilio accepted and didn't deliver (not_delivered); with --ambiguous also where it may have arrived."`
	Again       bool          `help:"Replay also what was replayed and came to nothing."`
	Limit       int           `help:"How many to replay at most; 0: all." default:"0" short:"n"`
	Wait        time.Duration `help:"How long to wait in the end for what came of it." default:"30s"`

	Yes    bool `help:"Carry the plan out without asking." short:"y" xor:"yes"`
	DryRun bool `help:"Show the plan and nothing else, without asking." xor:"yes"`
}

// Validate is kong's hook for flags.
func (c *Replay) Validate() error {
	const fastest = 100_000
	switch {
	case !(c.Rate >= 0.01 && c.Rate <= fastest): // NaN is neither
		return fmt.Errorf("--rate must be from 0.01 to %d events a second", fastest)
	case c.MaxReplays < 1:
		return errors.New("--max-replays must be 1 or more")
	case c.Limit < 0:
		return errors.New("--limit must be 0 or more")
	case c.Wait < 0:
		return errors.New("--wait must be 0s or more")
	}
	return c.choosing.Validate()
}

// Run plans, and replays when told to.
func (c *Replay) Run(ctx context.Context, app *cli.App) error {
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	r, err := c.replayer(ctx, desk)
	if err != nil {
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
	defer func() {
		if r.Audit != nil {
			r.Audit.Close()
		}
	}()
	progress := new(deadletter.Progress)
	stop := terminal.Progress(app.Stderr, "reading "+desk.Reader.Topic, progress.Far)
	plan, err := r.Plan(ctx, progress)
	stop()
	if err != nil {
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
	if err := c.printPlan(terminal.ScreenOf(app.Stdout), desk, plan); err != nil {
		return err
	}
	leftOut{foreign: plan.Foreign, gone: int(progress.Gone())}.note(app, desk.Reader.Topic)
	// An interrupted plan of which nothing is left must still be finished.
	if plan.Send() == 0 && !(plan.Continues() && c.Yes) {
		return c.notFound(desk, plan)
	}
	if confirmed, err := c.confirmed(ctx, app, plan); err != nil || !confirmed {
		return err
	}
	if r.Audit == nil {
		if r.Audit, err = desk.OpenAudit(ctx, true); err != nil {
			return cli.ExplainedLetters(ctx, desk.Desk, err)
		}
	}
	return c.carryOut(ctx, app, desk, r, plan)
}

// replayer prepares a plan's making. Its Audit is nil while there is none.
func (c *Replay) replayer(ctx context.Context, desk *reading) (*deadletter.Replayer, error) {
	planner, err := desk.Planner()
	if err != nil {
		return nil, cli.BadInput(err)
	}
	if planner.Audit, err = desk.OpenAudit(ctx, false); err != nil {
		return nil, err
	}
	planner.Filter = c.filter
	planner.Filter.IDs = c.IDs
	planner.MaxReplays, planner.Limit, planner.By = c.MaxReplays, c.Limit, cli.Whoami()
	planner.Ambiguous, planner.EvenIfSent, planner.Undelivered, planner.Again = c.Ambiguous, c.EvenIfSent, c.Undelivered, c.Again
	choice := letters.Choice{
		Filter: planner.Filter, Since: c.Since, Until: c.Until, Zone: c.TZ.String(),
		EvenIfSent: c.EvenIfSent, Undelivered: c.Undelivered, Again: c.Again,
	}
	planner.Selection, planner.Asked = choice.Selection(), choice.Asked()
	return &deadletter.Replayer{Planner: planner, Rate: c.Rate}, nil
}

func (c *Replay) printPlan(s terminal.Screen, desk *reading, plan *deadletter.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.Bold("Plan "+plan.ID+": "+desk.Reader.Topic+" to "+desk.Config.Kafka.Topic))
	if plan.Continues() {
		fmt.Fprintf(&b, "  goes on with %s, which was interrupted\n", plan.Series)
	}
	fmt.Fprintf(&b, "  %8s  chosen, each delivery once\n", terminal.Thousands(plan.Chosen))
	for _, why := range letters.Whys() {
		n := plan.PassedOver[why]
		if n == 0 {
			continue
		}
		words, option := letters.PassedOver(why, plan.Continues(), c.MaxReplays)
		if option != "" {
			words += " (" + option + ")"
		}
		fmt.Fprintf(&b, "  %8s  passed over: %s\n", terminal.Thousands(n), words)
	}
	fmt.Fprintf(&b, "  %8s  to be replayed", terminal.Thousands(plan.Send()))
	if plan.Send() > 0 {
		fmt.Fprintf(&b, ", in about %s at %s a second", c.estimate(plan), strconv.FormatFloat(c.Rate, 'f', -1, 64))
	}
	b.WriteByte('\n')
	if plan.Later > 0 {
		fmt.Fprintf(&b, "  %8s  left for later (--limit)\n", terminal.Thousands(plan.Later))
	}
	if plan.Open > 0 {
		fmt.Fprintf(&b, "  %8s  of them were begun by a replay that was cut off; they come last, after a wait to be sure\n", terminal.Thousands(plan.Open))
	}
	for _, count := range plan.Reasons() {
		fmt.Fprintf(&b, "            %8s  %s\n", terminal.Thousands(count.N), terminal.Plain(cmp.Or(count.Value, none)))
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// estimate is how long the plan takes.
func (c *Replay) estimate(plan *deadletter.Plan) time.Duration {
	return time.Duration(math.Ceil(float64(plan.Send())/c.Rate)) * time.Second
}

// notFound reports ids that no dead letter has.
func (c *Replay) notFound(desk *reading, plan *deadletter.Plan) error {
	if plan.Chosen == 0 {
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	if plan.Chosen == 0 && len(c.IDs) > 0 {
		return cli.BadInput(fmt.Errorf("%s holds no dead letter with such an id that the options choose; `engage-worker dlq list` shows the ids", desk.Reader.Topic))
	}
	return nil
}

// confirmed asks, where there is somebody to ask.
func (c *Replay) confirmed(ctx context.Context, app *cli.App, plan *deadletter.Plan) (bool, error) {
	if c.Yes {
		return true, nil
	}
	in, ok := app.Stdin.(*os.File)
	if c.DryRun || !ok || !term.IsTerminal(int(in.Fd())) {
		_, err := fmt.Fprintln(app.Stdout, "Nothing was replayed; --yes carries the plan out.")
		return false, err
	}
	const word = "replay"
	fmt.Fprintf(app.Stdout, "Type %q to send %s again, anything else to leave it: ", word, terminal.Plural(plan.Send(), "message"))
	answer := make(chan string, 1)
	go func() { // ends with the process if nobody answers: a terminal can't be given up reading
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		if a == word {
			return true, nil
		}
		_, err := fmt.Fprintln(app.Stdout, "Nothing was replayed.")
		return false, err
	case <-ctx.Done():
		fmt.Fprintln(app.Stdout)
		return false, errors.New("interrupted; nothing was replayed")
	}
}

// carryOut replays, shows how far it is, and says how it ended.
func (c *Replay) carryOut(ctx context.Context, app *cli.App, desk *reading, r *deadletter.Replayer, plan *deadletter.Plan) error {
	var left atomic.Int64
	left.Store(int64(plan.Send()))
	r.Progress = func(p deadletter.Report) { left.Store(int64(p.Left)) }
	all := int64(plan.Send())
	stop := terminal.Progress(app.Stderr, "replaying", func() (done, total int64) { return all - left.Load(), all })
	report, err := r.Run(ctx, plan)
	stop()
	line := terminal.Plural(report.Published, "dead letter") + " replayed"
	for _, why := range slices.Sorted(maps.Keys(report.PassedOver)) {
		line += fmt.Sprintf(", %s passed over: %s", terminal.Thousands(report.PassedOver[why]), why)
	}
	if report.Left > 0 {
		line += fmt.Sprintf(", %s left; the same command goes on from there", terminal.Thousands(report.Left))
	}
	if _, werr := fmt.Fprintln(app.Stdout, line); err == nil {
		err = werr
	}
	switch {
	case err == nil:
		return c.await(ctx, app, desk, r, plan, report.Published)
	case ctx.Err() != nil:
		return errors.New("interrupted")
	default:
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
}

// await waits for what came of the replays, and says it.
func (c *Replay) await(ctx context.Context, app *cli.App, desk *reading, r *deadletter.Replayer, plan *deadletter.Plan, published int) error {
	if published == 0 || c.Wait == 0 {
		return nil
	}
	stop := terminal.Progress(app.Stderr, "waiting for what comes of it", func() (done, total int64) { return 0, 0 })
	counts, err := r.Await(ctx, plan, c.Wait)
	stop()
	if err != nil {
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
	var parts []string
	for _, of := range []struct {
		n    int
		what string
	}{
		{counts[deadletter.StateSent] + counts[deadletter.StateDelivered], "sent"},
		{counts[deadletter.StateFailedAgain], "failed again"},
		{counts[deadletter.StateSkipped], "skipped"},
		{counts[deadletter.StateReplayed], "of which nothing is known yet"},
	} {
		if of.n > 0 {
			parts = append(parts, terminal.Thousands(of.n)+" "+of.what)
		}
	}
	line := "what came of it: " + strings.Join(parts, ", ")
	if n := counts[deadletter.StateDelivered]; n > 0 {
		line += fmt.Sprintf("; %s delivered so far", terminal.Thousands(n))
	}
	if counts[deadletter.StateReplayed] > 0 {
		line += "; `engage-worker dlq stats --by state` tells later"
	}
	_, err = fmt.Fprintln(app.Stdout, line)
	return err
}
