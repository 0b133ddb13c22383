package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/eventfile"
	"engage-worker/internal/terminal"
)

// SendTest sends one real message, to a number of one's own.
type SendTest struct {
	Action      string `required:"" help:"The action, by its name." placeholder:"NAME"`
	Destination string `help:"Its destination, where several have an action of that name." placeholder:"NAME"`
	Event       string `required:"" help:"A file with the event; its recipients don't count." placeholder:"FILE" type:"path"`
	To          string `required:"" help:"Who gets it, as +15551234567." placeholder:"NUMBER"`
	Yes         bool   `help:"Send it. Without, the message is only shown."`
}

// Run sends the message that the action makes of the event, to --to alone.
// Nothing is written to Kafka, so that the same event is still sent as ever.
func (c *SendTest) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	value, err := c.event()
	if err != nil {
		return cli.BadInput(err)
	}
	definition, err := c.definition(cfg)
	if err != nil {
		return cli.BadInput(err)
	}
	d, faults := actions.New(definition, actions.Options{Region: cfg.TwilioRegion, Regions: cfg.RegionNames()})
	if len(faults) > 0 { // of the number, the rest being checked
		return cli.BadInput(fmt.Errorf("%s: %s", faults[0].Path, faults[0].Message))
	}
	defer d.Close()
	match := d.Match(value)
	if match.Malformed != nil {
		return cli.BadInput(fmt.Errorf("the event is malformed: %w", match.Malformed))
	}
	if match.Actions == 0 {
		return cli.BadInput(fmt.Errorf("the trigger of %s doesn't want the event (preview --explain says why)", c.Action))
	}
	event, err := d.Decode(value)
	if err != nil {
		return cli.BadInput(fmt.Errorf("the event is malformed: %w", err))
	}
	delivery := d.Prepare(ctx, event, 0)
	if delivery.Decision != actions.DecisionSend {
		why := delivery.Reason.String()
		if delivery.Failure != nil {
			why = delivery.Failure.Message
		}
		return fmt.Errorf("there is nothing to send: %s", why)
	}
	if !strings.HasSuffix(delivery.Message.To, strings.TrimPrefix(c.To, "+")) {
		return cli.BadInput(fmt.Errorf("the action sends to no number, but to %q", delivery.Message.To[:strings.IndexByte(delivery.Message.To+":", ':')]))
	}
	fmt.Fprintf(app.Stdout, "to %s, from %s:\n%s\n", terminal.Plain(delivery.Message.To), terminal.Plain(delivery.Message.From), terminal.PlainLines(delivery.Message.Body))
	if !c.Yes {
		return cli.BadInput(errors.New("nothing is sent without --yes"))
	}
	result := d.Send(ctx, delivery.Message, func() error { return nil })
	if result.Kind != outcome.Sent {
		return fmt.Errorf("not sent: %s: %w", result.Reason, result.Err)
	}
	fmt.Fprintf(app.Stdout, "sent: %s\n", result.SID)
	return nil
}

// event is the only one of the file.
func (c *SendTest) event() ([]byte, error) {
	file, err := openEvents(c.Event)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	events := eventfile.NewReader(file)
	record, err := events.Next()
	if err != nil {
		return nil, fmt.Errorf("%s holds no event: %w", c.Event, err)
	}
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s holds several events: send-test sends one", c.Event)
	}
	return record.Value, nil
}

// definition is the destination with the one action, whose recipient is --to.
func (c *SendTest) definition(cfg *config.Config) (actions.Definition, error) {
	var names []string
	var found []actions.Definition
	for _, d := range cfg.Destinations {
		for _, a := range d.Actions {
			names = append(names, d.Name+"/"+a.Name)
			if a.Name != c.Action || c.Destination != "" && d.Name != c.Destination {
				continue
			}
			one := d.Definition
			a.Disabled, a.Mapping = false, maps.Clone(a.Mapping)
			to := "toNumber"
			if a.Type == actions.SendMessage {
				to = "toPhoneNumber"
				delete(a.Mapping, "subscriptionStatus")
			}
			a.Mapping[to] = c.To
			one.Actions = []actions.ActionDefinition{a}
			found = append(found, one)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		slices.Sort(names)
		return actions.Definition{}, fmt.Errorf("there is no action %q; known are: %s", c.Action, strings.Join(names, ", "))
	default:
		return actions.Definition{}, fmt.Errorf("several destinations have an action %s: name one with --destination", c.Action)
	}
}
