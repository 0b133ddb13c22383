package delivery

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
	"engage-worker/consumer/intake"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// slow is a destination of 64 actions that each take a while to say that there
// is nothing to send; after those of stops the shard is given up.
type slow struct {
	*actions.Destination
	stops uint64
	stop  func()

	mu       sync.Mutex
	now      int // under way
	most     int
	prepared uint64
}

func (s *slow) Actions() (names []string) {
	for i := range actions.MaxActions {
		names = append(names, fmt.Sprint("action-", i))
	}
	return names
}

func (s *slow) FormerNames() [][]string { return make([][]string, actions.MaxActions) }

func (s *slow) Prepare(_ context.Context, _ *actions.Event, action int) actions.Delivery {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.prepared |= 1 << action
	s.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	if s.stops&(1<<action) != 0 {
		s.stop()
	}
	return actions.Delivery{Decision: actions.DecisionSkip, Reason: outcome.ReasonNoRecipient}
}

// TestSideBySide: an event's deliveries are made side by side, up to a bound,
// and it is settled when all are.
func TestSideBySide(t *testing.T) {
	for _, c := range []struct {
		name   string
		wanted uint64
		stops  uint64
		took   time.Duration
		most   int
		want   bool
	}{
		{"all", 1<<64 - 1, 0, 4 * 50 * time.Millisecond, 16, true},
		{"one", 1 << 63, 0, 50 * time.Millisecond, 1, true},
		{"as many as go at once", 0xffff << 20, 0, 50 * time.Millisecond, 16, true},
		{"one more", 0x1ffff << 20, 0, 100 * time.Millisecond, 16, true},
		{"given up during the first", 1<<64 - 1, 1 << 15, 100 * time.Millisecond, 16, false},
		{"given up during the last", 1<<64 - 1, 1 << 63, 200 * time.Millisecond, 16, false},
		{"the only one given up", 2, 2, 50 * time.Millisecond, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, stop := context.WithCancel(t.Context())
				defer stop()
				s := &slow{Destination: new(actions.Destination), stops: c.stops, stop: stop}
				m := metrics.New(prometheus.NewRegistry())
				courier := New(Config{Destination: "d"}, Parts{
					Destination: s, Doors: ratelimit.NewDoors(m, zerolog.Nop()), Metrics: m, Log: zerolog.Nop(), Failures: zerolog.Nop(), Intake: begin, Work: t.Context(),
				})
				start := time.Now()
				ev := &intake.Event{Actions: c.wanted}
				ev.Message.Value = []byte(`{"type":"track","messageId":"m1"}`)
				got := courier.Settle(t.Context(), ev, func() bool { return false })
				// Where the shard is given up, some may have begun at that moment.
				if took := time.Since(start); got != c.want || took > c.took || c.want && took < c.took || s.most != c.most {
					t.Errorf("settled %t after %v, %d at once; want %t, %v, %d", got, took, s.most, c.want, c.took, c.most)
				}
				if c.want && s.prepared != c.wanted {
					t.Errorf("%d of %d deliveries were made", bits.OnesCount64(s.prepared), bits.OnesCount64(c.wanted))
				}
			})
		})
	}
}
