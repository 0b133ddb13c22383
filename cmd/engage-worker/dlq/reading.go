package dlq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/tail"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// reading is a connection to the configured dead-letter topic that remembers
// what it has read.
type reading struct {
	*letters.Desk
	spans []deadletter.Span // what was read last
	fold  *deadletter.Fold
}

// open reads the configuration and prepares to connect. Close it in the end.
func open(app *cli.App) (*reading, error) {
	desk, err := app.Letters()
	if err != nil {
		return nil, err
	}
	return &reading{Desk: desk, fold: deadletter.NewFold()}, nil
}

// readStates is read with the letters' states, for which the topic is read
// twice: first for what the ledgers and the others are to be asked of.
func (d *reading) readStates(ctx context.Context, app *cli.App, filter deadletter.Filter, each func(*deadletter.Record) error) (leftOut, error) {
	states := deadletter.NewStates(d.PresentName)
	stateless := filter
	stateless.States = nil
	if _, err := d.scan(ctx, app, filter.Since, nil, func(r *deadletter.Record) error {
		if stateless.Match(r) {
			states.Add(r)
		} else {
			states.Died(r)
		}
		return nil
	}); err != nil {
		return leftOut{}, err
	}
	if err := d.learn(ctx, app, states); err != nil {
		return leftOut{}, err
	}
	return d.scan(ctx, app, filter.Since, d.spans, func(r *deadletter.Record) error {
		if !stateless.Match(r) {
			return nil
		}
		if r.State, r.StateWhy = states.Of(r); !filter.Match(r) {
			return nil
		}
		return each(r)
	})
}

// readOnce is read for whoever asks for the states in the end, of the letters that
// each adds to them or later ones; see learn. The filter chooses no states.
func (d *reading) readOnce(ctx context.Context, app *cli.App, filter deadletter.Filter, each func(r *deadletter.Record, states *deadletter.States)) (*deadletter.States, leftOut, error) {
	states := deadletter.NewStates(d.PresentName)
	left, err := d.scan(ctx, app, filter.Since, nil, func(r *deadletter.Record) error {
		states.Died(r)
		if filter.Match(r) {
			each(r, states)
		}
		return nil
	})
	return states, left, err
}

// learn reads what became of the letters.
func (d *reading) learn(ctx context.Context, app *cli.App, states *deadletter.States) error {
	progress := new(deadletter.Progress)
	stop := terminal.Progress(app.Stderr, "reading what became of them", progress.Far)
	defer stop()
	sources := d.Sources()
	sources.Replays = deadletter.AuditTopic(d.Reader.Topic)
	return cli.ExplainedLetters(ctx, d.Desk, states.Learn(ctx, sources, progress))
}

// scan calls each for all dead letters, once each; of the spans, or of what is
// there now.
func (d *reading) scan(ctx context.Context, app *cli.App, since time.Time, spans []deadletter.Span, each func(*deadletter.Record) error) (leftOut, error) {
	var left leftOut
	if spans == nil {
		var err error
		if spans, err = d.Reader.Spans(ctx, since); err != nil {
			return left, cli.ExplainedLetters(ctx, d.Desk, err)
		}
	}
	d.spans, d.fold = spans, deadletter.NewFold()
	progress := new(deadletter.Progress)
	stop := terminal.Progress(app.Stderr, "reading "+d.Reader.Topic, progress.Far)
	defer stop()
	err := d.Reader.Read(ctx, spans, progress, func(r *deadletter.Record, fault error) error {
		// What one header doesn't tell doesn't make the letter less dead.
		switch {
		case errors.Is(fault, deadletter.ErrForeign):
			left.foreign++
		case d.fold.Repeated(r):
			left.repeated++
		default:
			return each(r)
		}
		return nil
	})
	left.gone = int(progress.Gone())
	return left, cli.ExplainedLetters(ctx, d.Desk, err)
}

// follow goes on from where the last read ended, until ctx ends, which is no error.
func (d *reading) follow(ctx context.Context, filter deadletter.Filter, each func(*deadletter.Record) error) error {
	end := &tail.Tail{Cluster: d.Cluster, Topic: d.Reader.Topic}
	for _, s := range d.spans {
		end.Spans = append(end.Spans, records.Span{Topic: d.Reader.Topic, Partition: s.Partition, From: s.From, End: s.End})
	}
	return cli.Follow(ctx, end, func(m kafka.Message) error {
		r, err := deadletter.Decode(m)
		if errors.Is(err, deadletter.ErrForeign) || d.fold.Repeated(r) {
			return nil
		}
		if r.State = deadletter.StateOpen; !filter.Match(r) { // it has just come
			return nil
		}
		return each(r)
	})
}

// leftOut counts what a reading of the topic left out.
type leftOut struct {
	foreign  int // records that are no dead letters
	repeated int // records that say again what another one says
	gone     int // offsets that retention deleted meanwhile
}

// note says it on standard error.
func (l leftOut) note(app *cli.App, topic string) {
	for _, part := range []struct {
		n   int
		why string
	}{
		{l.foreign, "not written by engage-worker"},
		{l.repeated, "written twice"},
		{l.gone, "deleted by retention before they were read"},
	} {
		if part.n > 0 {
			fmt.Fprintf(app.Stderr, "engage-worker: left out %s of %s: %s\n", terminal.Plural(part.n, "record"), topic, part.why)
		}
	}
}
