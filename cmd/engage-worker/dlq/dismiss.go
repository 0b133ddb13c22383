package dlq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type Dismiss struct {
	choosing
	IDs     []string `arg:"" optional:"" name:"id" help:"Only these dead letters."`
	Because string   `help:"Why, in your words, 500 characters at most: it stands in the record of replays, with who and when." placeholder:"TEXT"`
	Reopen  bool     `help:"Open dismissed ones again; --because says why, too."`
	Yes     bool     `help:"Do it; without it, only how many it would be is told." short:"y"`
}

// Validate is kong's hook for flags.
func (c *Dismiss) Validate() error {
	why, err := letters.Because(c.Because)
	if err != nil {
		return fmt.Errorf("--because: %w", err)
	}
	c.Because = why
	if err := c.choosing.Validate(); err != nil {
		return err
	}
	if len(c.IDs) == 0 && c.chosen() == "" {
		return errors.New("which? name ids, or choose with the options; --state open chooses all that are open")
	}
	return nil
}

// Run closes letters, or opens them again.
func (c *Dismiss) Run(ctx context.Context, app *cli.App) error {
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	filter := c.filter
	filter.IDs = c.IDs
	var chosen []deadletter.Letter
	passed := map[deadletter.State]int{}
	left, err := desk.readStates(ctx, app, filter, func(r *deadletter.Record) error {
		if letters.Dismissible(r.State, c.Reopen) {
			chosen = append(chosen, deadletter.LetterOf(r))
		} else {
			passed[r.State]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	left.note(app, desk.Reader.Topic)
	if len(chosen)+len(passed) == 0 {
		if len(c.IDs) > 0 {
			return cli.BadInput(fmt.Errorf("%s holds no dead letter with such an id that the options choose; `engage-worker dlq list` shows the ids", desk.Reader.Topic))
		}
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	what := "dismissed"
	if c.Reopen {
		what = "opened again"
	}
	line := ""
	for _, state := range slices.Sorted(maps.Keys(passed)) {
		line += fmt.Sprintf(", %s passed over: %s", terminal.Thousands(passed[state]), state)
	}
	if !c.Yes {
		_, err := fmt.Fprintf(app.Stdout, "%s to be %s%s. Nothing was done; --yes does it.\n", terminal.Plural(len(chosen), "dead letter"), what, line)
		return err
	}
	if err := c.carryOut(ctx, desk, chosen); err != nil {
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
	_, err = fmt.Fprintf(app.Stdout, "%s %s%s\n", terminal.Plural(len(chosen), "dead letter"), what, line)
	return err
}

func (c *Dismiss) carryOut(ctx context.Context, desk *reading, chosen []deadletter.Letter) error {
	if len(chosen) == 0 {
		return nil
	}
	audit, err := desk.OpenAudit(ctx, true)
	if err != nil {
		return err
	}
	return errors.Join(audit.Dismiss(ctx, chosen, cli.Whoami(), c.Because, c.Reopen), audit.Close())
}
