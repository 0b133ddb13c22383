package consumer

import (
	"sync"
	"sync/atomic"
)

// hands are the goroutines in which a generation's events are handled. One that
// is done with an event takes the next one that comes, as its stack has grown to
// what an event needs: to grow another is a fiftieth of what a message costs.
type hands struct {
	do      func(task)
	over    <-chan struct{} // closed once no more events are given
	next    chan task
	idle    atomic.Int32
	running sync.WaitGroup
}

// task is a key's first event, and those that come behind it.
type task struct {
	shard *shard
	first *link
}

// maxIdle is how many goroutines wait for another event at most.
const maxIdle = 256

func newHands(over <-chan struct{}, do func(task)) *hands {
	return &hands{do: do, over: over, next: make(chan task)}
}

// give has a task done. All calls must have returned before wait is called.
func (x *hands) give(t task) {
	select {
	case x.next <- t:
	default:
		x.running.Go(func() { x.work(t) })
	}
}

func (x *hands) work(t task) {
	for more := true; more; t, more = x.another() {
		x.do(t)
	}
}

// another waits for a task, if not too many do.
func (x *hands) another() (t task, ok bool) {
	defer x.idle.Add(-1)
	if x.idle.Add(1) > maxIdle {
		return task{}, false
	}
	select {
	case t = <-x.next:
		return t, true
	case <-x.over:
		return task{}, false
	}
}

// wait returns when all tasks are done. It is called once no more are given and over is closed.
func (x *hands) wait() { x.running.Wait() }
