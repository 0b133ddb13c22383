package desk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"engage-worker/internal/letters"
	"engage-worker/internal/trace"
)

const (
	mostTraces   = 32 // that are kept
	tracesAtOnce = 2
	traceTime    = 5 * time.Minute
	traceFresh   = 15 * time.Second // for so long the same question has the same answer
	tracePatient = 30 * time.Second // an answer that nobody asks for any more isn't looked for
	traceWait    = 700 * time.Millisecond
)

// traces look through the topics for those who ask, in the background: their page
// says how far that is.
type traces struct {
	d      *Desk
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
	places chan struct{} // one for each that reads

	mu   sync.Mutex
	kept *simplelru.LRU[string, *traceJob]
}

// traceJob is one look through the topics.
type traceJob struct {
	collector *trace.Collector
	cancel    context.CancelFunc
	done      chan struct{} // closed when line and err are set
	line      *trace.Timeline
	err       error

	mu    sync.Mutex
	asked time.Time
	ended time.Time
}

func newTraces(d *Desk) *traces {
	t := &traces{d: d, places: make(chan struct{}, tracesAtOnce)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	kept, err := simplelru.NewLRU(mostTraces, func(_ string, job *traceJob) { job.cancel() })
	if err != nil {
		panic(err) // a size below one
	}
	t.kept = kept
	return t
}

func (t *traces) close() {
	t.cancel()
	t.ended.Wait()
}

// of is the look for a query, which is named by key; begun now unless it was of late.
func (t *traces) of(key string, q trace.Query) *traceJob {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.d.now()
	if job, ok := t.kept.Get(key); ok && job.ask(now) {
		return job
	}
	ctx, cancel := context.WithTimeout(t.ctx, traceTime)
	job := &traceJob{
		cancel: cancel, done: make(chan struct{}), asked: now,
		collector: &trace.Collector{
			Cluster: t.d.letters.Cluster, Source: t.d.o.Config.Kafka.Topic, DeadLetters: t.d.letters.Reader.Topic, Destinations: t.d.preview.Traced(),
		},
	}
	t.kept.Add(key, job)
	t.ended.Go(func() { t.look(ctx, job, q) })
	t.ended.Go(func() { job.watch(ctx, t.d.now) })
	return job
}

// ask notes that somebody wants to know, and reports whether the job's answer is
// still good.
func (j *traceJob) ask(now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = now
	return j.ended.IsZero() || now.Sub(j.ended) < traceFresh
}

// watch ends the job when nobody waits for it.
func (j *traceJob) watch(ctx context.Context, now func() time.Time) {
	defer j.cancel()
	tick := time.NewTicker(tracePatient / 6)
	defer tick.Stop()
	for {
		select {
		case <-j.done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		left := now().Sub(j.asked) > tracePatient
		j.mu.Unlock()
		if left {
			return
		}
	}
}

func (t *traces) look(ctx context.Context, job *traceJob, q trace.Query) {
	defer close(job.done)
	defer func() {
		job.mu.Lock()
		job.ended = t.d.now()
		job.mu.Unlock()
	}()
	select {
	case t.places <- struct{}{}:
		defer func() { <-t.places }()
		job.line, job.err = job.collector.Collect(ctx, q)
	case <-ctx.Done():
		job.err = ctx.Err()
	}
}

// lookView is how far a look is, and what it found.
type lookView struct {
	Looking bool         `json:"looking"`
	Done    int64        `json:"done,omitempty"` // offsets
	Total   int64        `json:"total,omitempty"`
	Fault   string       `json:"fault,omitempty"`
	Events  int          `json:"events"`
	More    bool         `json:"more"`
	Steps   []trace.Step `json:"steps"`
}

// look waits a little for what a query finds.
func (d *Desk) look(ctx context.Context, key string, q trace.Query) lookView {
	job := d.traces.of(key, q)
	wait := time.NewTimer(traceWait)
	defer wait.Stop()
	select {
	case <-job.done:
	case <-wait.C:
		return lookView{Looking: true, Done: job.collector.Done.Load(), Total: job.collector.Total.Load(), Steps: []trace.Step{}}
	case <-ctx.Done():
		return lookView{Looking: true, Steps: []trace.Step{}}
	}
	switch {
	case errors.Is(job.err, context.DeadlineExceeded):
		return lookView{Fault: "Looking took longer than " + lasting(traceTime) + ". Look less far back.", Steps: []trace.Step{}}
	case job.err != nil:
		return lookView{Fault: d.letters.Explain(job.err), Steps: []trace.Step{}}
	}
	v := lookView{Events: job.line.Events, More: job.line.More, Steps: []trace.Step{}}
	for _, s := range job.line.Steps {
		if !d.o.Unmask {
			s.Detail, s.UserID, s.MessageID = letters.Masked(s.Detail), letters.Masked(s.UserID), letters.Masked(s.MessageID)
		}
		v.Steps = append(v.Steps, s)
	}
	return v
}

// Percent is how much was looked through.
func (v lookView) Percent() int {
	if v.Total <= 0 {
		return 0
	}
	return int(100 * min(v.Done, v.Total) / v.Total)
}

// traceView is the page Trace.
type traceView struct {
	MessageID string    `json:"messageId,omitempty"`
	User      string    `json:"user,omitempty"`
	To        string    `json:"to,omitempty"`
	Since     string    `json:"since"`
	Asked     bool      `json:"-"`
	Look      *lookView `json:"timeline,omitempty"`
}

// trace shows what became of an event, a person or a number.
func (d *Desk) trace(r *http.Request) (page, error) {
	v := traceView{Since: "24h"}
	for name, given := range r.URL.Query() {
		into := map[string]*string{"message-id": &v.MessageID, "user": &v.User, "to": &v.To, "since": &v.Since}[name]
		switch {
		case into == nil:
			return page{}, bad("There is no option " + name + ": message-id, user, to and since are known.")
		case len(given) > 1:
			return page{}, bad(name + " stands there twice.")
		case given[0] != "":
			*into = strings.TrimSpace(given[0])
		}
	}
	p := page{Title: "Trace", Section: "trace"}
	asked := 0
	for _, text := range []string{v.MessageID, v.User, v.To} {
		if text != "" {
			asked++
		}
	}
	since, err := letters.ParseTime(v.Since, d.now(), time.UTC)
	const leastDigits = 5
	switch {
	case err != nil:
		return page{}, bad("since: " + err.Error())
	case asked > 1:
		return page{}, bad("A trace is of a message id, of a user or of a number: give one of them.")
	case v.To != "" && digits(v.To) < leastDigits:
		return page{}, bad("That is no phone number: it needs at least 5 digits.")
	}
	if asked == 1 {
		look := d.look(r.Context(), strings.Join([]string{v.MessageID, v.User, v.To, v.Since}, "\x00"), trace.Query{MessageID: v.MessageID, User: v.User, To: v.To, Since: since})
		v.Look, v.Asked = &look, true
		if look.Looking {
			p.Live, p.Refresh = true, 1
		}
	}
	p.View = v
	return p, nil
}

func digits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}
