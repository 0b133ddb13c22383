package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/internal/config"
	"engage-worker/internal/eventfile"
)

// previewCmd tells what each action would do with each event. It looks up
// profiles and content templates, and never sends.
type previewCmd struct {
	Event   string `help:"A file of events, JSON or JSON Lines; standard input without it or with -." placeholder:"FILE" type:"path"`
	Explain bool   `help:"Add why: what in the trigger decided, who was chosen as the recipient, the body and its segments."`
}

// previewLine is a line of preview's output. DESIGN fixes its members and
// their order; explain is there with --explain only.
type previewLine struct {
	Destination string               `json:"destination"`
	Action      string               `json:"action"`
	Decision    string               `json:"decision"`
	Reason      string               `json:"reason"`
	Region      string               `json:"region"`
	Request     *previewRequest      `json:"request,omitempty"`
	Error       *previewError        `json:"error,omitempty"`
	Warnings    []string             `json:"warnings,omitempty"`
	Explain     *actions.Explanation `json:"explain,omitempty"`
}

type previewRequest struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Form   [][2]string `json:"form"`
}

type previewError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Run previews one event after another, as they come.
func (c *previewCmd) Run(ctx context.Context, app *app) error {
	cfg, err := app.config()
	if err != nil {
		return err
	}
	p, err := newPreview(cfg, app.stdout, c.Explain)
	if err != nil {
		return err
	}
	defer p.close()
	in := app.stdin
	if c.Event != "" && c.Event != "-" {
		f, err := os.Open(c.Event)
		if err != nil {
			return badInput(fmt.Errorf("read events: %w", err))
		}
		defer f.Close()
		in = f
	}
	return errors.Join(p.all(ctx, in), p.out.Flush())
}

// preview is one run of the command.
type preview struct {
	destinations []previewDestination
	explain      bool
	out          *bufio.Writer
	encoder      *json.Encoder
}

type previewDestination struct {
	*actions.Destination
	settings actions.Settings
}

func newPreview(cfg *config.Config, out io.Writer, explain bool) (*preview, error) {
	p := &preview{explain: explain, out: bufio.NewWriter(out)}
	p.encoder = json.NewEncoder(p.out)
	p.encoder.SetEscapeHTML(false)
	for _, definition := range cfg.Destinations {
		d, faults := actions.New(definition.Definition, actions.Options{Region: cfg.TwilioRegion})
		if len(faults) > 0 { // which Load would have found
			p.close()
			return nil, badInput(fmt.Errorf("destination %s: %s: %s", definition.Name, faults[0].Path, faults[0].Message))
		}
		p.destinations = append(p.destinations, previewDestination{d, definition.Settings})
	}
	return p, nil
}

func (p *preview) close() {
	for _, d := range p.destinations {
		d.Close()
	}
}

// all previews every event of in.
func (p *preview) all(ctx context.Context, in io.Reader) error {
	events := eventfile.NewReader(in)
	events.KeepLists()
	for n := 0; ; n++ {
		record, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return badInput(errors.New("read events: there are none"))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return badInput(fmt.Errorf("read events: %w", err))
		}
		if err := p.event(ctx, record.Value); err != nil {
			return err
		}
		if !events.Ready() { // whoever types or pipes them waits for an answer
			if err := p.out.Flush(); err != nil {
				return fmt.Errorf("write the preview: %w", err)
			}
		}
	}
}

// event previews one event under every action of every destination.
func (p *preview) event(ctx context.Context, value []byte) error {
	for _, d := range p.destinations {
		match := d.Match(value)
		event, err := d.Decode(value)
		if malformed := cmp.Or(match.Malformed, err); malformed != nil {
			if err := p.write(malformedLine(d.Name(), malformed)); err != nil {
				return err
			}
			continue
		}
		for i := range d.Actions() {
			line, err := p.delivery(ctx, d, value, event, match, i)
			if err != nil {
				return err
			}
			line.Warnings = d.warnings(match, i)
			if ctx.Err() != nil {
				return ctx.Err() // not what would become of the event
			}
			if err := p.write(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// delivery decides one event under the action i.
func (p *preview) delivery(ctx context.Context, d previewDestination, value []byte, event *actions.Event, match actions.Match, i int) (previewLine, error) {
	switch {
	case p.explain:
		delivery, explanation, err := d.Explain(ctx, value, i)
		if err != nil {
			return previewLine{}, err
		}
		line := d.line(delivery)
		line.Explain = &explanation
		return line, nil
	case match.Actions&(1<<i) == 0:
		return d.line(d.NoMatch(event, i)), nil
	default:
		return d.line(d.Prepare(ctx, event, i)), nil
	}
}

// warnings says what of an event is likely not meant.
func (d previewDestination) warnings(match actions.Match, i int) (warnings []string) {
	if match.Envelope != actions.EnvelopeNone {
		warnings = append(warnings, match.Envelope.Advice())
	}
	if d.Disabled(i) {
		warnings = append(warnings, "the action is switched off: enabled is false")
	}
	return warnings
}

func (p *preview) write(line previewLine) error {
	if err := p.encoder.Encode(line); err != nil {
		return fmt.Errorf("write the preview: %w", err)
	}
	return nil
}

// line is what the preview says of a delivery.
func (d previewDestination) line(delivery actions.Delivery) previewLine {
	line := previewLine{
		Destination: d.Name(),
		Action:      delivery.Action,
		Decision:    delivery.Decision.String(),
		Reason:      delivery.Reason.String(),
		Region:      delivery.Region,
	}
	if f := delivery.Failure; f != nil {
		line.Error = &previewError{Code: f.Code, Message: f.Message, Retryable: f.Retryable}
	}
	if m := delivery.Message; m != nil {
		form := make([][2]string, len(m.Form))
		for i, value := range m.Form {
			form[i] = [2]string{value.Name, value.Value}
		}
		line.Request = &previewRequest{
			Method: "POST",
			URL:    m.BaseURL + "/2010-04-01/Accounts/" + d.settings.TwilioAccountSID + "/Messages.json",
			Form:   form,
		}
	}
	return line
}

// malformedLine is what the preview says of a value that is no event: it is
// no action's.
func malformedLine(destination string, err error) previewLine {
	return previewLine{
		Destination: destination,
		Decision:    actions.DecisionFail.String(),
		Reason:      outcome.ReasonMalformedEvent.String(),
		Error:       &previewError{Code: outcome.ReasonMalformedEvent.String(), Message: "the event is malformed: " + err.Error()},
	}
}
