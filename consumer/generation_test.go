package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/lease"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// TestDrainGivesUpNothingThatIsOver: a generation that ends with nothing under
// way is drained at once, and no limit is reached afterwards.
func TestDrainGivesUpNothingThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			var logged bytes.Buffer
			ended, end := context.WithCancel(t.Context())
			end()
			gen := &generation{
				group: &Group{cfg: Config{SessionTimeout: time.Second, ShutdownTimeout: time.Minute, CommitInterval: time.Second}, log: zerolog.New(&logged)},
				ended: ended,
			}
			events := make(chan struct{})
			close(events)
			gen.drain(events, func() { t.Error("what is under way is given up") })
			time.Sleep(time.Minute)
			synctest.Wait()
			if logged.Len() > 0 {
				t.Fatalf("logged %s", logged.String())
			}
		}
	})
}

// TestDrainsLimits: what is still under way is given up after the shutdown
// timeout, and half a session after a rebalance began.
func TestDrainsLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended time.Duration // when the rebalance begins; 0: never
		want  time.Duration
	}{
		{"a shutdown", 0, 20 * time.Second},
		{"a rebalance during it", 3 * time.Second, 8 * time.Second},
		{"a rebalance late in it", 18 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended, end := context.WithCancel(t.Context())
				if c.ended > 0 {
					time.AfterFunc(c.ended, end)
				}
				gen := &generation{
					group: &Group{cfg: Config{SessionTimeout: 10 * time.Second, ShutdownTimeout: 20 * time.Second, CommitInterval: time.Hour}, log: zerolog.Nop()},
					ended: ended,
				}
				start, events := time.Now(), make(chan struct{})
				gen.drain(events, func() {
					if took := time.Since(start); took != c.want {
						t.Errorf("given up after %v, want %v", took, c.want)
					}
					close(events)
				})
				end()
			})
		})
	}
}

// commitsFunc is a coordinator in a function.
type commitsFunc func() error

func (f commitsFunc) CommitOffsets(map[string]map[int]int64) error { return f() }

// sharing is a group that notes what it holds of the rates, and since when.
func sharing(start time.Time, told *[]string) *Group {
	note := func(owned []int, total int) {
		if now := fmt.Sprint(owned, " of ", total); len(*told) == 0 || (*told)[len(*told)-1][:len(now)] != now {
			*told = append(*told, fmt.Sprint(now, " after ", time.Since(start)))
		}
	}
	var lapse *time.Timer
	return &Group{
		cfg:   Config{SessionTimeout: 10 * time.Second},
		parts: Parts{Metrics: metrics.New(prometheus.NewRegistry())},
		share: &share{tell: func(owned []int, total int, until time.Time) {
			if lapse != nil {
				lapse.Stop()
			}
			note(owned, total)
			lapse = time.AfterFunc(time.Until(until), func() { note(nil, 0) })
		}},
	}
}

// TestWhatHoldsUnderTheLease: an accepted commit renews the lease, counted from
// when it left, and the share of the rates with it; a refused one doesn't, nor
// does one that comes once the group wants the shards back.
func TestWhatHoldsUnderTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var answer error
		ended, end := context.WithCancel(t.Context())
		gen := &generation{
			group: sharing(time.Now(), &told), lease: &lease.Lease{}, ended: ended, total: 6,
			commits: commitsFunc(func() error { time.Sleep(time.Second); return answer }),
		}
		gen.shards = []*shard{{gen: gen, id: 4}}
		remaining := func(want time.Duration) {
			t.Helper()
			if got := gen.lease.Remaining(time.Now()); got != want {
				t.Errorf("the lease holds for %v, want %v", got, want)
			}
		}
		commit := func() {
			t.Helper()
			if err := gen.commit(); !errors.Is(err, answer) {
				t.Errorf("%v, want %v", err, answer)
			}
		}
		remaining(0)
		commit()
		remaining(9 * time.Second)
		time.Sleep(5 * time.Second)
		answer = errors.New("not now")
		commit()
		remaining(3 * time.Second)
		time.Sleep(3 * time.Second) // 10 s
		remaining(0)
		synctest.Wait()
		answer = nil
		commit()
		remaining(9 * time.Second)
		end()
		commit()
		remaining(8 * time.Second)
		time.Sleep(8 * time.Second) // 20 s
		synctest.Wait()
		want := []string{"[4] of 6 after 1s", "[] of 0 after 10s", "[4] of 6 after 11s", "[] of 0 after 20s"}
		if !slices.Equal(told, want) {
			t.Errorf("shares %q, want %q", told, want)
		}
	})
}

// TestShareBetweenGenerations: it is held on for the time that a taker has to
// wait, never longer than the lease, and given up at once with the membership.
func TestShareBetweenGenerations(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(g *Group)
		want []string
	}{
		{"the next generation begins soon", func(g *Group) {
			g.share.leave()
			time.Sleep(time.Second)
			g.share.hold([]int{1}, 4, time.Hour)
		}, []string{"[0 1] of 4 after 0s", "[1] of 4 after 1s"}},
		{"the next generation is late", func(g *Group) {
			g.share.leave()
		}, []string{"[0 1] of 4 after 0s", "[] of 0 after 1.02s"}},
		{"the lease ends before", func(g *Group) {
			time.Sleep(9500 * time.Millisecond)
			g.share.leave()
		}, []string{"[0 1] of 4 after 0s", "[] of 0 after 10s"}},
		{"left", func(g *Group) {
			g.share.giveUp()
			g.share.leave()
		}, []string{"[0 1] of 4 after 0s", "[] of 0 after 0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				g := sharing(time.Now(), &told)
				g.share.leave() // of nothing
				g.share.hold([]int{0, 1}, 4, g.cfg.SessionTimeout)
				c.play(g)
				time.Sleep(10*ratelimit.Window + g.cfg.SessionTimeout)
				synctest.Wait()
				if !slices.Equal(told, c.want) {
					t.Errorf("shares %q, want %q", told, c.want)
				}
			})
		})
	}
}

// TestIsOver: which failed commits say that the shards are another's; what is
// merely refused or out of reach doesn't.
func TestIsOver(t *testing.T) {
	for err, want := range map[error]bool{
		kafka.UnknownMemberId: true, kafka.IllegalGeneration: true, kafka.RebalanceInProgress: true, kafka.FencedInstanceID: true,
		kafka.NotCoordinatorForGroup: false, kafka.GroupCoordinatorNotAvailable: false, kafka.UnknownTopicOrPartition: false, io.ErrUnexpectedEOF: false,
	} {
		if got := isOver(fmt.Errorf("commit: %w", err)); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
}
