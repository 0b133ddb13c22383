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
	"strings"

	"github.com/segmentio/kafka-go"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/internal/config"
	"engage-worker/internal/eventfile"
	"engage-worker/internal/terminal"
)

// previewCmd tells what each action would do with each event. It looks up
// profiles and content templates, and never sends.
type previewCmd struct {
	Files     []string `arg:"" optional:"" name:"FILE" help:"Files of events, JSON or JSON Lines; standard input without one or with -." type:"path"`
	Event     string   `help:"The same as a FILE." placeholder:"FILE" type:"path"`
	FromTopic int      `help:"Preview the last N events of the topic instead. Reads them only, in no consumer group." placeholder:"N"`
	Explain   bool     `help:"Add why: what in the trigger decided, who was chosen as the recipient, the body and its segments."`
	Output    string   `help:"table, for people, or json, a line for each event and action; table on a terminal, else json." enum:",table,json" default:"" placeholder:"table|json" short:"o"`
	FailOn    string   `help:"End with exit code 3 if any event fails, or if anything is warned of." enum:",fail,warn" default:"" placeholder:"fail|warn"`
	Expect    string   `help:"Lines as preview prints them, of which each must come out as far as it goes, and no other message; else the exit code is 3." placeholder:"FILE" type:"existingfile"`
}

// previewLine is a line of preview's output; explain is there with --explain
// only.
type previewLine struct {
	Event       previewEventPlace    `json:"event"`
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

// previewEventPlace tells which event a line is about.
type previewEventPlace struct {
	File      string `json:"file,omitempty"` // where there are several
	Line      int    `json:"line,omitempty"`
	Partition *int   `json:"partition,omitempty"` // of the topic, with offset, instead of a line
	Offset    *int64 `json:"offset,omitempty"`
	MessageID string `json:"messageId,omitempty"`
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

// Validate is kong's hook for flags.
func (c *previewCmd) Validate() error {
	const most = 10_000
	switch {
	case c.FromTopic < 0 || c.FromTopic > most:
		return fmt.Errorf("--from-topic must be from 1 to %d", most)
	case c.FromTopic > 0 && (len(c.Files) > 0 || c.Event != ""):
		return errors.New("a FILE and --from-topic exclude each other")
	}
	return nil
}

// Run previews one event after another, as they come.
func (c *previewCmd) Run(ctx context.Context, app *app) error {
	cfg, err := app.config()
	if err != nil {
		return err
	}
	p, err := newPreview(cfg, app.stdout)
	if err != nil {
		return err
	}
	defer p.close()
	p.explain, p.people = c.Explain, c.Output == "table" || c.Output == "" && screenOf(app.stdout).styled
	if c.Expect != "" {
		if p.expected, err = readExpectations(c.Expect); err != nil {
			return badInput(err)
		}
	}
	files := c.Files
	if c.Event != "" {
		files = append(files, c.Event)
	}
	if c.FromTopic > 0 {
		err = p.topic(ctx, cfg.Kafka, c.FromTopic)
	} else {
		err = p.files(ctx, app.stdin, files)
	}
	err = errors.Join(err, p.out.Flush())
	if err != nil {
		return err
	}
	if p.tally.events > 1 || p.people {
		fmt.Fprintln(app.stderr, "engage-worker: "+p.tally.String())
	}
	return p.judge(c.FailOn)
}

// preview is one run of the command.
type preview struct {
	destinations []previewDestination
	explain      bool
	people       bool // who reads it
	out          *bufio.Writer
	encoder      *json.Encoder
	expected     []*expectation // nil: nothing is
	surprises    []string       // what came out and isn't expected, or otherwise
	tally        tally
}

type previewDestination struct {
	*actions.Destination
	settings actions.Settings
	doubts   [][]string // of each action: what its definition is warned of
}

func newPreview(cfg *config.Config, out io.Writer) (*preview, error) {
	p := &preview{out: bufio.NewWriter(out), tally: tally{decisions: map[string]int{}}}
	p.encoder = json.NewEncoder(terminal.JSON{To: p.out})
	p.encoder.SetEscapeHTML(false)
	for i, definition := range cfg.Destinations {
		d, faults := actions.New(definition.Definition, actions.Options{Region: cfg.TwilioRegion, Regions: cfg.RegionNames()})
		if len(faults) > 0 { // which Load would have found
			p.close()
			return nil, badInput(fmt.Errorf("destination %s: %s: %s", definition.Name, faults[0].Path, faults[0].Message))
		}
		made := previewDestination{d, definition.Settings, make([][]string, len(definition.Actions))}
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

func (p *preview) close() {
	for _, d := range p.destinations {
		d.Close()
	}
}

// files previews the events of files, or of standard input.
func (p *preview) files(ctx context.Context, stdin io.Reader, files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, file := range files {
		in, name := stdin, ""
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return badInput(fmt.Errorf("read events: %w", err))
			}
			defer f.Close()
			in = f
		}
		if len(files) > 1 {
			name = file
		}
		if err := p.all(ctx, in, name); err != nil {
			return err
		}
	}
	return nil
}

// topic previews the last n events of the source topic.
func (p *preview) topic(ctx context.Context, cluster config.Kafka, n int) error {
	tail, err := openTail(ctx, cluster, cluster.Topic)
	if err != nil {
		return err
	}
	defer tail.Close()
	messages, err := tail.last(ctx, n, func(m *kafka.Message) bool { return m.Value != nil })
	if err != nil {
		return err
	}
	for _, m := range messages {
		if err := p.event(ctx, previewEventPlace{Partition: &m.Partition, Offset: &m.Offset}, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// all previews every event of in.
func (p *preview) all(ctx context.Context, in io.Reader, file string) error {
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
		if err := p.event(ctx, previewEventPlace{File: file, Line: record.Line}, record.Value); err != nil {
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
func (p *preview) event(ctx context.Context, place previewEventPlace, value []byte) error {
	p.tally.events++
	for _, d := range p.destinations {
		match := d.Match(value)
		event, err := d.Decode(value)
		if malformed := cmp.Or(match.Malformed, err); malformed != nil {
			if err := p.write(place, malformedLine(d.Name(), malformed)); err != nil {
				return err
			}
			continue
		}
		for i := range d.Actions() {
			line, err := p.delivery(ctx, d, value, event, match, i)
			if err != nil {
				return err
			}
			line.Warnings = append(d.warnings(match, i), line.Warnings...)
			if ctx.Err() != nil {
				return ctx.Err() // not what would become of the event
			}
			if err := p.write(place, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// delivery decides one event under the action i.
func (p *preview) delivery(ctx context.Context, d previewDestination, value []byte, event *actions.Event, match actions.Match, i int) (previewLine, error) {
	switch {
	case p.explain, p.people:
		delivery, explanation, err := d.Explain(ctx, value, i)
		if err != nil {
			return previewLine{}, err
		}
		line := d.line(delivery)
		line.Explain, line.Warnings = &explanation, warningTexts(explanation.Warnings)
		return line, nil
	case match.Actions&(1<<i) == 0:
		return d.line(d.NoMatch(event, i)), nil
	default:
		delivery, warnings := d.PrepareNoting(ctx, event, i)
		line := d.line(delivery)
		line.Warnings = warningTexts(warnings)
		return line, nil
	}
}

func warningTexts(warnings []actions.Warning) (texts []string) {
	for _, w := range warnings {
		texts = append(texts, w.Path+": "+w.Message+"; "+w.WayOut)
	}
	return texts
}

// warnings says what of an event is likely not meant.
func (d previewDestination) warnings(match actions.Match, i int) (warnings []string) {
	if match.Envelope != actions.EnvelopeNone {
		warnings = append(warnings, match.Envelope.Advice())
	}
	if d.Disabled(i) {
		warnings = append(warnings, "the action is switched off: enabled is false")
	}
	return append(warnings, d.doubts[i]...)
}

// write prints a line, and holds it against what is expected.
func (p *preview) write(place previewEventPlace, line previewLine) error {
	place.MessageID = line.Event.MessageID
	line.Event = place
	p.tally.add(line)
	if p.expected != nil {
		if err := p.compare(line); err != nil {
			return err
		}
	}
	var err error
	if p.people {
		err = p.show(line)
	} else {
		err = p.encoder.Encode(line)
	}
	if err != nil {
		return fmt.Errorf("write the preview: %w", err)
	}
	return nil
}

// line is what the preview says of a delivery.
func (d previewDestination) line(delivery actions.Delivery) previewLine {
	line := previewLine{
		Event:       previewEventPlace{MessageID: delivery.MessageID},
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
