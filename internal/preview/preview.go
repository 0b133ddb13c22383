package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/internal/config"
	"engage-worker/internal/trace"
)

// LookupTime bounds the look-ups of what one event is decided by, where somebody
// waits for many.
const LookupTime = 10 * time.Second

// Previewer decides events by a configuration. It is safe for concurrent use.
// Close it in the end.
type Previewer struct {
	cfg          *config.Config
	destinations []destination
}

type destination struct {
	*actions.Destination
	settings actions.Settings
	doubts   [][]string // of each action: what its definition is warned of
}

// New compiles the destinations. The error, which Load would have found, names
// what doesn't compile.
func New(cfg *config.Config) (*Previewer, error) {
	p := &Previewer{cfg: cfg}
	for i, definition := range cfg.Destinations {
		d, faults := actions.New(definition.Definition, actions.Options{Log: zerolog.Nop(), Region: cfg.TwilioRegion, Regions: cfg.RegionNames()})
		if len(faults) > 0 {
			p.Close()
			return nil, fmt.Errorf("the destination %q doesn't compile: %s: %s", definition.Name, faults[0].Path, faults[0].Message)
		}
		made := destination{d, definition.Settings, make([][]string, len(definition.Actions))}
		for j := range definition.Actions {
			place := fmt.Sprintf("destinations[%d].actions[%d].", i, j)
			for _, w := range cfg.Warnings() {
				if rest, ok := strings.CutPrefix(w.Path, place); ok {
					made.doubts[j] = append(made.doubts[j], fmt.Sprintf("line %d of the configuration: %s: %s; %s", w.Line, rest, w.Message, w.WayOut))
				}
			}
		}
		p.destinations = append(p.destinations, made)
	}
	return p, nil
}

// Close gives up the connections.
func (p *Previewer) Close() {
	for _, d := range p.destinations {
		d.Close()
	}
}

// Event calls each for every action of every destination, in their order, with
// what it would do with an event; with explain, and why. An error is each's, or
// the context's, whose end leaves nothing half decided.
func (p *Previewer) Event(ctx context.Context, value []byte, explain bool, each func(Line) error) error {
	for _, d := range p.destinations {
		match := d.Match(value)
		event, err := d.Decode(value)
		if fault := cmp.Or(match.Malformed, err); fault != nil {
			if err := each(malformed(d.Name(), fault)); err != nil {
				return err
			}
			continue
		}
		for i := range d.Actions() {
			line, err := d.delivery(ctx, value, event, match, i, explain)
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			if err := each(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// Letter is what a dead letter's action would do with its event now, or all
// actions of its destination where it names none. The error says why nothing would
// be sent.
func (p *Previewer) Letter(ctx context.Context, destinationName, action string, value []byte) ([]Line, error) {
	named := p.cfg.Named(destinationName)
	if named == nil {
		return nil, fmt.Errorf("the configuration has no destination %q", destinationName)
	}
	d := p.destinations[slices.IndexFunc(p.destinations, func(d destination) bool { return d.Name() == named.Name })]
	match := d.Match(value)
	event, err := d.Decode(value)
	if fault := cmp.Or(match.Malformed, err); fault != nil {
		return nil, fmt.Errorf("nothing: the value is no event (%w)", fault)
	}
	var lines []Line
	former := d.FormerNames()
	for i, name := range d.Actions() {
		if action != "" && name != action && !slices.Contains(former[i], action) {
			continue
		}
		line, err := d.delivery(ctx, value, event, match, i, true)
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, errors.New("the configuration has no such action any more: nothing would be sent")
	}
	return lines, nil
}

// delivery decides one event under the action i.
func (d destination) delivery(ctx context.Context, value []byte, event *actions.Event, match actions.Match, i int, explain bool) (line Line, err error) {
	switch {
	case explain:
		delivery, explanation, err := d.Explain(ctx, value, i)
		if err != nil {
			return Line{}, err
		}
		line = d.line(delivery)
		line.Explain, line.Warnings = &explanation, texts(explanation.Warnings)
	case match.Actions&(1<<i) == 0:
		line = d.line(d.NoMatch(event, i))
	default:
		delivery, warnings := d.PrepareNoting(ctx, event, i)
		line = d.line(delivery)
		line.Warnings = texts(warnings)
	}
	line.Warnings = append(d.warnings(match, i), line.Warnings...)
	return line, nil
}

// warnings says what of an event is likely not meant.
func (d destination) warnings(match actions.Match, i int) (warnings []string) {
	if match.Envelope != actions.EnvelopeNone {
		warnings = append(warnings, match.Envelope.Advice())
	}
	if d.Disabled(i) {
		warnings = append(warnings, "the action is switched off: enabled is false")
	}
	return append(warnings, d.doubts[i]...)
}

// Traced are the destinations as a trace asks them.
func (p *Previewer) Traced() []trace.Destination {
	all := make([]trace.Destination, len(p.destinations))
	for i, d := range p.destinations {
		retry, names := p.cfg.RetryTopics(d.Name()), d.Actions()
		known := slices.Clone(names)
		for _, former := range d.FormerNames() {
			known = append(known, former...)
		}
		all[i] = trace.Destination{
			Name: d.Name(), Ledger: p.cfg.LedgerTopic(d.Name()), Status: p.cfg.StatusTopic(d.Name()), Retry: retry[:], Actions: known,
			Wants: func(value []byte) (wanted []string) {
				match := d.Match(value)
				for i, name := range names {
					if match.Actions&(1<<i) != 0 {
						wanted = append(wanted, name)
					}
				}
				return wanted
			},
			Decide: func(ctx context.Context, value []byte, action string) string {
				event, err := d.Decode(value)
				if err != nil {
					return "no event: " + err.Error()
				}
				within, cancel := context.WithTimeout(ctx, LookupTime)
				defer cancel()
				return decision(d.Prepare(within, event, slices.Index(names, action)))
			},
		}
	}
	return all
}

// decision is a delivery in words.
func decision(d actions.Delivery) string {
	text := d.Decision.String()
	if d.Reason != 0 {
		text += ": " + d.Reason.String()
	}
	if d.Failure != nil {
		text += ": " + d.Failure.Message
	}
	return text
}
