package clock

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
)

func made() (*Clock, *prometheus.GaugeVec, *bytes.Buffer) {
	logged := &bytes.Buffer{}
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "skew"}, []string{"against"})
	return New(gauge, zerolog.New(logged)), gauge, logged
}

func TestNobodyHasTold(t *testing.T) {
	c, _, logged := made()
	for _, c := range []*Clock{nil, c} {
		if c.Ahead() != 0 || c.Err() != nil || time.Since(c.Now()) > time.Minute {
			t.Errorf("%v, %v, %v", c.Ahead(), c.Err(), c.Now())
		}
	}
	if logged.Len() > 0 {
		t.Errorf("%s", logged)
	}
}

func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, gauge, logged := made()
		broker := func(ahead, took time.Duration) {
			now := time.Now()
			c.Broker(now.Add(-ahead), now.Add(-took/2), now.Add(took/2))
		}
		twilio := func(ahead time.Duration) {
			now := time.Now()
			c.Twilio(now.Add(-ahead).Truncate(time.Second), now, now)
		}
		is := func(ahead time.Duration, ready bool) {
			t.Helper()
			if got := c.Ahead(); (got - ahead).Abs() > 600*time.Millisecond {
				t.Errorf("%v ahead, want %v", got, ahead)
			}
			if got := time.Since(c.Now()); (got - ahead).Abs() > 600*time.Millisecond {
				t.Errorf("the time is corrected by %v, want %v", got, ahead)
			}
			if err := c.Err(); (err == nil) != ready {
				t.Errorf("ready: %v, want %t", err, ready)
			}
		}
		said := func(want string) {
			t.Helper()
			if got := logged.String(); !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("logged %q, want %q", got, want)
			}
			logged.Reset()
		}
		twilio(time.Hour) // one of their machines is wrong
		said("this machine's clock is 1h0m0s ahead of Twilio's")
		twilio(0)
		is(0, true)
		said("right again")
		twilio(time.Hour)
		is(0, true)
		twilio(10 * time.Minute)
		is(0, true)
		twilio(10 * time.Minute)
		is(10*time.Minute, false)
		if got := testutil.ToFloat64(gauge.WithLabelValues("twilio")); got < 599 || got > 601 {
			t.Errorf("%v seconds are shown", got)
		}
		logged.Reset()

		broker(time.Second, 100*time.Millisecond) // knows better
		is(0, true)
		said("right again")
		broker(-10*time.Minute, 19*time.Second)
		is(-10*time.Minute, false)
		said("10m0s behind the broker's")
		broker(-10*time.Minute, time.Second)
		said("")
		broker(time.Hour, 21*time.Second) // who knows when it said that
		is(-10*time.Minute, false)
		c.Broker(time.Time{}, time.Now(), time.Now()) // a topic with its writers' dates
		is(-10*time.Minute, false)
		if got := testutil.ToFloat64(gauge.WithLabelValues("broker")); got != -600 {
			t.Errorf("%v seconds are shown", got)
		}
		broker(4*time.Minute, 0)
		is(4*time.Minute, true)
		time.Sleep(believed) // no broker has told for long
		is(10*time.Minute, false)
		c.Refused()
		broker(0, 0)
		is(0, true)
		logged.Reset()
		c.Refused()
		is(0, false)
		said("refuses records")
	})
}

// brokers answer writes.
type brokers []func() (*kafka.ProduceResponse, error)

func (b *brokers) Produce(_ context.Context, req *kafka.ProduceRequest) (*kafka.ProduceResponse, error) {
	if req.Topic != "events.rates" || req.Partition != 0 {
		return nil, errors.New("another topic")
	}
	answer := (*b)[0]
	*b = (*b)[1:]
	return answer()
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := made()
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var asked []time.Duration
		then := func(answer func() (*kafka.ProduceResponse, error)) func() (*kafka.ProduceResponse, error) {
			return func() (*kafka.ProduceResponse, error) {
				asked = append(asked, time.Since(start))
				return answer()
			}
		}
		b := &brokers{
			then(func() (*kafka.ProduceResponse, error) { return nil, errors.New("away") }),
			then(func() (*kafka.ProduceResponse, error) {
				return &kafka.ProduceResponse{Error: kafka.InvalidTimestamp}, nil
			}),
			then(func() (*kafka.ProduceResponse, error) {
				cancel()
				return &kafka.ProduceResponse{LogAppendTime: time.Now().Add(-2 * time.Hour)}, nil
			}),
		}
		c.Watch(ctx, b, "events.rates")
		if len(asked) != 3 || asked[0] != every || asked[1] != every+soon || asked[2] != every+2*soon {
			t.Errorf("asked at %v", asked)
		}
		if c.Ahead() != 2*time.Hour {
			t.Errorf("%v ahead", c.Ahead())
		}
	})
}

// TestTransport: a server's header tells the time.
func TestTransport(t *testing.T) {
	c, _, _ := made()
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", date) }))
	defer s.Close()
	client := &http.Client{Transport: c.Transport(&http.Transport{})}
	defer client.CloseIdleConnections()
	get := func() {
		res, err := client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if c.Told() {
		t.Error("somebody has told the time")
	}
	if err := c.AskServer(t.Context(), client, s.URL); err != nil || !c.Told() {
		t.Errorf("%v; told: %t", err, c.Told())
	}
	if got := c.Ahead(); got > -59*time.Minute || got < -61*time.Minute {
		t.Errorf("%v ahead", got)
	}
	before := len(c.twilio)
	get()
	if len(c.twilio) != before {
		t.Error("two answers at once count as two")
	}
	date = "yesterday"
	c.next.Store(0)
	get()
	if len(c.twilio) != before {
		t.Error("what is no date is believed")
	}
}
