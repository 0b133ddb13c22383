// Package traces looks through the topics for those who ask what became of an event, a
// person or a number, in the background: whoever asks again hears how far that is, and
// within a moment after its end the same question has the same answer. What nobody asks
// for any more isn't looked for. Looking is package trace's.
package traces

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"

	"engage-worker/internal/trace"
)

const (
	mostTraces   = 32 // that are kept
	tracesAtOnce = 2
	traceFresh   = 15 * time.Second // for so long the same question has the same answer
	tracePatient = 30 * time.Second // an answer that nobody asks for any more isn't looked for
	traceWait    = 700 * time.Millisecond

	// Longest is how long one look may take.
	Longest = 5 * time.Minute
)

// Traces are the looks that are under way, or were of late. Make it with New; it is safe
// for concurrent use.
type Traces struct {
	collector func() *trace.Collector

	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
	places *semaphore.Weighted // one for each that reads

	mu   sync.Mutex
	kept *simplelru.LRU[string, *job]
}

// job is one look through the topics.
type job struct {
	collector *trace.Collector
	cancel    context.CancelFunc
	done      chan struct{} // closed when line and err are set
	line      *trace.Timeline
	err       error

	mu       sync.Mutex
	patience *time.Timer // cancels where nobody asks any more
	ended    time.Time
}

// New makes Traces, each of whose looks has a collector of its own.
func New(collector func() *trace.Collector) *Traces {
	t := &Traces{collector: collector, places: semaphore.NewWeighted(tracesAtOnce)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	kept, err := simplelru.NewLRU(mostTraces, func(_ string, j *job) { j.cancel() })
	if err != nil {
		panic(err) // a size below one
	}
	t.kept = kept
	return t
}

// Close ends all looks, and waits for that.
func (t *Traces) Close() {
	t.cancel()
	t.ended.Wait()
}

// of is the look for a query, which is named by key; begun now unless it was of late.
func (t *Traces) of(key string, q trace.Query) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept, ok := t.kept.Get(key); ok && kept.ask() {
		return kept
	}
	ctx, cancel := context.WithTimeout(t.ctx, Longest)
	begun := &job{cancel: cancel, done: make(chan struct{}), collector: t.collector(), patience: time.AfterFunc(tracePatient, cancel)}
	t.kept.Add(key, begun)
	t.ended.Go(func() { t.look(ctx, begun, q) })
	return begun
}

// ask notes that somebody wants to know, and reports whether the job's answer is
// still good.
func (j *job) ask() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.patience.Reset(tracePatient)
	return j.ended.IsZero() || time.Since(j.ended) < traceFresh
}

func (t *Traces) look(ctx context.Context, j *job, q trace.Query) {
	defer j.cancel()
	defer close(j.done)
	defer func() {
		j.mu.Lock()
		j.ended = time.Now()
		j.mu.Unlock()
	}()
	if j.err = t.places.Acquire(ctx, 1); j.err == nil {
		defer t.places.Release(1)
		j.line, j.err = j.collector.Collect(ctx, q)
	}
}

// Progress is how far a look is, in offsets.
type Progress struct{ Done, Total int64 }

// Look waits a little for what a query finds, which is known by a key. A nil Timeline
// without an error says that the look goes on. The error is context.DeadlineExceeded
// where it took longer than Longest, or one of Kafka's.
func (t *Traces) Look(ctx context.Context, key string, q trace.Query) (*trace.Timeline, Progress, error) {
	j := t.of(key, q)
	wait := time.NewTimer(traceWait)
	defer wait.Stop()
	select {
	case <-j.done:
		return j.line, Progress{}, j.err
	case <-wait.C:
		return nil, Progress{j.collector.Done.Load(), j.collector.Total.Load()}, nil
	case <-ctx.Done():
		return nil, Progress{}, nil
	}
}
