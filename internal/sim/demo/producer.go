package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/sim/sample"
)

// producer publishes sample events at a rate, some of them twice.
type producer struct {
	writer    *kafka.Writer
	generator *sample.Generator
	tally     *tally
	events    int  // 0: no end
	once      bool // nothing is published a second time
	rate      float64
	produced  atomic.Int64
}

const (
	// tick is how often a batch is published.
	tick = 50 * time.Millisecond

	// Every so-manieth event that can be sent comes a second time.
	repeatEvery = 40
)

// mix shows more of what goes wrong than an ordinary topic holds.
func mix(rate float64) sample.Options {
	o := sample.Mix()
	o.Start, o.Interval = time.Now(), time.Duration(float64(time.Second)/rate)
	o.BadNumber, o.OptedOut, o.Malformed, o.InvalidStatus = 0.02, 0.02, 0.01, 0.01
	return o
}

func newProducer(addr string, topic string, opts Options, t *tally) *producer {
	return &producer{
		writer: &kafka.Writer{
			Addr: kafka.TCP(addr), Topic: topic, Balancer: &kafka.Hash{}, // an event's key is its user's id
			RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
			Transport: &kafka.Transport{ClientID: "engage-demo-producer"},
		},
		generator: sample.New(opts.Seed, mix(opts.Rate)), tally: t, events: opts.Events, rate: opts.Rate,
		once: opts.Desk, // what becomes of a refused event's repetition depends on the moment
	}
}

// run publishes until all events are, or ctx ends, which is no error.
func (p *producer) run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	start := time.Now()
	var repeats []sample.Event
	for p.events == 0 || int(p.produced.Load()) < p.events {
		due := int(time.Since(start).Seconds()*p.rate) + 1
		if p.events > 0 {
			due = min(due, p.events)
		}
		var batch []kafka.Message
		add := func(ev sample.Event, again bool) {
			p.tally.expect(ev, again)
			batch = append(batch, kafka.Message{Key: ev.Key, Value: ev.Value})
		}
		n := int(p.produced.Load())
		for n+len(batch) < due {
			if len(repeats) > 0 {
				add(repeats[0], true)
				repeats = repeats[1:]
				continue
			}
			ev := p.generator.Next()
			add(ev, false)
			if !p.once && ev.Kind == sample.Entered && (n+len(batch))%repeatEvery == 0 {
				repeats = append(repeats, ev)
			}
		}
		if len(batch) > 0 {
			if err := p.writer.WriteMessages(ctx, batch...); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("publish sample events: %w", err)
			}
			p.produced.Add(int64(len(batch)))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (p *producer) close() error {
	err := p.writer.Close()
	if t, ok := p.writer.Transport.(*kafka.Transport); ok {
		t.CloseIdleConnections()
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
