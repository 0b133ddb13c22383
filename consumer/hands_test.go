package consumer

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestHands: whatever is given is begun at once, by a goroutine that has nothing
// to do where there is one. Some are kept for what comes next.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over, goOn := make(chan struct{}), make(chan struct{})
		var begun, done atomic.Int32
		x := newHands(over, func(task) {
			begun.Add(1)
			<-goOn
			done.Add(1)
		})
		are := func(wantBegun, wantDone, wantIdle int32) {
			t.Helper()
			synctest.Wait()
			if begun.Load() != wantBegun || done.Load() != wantDone || x.idle.Load() != wantIdle {
				t.Errorf("%d begun, %d done, %d idle; want %d, %d, %d", begun.Load(), done.Load(), x.idle.Load(), wantBegun, wantDone, wantIdle)
			}
		}
		const many = 3 * maxIdle
		for range many {
			x.give(task{})
		}
		are(many, 0, 0)
		for range 10 {
			goOn <- struct{}{}
		}
		are(many, 10, 10)
		for range 8 {
			x.give(task{})
		}
		are(many+8, 10, 2)
		for range 4 {
			x.give(task{})
		}
		are(many+12, 10, 0)
		close(goOn)
		are(many+12, many+12, maxIdle)
		close(over)
		x.wait()
		are(many+12, many+12, 0)
	})
}
