package acked

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// cluster is what an Appender's requests meet. Its partitions' leaders are
// their numbers' remainders by brokers.
type cluster struct {
	brokers int
	answer  func(ctx context.Context, broker int, batches []*batch) error // may be nil: all is well at once

	mu       sync.Mutex
	logs     map[place][]string
	requests []string // when, and of which partitions
	begun    time.Time
	joint    map[int]int // requests under way, by broker, of several partitions
	busy     map[place]bool
	faults   []string
}

func newCluster(brokers int) (*cluster, *Appender) {
	c := &cluster{brokers: brokers, logs: map[place][]string{}, begun: time.Now(), joint: map[int]int{}, busy: map[place]bool{}}
	a := NewAppender(nil, "", func(_ context.Context, _ string, partition int) (int, error) { return partition % brokers, nil })
	a.exchange = c.ask
	return c, a
}

func (c *cluster) ask(ctx context.Context, broker int, batches []*batch) error {
	c.mu.Lock()
	var of []int
	for _, b := range batches {
		of = append(of, b.at.partition)
		if broker >= c.brokers || c.busy[b.at] {
			c.faults = append(c.faults, fmt.Sprint(b.at, " is with broker ", broker, ", busy: ", c.busy[b.at]))
		}
		c.busy[b.at] = true
	}
	slices.Sort(of)
	c.requests = append(c.requests, fmt.Sprint(time.Since(c.begun), of))
	if len(batches) > 1 {
		if c.joint[broker]++; c.joint[broker] > maxJoint {
			c.faults = append(c.faults, "too many requests")
		}
	}
	c.mu.Unlock()
	err := error(nil)
	if c.answer != nil {
		err = c.answer(ctx, broker, batches)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(batches) > 1 {
		c.joint[broker]--
	}
	for _, b := range batches {
		c.busy[b.at] = false
		if err != nil || b.err != nil {
			continue
		}
		b.base = int64(len(c.logs[b.at]))
		for _, r := range b.records {
			c.logs[b.at] = append(c.logs[b.at], string(r.Value))
		}
	}
	return err
}

// append appends a record after a while, in the background.
func (c *cluster) append(t *testing.T, a *Appender, after time.Duration, partition int, value string) (err <-chan error) {
	done := make(chan error, 1)
	go func() {
		time.Sleep(after)
		_, err := a.Append(t.Context(), "ledger", partition, []Record{{Value: []byte(value)}})
		done <- err
	}()
	return done
}

func (c *cluster) check(t *testing.T, requests ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.requests, requests) || len(c.faults) > 0 {
		t.Errorf("requests %q, want %q; %q", c.requests, requests, c.faults)
	}
}

func takes(d time.Duration) func(context.Context, int, []*batch) error {
	return func(context.Context, int, []*batch) error { time.Sleep(d); return nil }
}

// After a request with many records the next one waits a moment for others; after
// one with few it doesn't, and what failed never does.
func TestManyGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(1)
		defer a.Close()
		c.answer = takes(2 * time.Millisecond)
		var appends sync.WaitGroup
		after := func(at time.Duration, partition, records int) {
			appends.Go(func() {
				time.Sleep(at)
				if _, err := a.Append(t.Context(), "ledger", partition, make([]Record, records)); err != nil {
					t.Error(err)
				}
			})
		}
		after(0, 0, crowd)
		after(2100*time.Microsecond, 1, 1)
		after(2900*time.Microsecond, 2, 1)
		after(5100*time.Microsecond, 3, 1) // the second one took but two
		after(7200*time.Microsecond, 4, crowd)
		after(20*time.Millisecond, 5, 1)
		appends.Wait()
		c.check(t, "0s [0]", "3ms [1 2]", "5.1ms [3]", "7.2ms [4]", "20ms [5]")
	})
}

// What comes while a request is under way goes along with the next one; what
// comes alone waits for nothing, and another broker's for nobody.
func TestWhatComesTogetherGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(2)
		defer a.Close()
		c.answer = takes(3 * time.Millisecond)
		for i, after := range []time.Duration{0, 2, 1, 1, 2, 2} {
			c.append(t, a, after*time.Millisecond, i, "x")
		}
		time.Sleep(time.Second)
		c.check(t, "0s [0]", "1ms [3]", "3ms [2 4]", "4ms [1 5]")
	})
}

// A request that takes long lets others leave after a moment, but never a second one of
// its partition.
func TestASlowRequestHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(1)
		defer a.Close()
		c.answer = takes(100 * time.Millisecond)
		for _, p := range []int{1, 2, 1, 3} {
			c.append(t, a, 0, p, "x")
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		c.check(t, "0s [1]", "6ms [2 3]", "100ms [1]")
	})
}

var errBroken = errors.New("broken")

// A partition that fails fails alone, and goes alone until it is written.
func TestAFailureIsItsPartitionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(1)
		defer a.Close()
		broken := true
		c.answer = func(_ context.Context, _ int, batches []*batch) error {
			time.Sleep(2 * time.Millisecond)
			for _, b := range batches {
				if b.err = nil; b.at.partition == 1 && broken {
					b.err = errBroken
				}
			}
			return nil
		}
		round := func() (failed []int) {
			var all []<-chan error
			for p := range 4 {
				all = append(all, c.append(t, a, time.Duration(min(p, 1))*time.Millisecond, p, "x"))
			}
			for p, done := range all {
				if err := <-done; errors.Is(err, errBroken) {
					failed = append(failed, p)
				}
			}
			return failed
		}
		failed := [][]int{round(), round()}
		broken = false
		failed = append(failed, round(), round())
		if want := [][]int{{1}, {1}, nil, nil}; !reflect.DeepEqual(failed, want) {
			t.Errorf("failed: %v, want %v", failed, want)
		}
		c.check(t, "0s [0]", "2ms [1 2 3]", "4ms [0]", "5ms [1]", "6ms [2 3]", "8ms [0]", "9ms [1]", "10ms [2 3]", "12ms [0]", "14ms [1 2 3]")
	})
}

// A broker that says nothing fails what it was asked, in time; what nobody
// waits for any more doesn't leave.
func TestABrokerThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(1)
		defer a.Close()
		c.answer = func(ctx context.Context, _ int, _ []*batch) error { <-ctx.Done(); return ctx.Err() }
		first := c.append(t, a, 0, 0, "x")
		time.Sleep(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Append(ctx, "ledger", 0, []Record{{Value: []byte("given up")}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) || time.Since(c.begun) != requestTime {
			t.Error(err, time.Since(c.begun))
		}
		c.answer = nil
		if err := <-c.append(t, a, 0, 0, "y"); err != nil {
			t.Error(err)
		}
		c.check(t, "0s [0]", requestTime.String()+" [0]")
		if got := c.logs[place{"ledger", 0}]; !slices.Equal(got, []string{"y"}) {
			t.Error(got)
		}
	})
}

// A partition that moved while a batch of it was on its way goes on at its next
// leader, once that one is answered.
func TestAPartitionThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var brokers []int
		c, a := newCluster(2)
		defer a.Close()
		a.leader = func(context.Context, string, int) (int, error) {
			time.Sleep(time.Millisecond) // so that both look for it
			c.mu.Lock()
			defer c.mu.Unlock()
			brokers = append(brokers, len(brokers))
			return len(brokers) - 1, nil
		}
		c.answer = takes(time.Second)
		first, second := c.append(t, a, 0, 0, "x"), c.append(t, a, time.Microsecond, 0, "y")
		if err := errors.Join(<-first, <-second); err != nil || len(brokers) != 2 {
			t.Error(err, brokers)
		}
		c.check(t, "1ms [0]", "1.001s [0]")
		if got := c.logs[place{"ledger", 0}]; !slices.Equal(got, []string{"x", "y"}) {
			t.Error(got)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCluster(1)
		c.answer = func(ctx context.Context, _ int, _ []*batch) error { <-ctx.Done(); return ctx.Err() }
		leaving, waiting := c.append(t, a, 0, 0, "x"), c.append(t, a, time.Millisecond, 0, "y")
		time.Sleep(2 * time.Millisecond)
		a.Close()
		for _, done := range []<-chan error{leaving, waiting, c.append(t, a, 0, 1, "z")} {
			if err := <-done; err == nil {
				t.Error("something was written")
			}
		}
		c.check(t, "0s [0]")
	})
}

// However requests take, fail and are given up: what is acknowledged is in its
// log where it was said, in the order in which it was appended; no partition has two
// batches on their way, and a large batch travels with no more than fits.
func TestAppendersLogs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		partitions := rapid.IntRange(1, 12).Draw(rt, "partitions")
		brokers := rapid.IntRange(1, 3).Draw(rt, "brokers")
		synctest.Test(t, func(t *testing.T) {
			c, a := newCluster(brokers)
			defer a.Close()
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 1))
			up := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
			c.answer = func(_ context.Context, _ int, batches []*batch) error {
				bytes := 0
				for _, b := range batches {
					bytes += b.bytes
					if b.err = nil; up(10) == 0 {
						b.err = errBroken
					}
				}
				time.Sleep(time.Duration(up(20)) * time.Millisecond)
				if len(batches) > 1 && bytes > jointBytes {
					t.Error("a request of ", bytes, " bytes")
				}
				if up(10) == 0 {
					return errBroken
				}
				return nil
			}
			var writers sync.WaitGroup
			for p := range partitions {
				writers.Go(func() {
					at := place{"ledger", p}
					for i := range 20 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+up(40))*time.Millisecond)
						records := []Record{{Value: fmt.Appendf(nil, "%d/%d", p, i)}, {Value: make([]byte, up(2)*300<<10)}}
						base, err := a.Append(ctx, at.topic, p, records)
						cancel()
						time.Sleep(time.Duration(up(3)) * time.Millisecond)
						if err != nil {
							continue
						}
						c.mu.Lock()
						if log := c.logs[at]; log[base] != string(records[0].Value) || log[base+1] != string(records[1].Value) {
							t.Errorf("%v isn't at %d", string(records[0].Value), base)
						}
						c.mu.Unlock()
					}
				})
			}
			writers.Wait()
			synctest.Wait()
			if len(c.faults) > 0 {
				t.Error(c.faults)
			}
		})
	})
}
