package clock

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

const (
	every        = time.Minute
	soon         = 5 * time.Second // where a broker didn't answer
	probeTimeout = 5 * time.Second
)

// Producer is what *kafka.Client does.
type Producer interface {
	Produce(ctx context.Context, req *kafka.ProduceRequest) (*kafka.ProduceResponse, error)
}

// Watch asks a broker every minute until ctx ends; see Ask.
func (c *Clock) Watch(ctx context.Context, client Producer, topic string) {
	for wait := every; pause.For(ctx, wait); {
		if wait = every; c.Ask(ctx, client, topic) != nil {
			wait = soon
		}
	}
}

// clockKey is of the records that are written for their time alone.
const clockKey = "clock"

// Ask asks a broker for the time, within 5 s: it writes a record into the first
// partition of a topic whose records the broker dates. A topic that keeps its
// writers' dates tells nothing.
func (c *Clock) Ask(ctx context.Context, client Producer, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asked := time.Now()
	res, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireOne,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(clockKey)), Time: asked}),
	})
	if err == nil {
		err = res.Error
	}
	switch {
	case errors.Is(err, kafka.InvalidTimestamp):
		c.Refused()
	case err == nil:
		c.Broker(res.LogAppendTime, asked, time.Now())
	}
	return err
}

// Told reports whether anybody has told the time.
func (c *Clock) Told() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.heard.IsZero() || len(c.twilio) > 0
}

// AskServer asks a server for the time, within 5 s: anything that it answers
// tells. The client's transport is to be this clock's.
func (c *Clock) AskServer(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Transport notes the time that servers tell in their answers.
func (c *Clock) Transport(next http.RoundTripper) http.RoundTripper { return transport{c, next} }

type transport struct {
	clock *Clock
	next  http.RoundTripper
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := time.Now()
	res, err := t.next.RoundTrip(req)
	if err == nil {
		t.note(res, asked)
	}
	return res, err
}

// note notes the time of an answer, of many at once the first.
func (t transport) note(res *http.Response, asked time.Time) {
	now, next := int64(time.Since(t.clock.begun)), t.clock.next.Load()
	if now < next || !t.clock.next.CompareAndSwap(next, now+int64(noting)) {
		return
	}
	if theirs, bad := http.ParseTime(res.Header.Get("Date")); bad == nil {
		t.clock.Twilio(theirs, asked, time.Now())
	}
}

// CloseIdleConnections is what http.Client calls.
func (t transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
