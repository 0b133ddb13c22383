package events

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/eventfile"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
)

// Preview tells what each action would do with each event. It looks up
// profiles and content templates, and never sends.
type Preview struct {
	Files     []string `arg:"" optional:"" name:"FILE" help:"Files of events, JSON or JSON Lines; standard input without one or with -." type:"path"`
	Event     string   `help:"The same as a FILE." placeholder:"FILE" type:"path"`
	FromTopic int      `help:"Preview the last N events of the topic instead. Reads them only, in no consumer group." placeholder:"N"`
	Explain   bool     `help:"Add why: what in the trigger decided, who was chosen as the recipient, the body and its segments."`
	Output    string   `help:"table, for people, or json, a line for each event and action; table on a terminal, else json." enum:",table,json" default:"" placeholder:"table|json" short:"o"`
	FailOn    string   `help:"End with exit code 3 if any event fails, or if anything is warned of." enum:",fail,warn" default:"" placeholder:"fail|warn"`
	Expect    string   `help:"Lines as preview prints them, of which each must come out as far as it goes, and no other message; else the exit code is 3." placeholder:"FILE" type:"existingfile"`
}

// Validate is kong's hook for flags.
func (c *Preview) Validate() error {
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
func (c *Preview) Run(ctx context.Context, app *cli.App) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	p, err := newPreview(cfg, app.Stdout)
	if err != nil {
		return err
	}
	defer p.previewer.Close()
	p.explain, p.people = c.Explain, c.Output == "table" || c.Output == "" && terminal.ScreenOf(app.Stdout).Styled
	if c.Expect != "" {
		if p.expected, err = readExpectations(c.Expect); err != nil {
			return cli.BadInput(err)
		}
	}
	files := c.Files
	if c.Event != "" {
		files = append(files, c.Event)
	}
	if c.FromTopic > 0 {
		err = p.topic(ctx, cfg.Kafka, c.FromTopic)
	} else {
		err = p.files(ctx, app.Stdin, files)
	}
	err = errors.Join(err, p.out.Flush())
	if err != nil {
		return err
	}
	if p.tally.events > 1 || p.people {
		fmt.Fprintln(app.Stderr, "engage-worker: "+p.tally.String())
	}
	return p.judge(c.FailOn)
}

// previewing is one run of the command.
type previewing struct {
	previewer *preview.Previewer
	explain   bool
	people    bool // who reads it
	out       *bufio.Writer
	encoder   *json.Encoder
	expected  []*expectation // nil: nothing is
	surprises []string       // what came out and isn't expected, or otherwise
	tally     tally
}

func newPreview(cfg *config.Config, out io.Writer) (*previewing, error) {
	previewer, err := preview.New(cfg)
	if err != nil {
		return nil, cli.BadInput(err)
	}
	p := &previewing{previewer: previewer, out: bufio.NewWriter(out), tally: tally{decisions: map[string]int{}}}
	p.encoder = terminal.JSONLines(p.out)
	return p, nil
}

// files previews the events of files, or of standard input.
func (p *previewing) files(ctx context.Context, stdin io.Reader, files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, file := range files {
		in, name := stdin, ""
		if file != "-" {
			f, err := openEvents(file)
			if err != nil {
				return err
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
func (p *previewing) topic(ctx context.Context, cluster config.Kafka, n int) error {
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
		if err := p.event(ctx, preview.Place{Partition: &m.Partition, Offset: &m.Offset}, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// all previews every event of in.
func (p *previewing) all(ctx context.Context, in io.Reader, file string) error {
	events := eventfile.NewReader(in)
	events.KeepLists()
	for n := 0; ; n++ {
		record, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return cli.BadInput(errors.New("read events: there are none"))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return cli.BadInput(fmt.Errorf("read events: %w", err))
		}
		if err := p.event(ctx, preview.Place{File: file, Line: record.Line}, record.Value); err != nil {
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
func (p *previewing) event(ctx context.Context, place preview.Place, value []byte) error {
	p.tally.events++
	return p.previewer.Event(ctx, value, p.explain || p.people, func(line preview.Line) error { return p.write(place, line) })
}

// write prints a line, and holds it against what is expected.
func (p *previewing) write(place preview.Place, line preview.Line) error {
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
