package acked

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

// Journal writes what many goroutines want written into one partition, in the
// order in which it comes. What comes while a page of records is on its way goes onto
// the next one, and whoever waits for one of a page's records waits for the page.
//
//	Put ─▶ page ─ Stale ─ Append, until it works ─ Written ─▶ Ticket
//
// It is safe for concurrent use, and writes while Run runs.
type Journal[T any] struct {
	owner Owner[T]

	mu     sync.Mutex
	pages  []*Page[T]    // that wait; what comes goes onto the last one
	spare  []*Page[T]    // whose memory the next ones take: one is written while the other is filled
	moment *time.Timer   // signals; nil before it is needed
	wake   chan struct{} // of size one: a signal that pages wait

	attempt context.Context // Run's
	end     context.CancelFunc
}

// Owner is what a Journal's owner does with its pages, one call at a time.
type Owner[T any] struct {
	// Append makes one attempt at writing, which ctx bounds, and returns the first
	// record's offset; see Appender. The records' memory stays as it is, but once all
	// is well. Its ErrGone ends the attempts.
	Append func(ctx context.Context, records []Record) (base int64, err error)

	// Stale tells by their numbers which records, right before they are written, are
	// to be left out, and what their writers are told. It may be nil.
	Stale func(of []T) map[int]error

	// Written takes in what all in-sync replicas have from an offset on.
	Written func(ctx context.Context, base int64, page *Page[T])

	// Trouble is told once of a page that has failed some times in a row.
	Trouble func(err error)

	// Refused is told why the log won't ever take a record, and says what its
	// writer is told.
	Refused func(err error) error
}

// Page is records that are written together.
type Page[T any] struct {
	Records []Record
	Of      []T // what each is about

	numbers []int // of each, by which its Ticket knows it
	bytes   int
	text    []byte // values
	fate    *fate
}

// fate is what comes of a page.
type fate struct {
	n    int           // records
	errs []error       // by their numbers; nil: none failed
	done chan struct{} // closed once errs is known
	then []func()      // behind that
}

// Ticket is for a record that is being written.
type Ticket struct {
	fate   *fate
	number int
}

// Done is closed once it is known what came of the record.
func (t Ticket) Done() <-chan struct{} { return t.fate.done }

// Err is what came of it, once Done is closed: nil when all in-sync replicas have it.
func (t Ticket) Err() error {
	if t.fate.errs == nil {
		return nil
	}
	return t.fate.errs[t.number]
}

// Wait waits for Done and returns Err. When ctx ends first, the record may or may
// not be written.
func (t Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.fate.done:
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fail tells the writer of a page's record an error.
func (p *Page[T]) Fail(i int, err error) {
	if p.fate.errs == nil {
		p.fate.errs = make([]error, p.fate.n)
	}
	p.fate.errs[p.numbers[i]] = err
}

// Then has something done once the page's writers are told, and before another page.
func (p *Page[T]) Then(do func()) { p.fate.then = append(p.fate.then, do) }

const (
	// companyWait is how long a record waits for one that is in a hurry, to go
	// along with it.
	companyWait = 5 * time.Millisecond

	pageRecords = 1000
	pageBytes   = 256 << 10 // of keys and values, but for a single record
	textBytes   = 4 << 10
	spares      = 2
	spareLength = 128 // records
	spareBytes  = 64 << 10

	// attemptTime is how long an attempt may take at least.
	attemptTime = 5 * time.Second

	// failuresBeforeTrouble is how many attempts must fail in a row: a leader's
	// move is no news.
	failuresBeforeTrouble = 4
)

// ErrGone says that there is no log any more, and that none is waited for.
var ErrGone = errors.New("the topic is gone")

// NewJournal makes a Journal for its owner.
func NewJournal[T any](owner Owner[T]) *Journal[T] {
	return &Journal[T]{owner: owner, wake: make(chan struct{}, 1)}
}

// Put has a record written, at once if it is in a hurry, else along with the next
// one that is, or alone after a moment. The key's memory must stay as it is; the
// value's is the caller's again.
func (j *Journal[T]) Put(key, value []byte, at time.Time, of T, hurry bool) Ticket {
	j.mu.Lock()
	first := len(j.pages) == 0
	j.pages = j.add(j.pages, key, value, at)
	p := j.pages[len(j.pages)-1]
	p.Of = append(p.Of, of)
	t := Ticket{p.fate, p.fate.n - 1}
	switch {
	case hurry:
		j.signal()
	case first && j.moment == nil:
		j.moment = time.AfterFunc(companyWait, j.signal)
	case first:
		j.moment.Reset(companyWait)
	}
	j.mu.Unlock()
	return t
}

// PutFirst has records written before all that waits.
func (j *Journal[T]) PutFirst(records []Record, of []T) {
	j.mu.Lock()
	var pages []*Page[T]
	for i, r := range records {
		pages = j.add(pages, r.Key, r.Value, r.Time)
		p := pages[len(pages)-1]
		p.Of = append(p.Of, of[i])
	}
	j.pages = append(pages, j.pages...)
	j.mu.Unlock()
	j.signal()
}

// add adds a record to the last page, or to a new one. The caller holds j.mu.
func (j *Journal[T]) add(pages []*Page[T], key, value []byte, at time.Time) []*Page[T] {
	size := len(key) + len(value)
	n := len(pages)
	if n == 0 || len(pages[n-1].Records) == pageRecords || pages[n-1].bytes+size > pageBytes {
		p := new(Page[T])
		if last := len(j.spare) - 1; last >= 0 {
			p, j.spare = j.spare[last], j.spare[:last]
		}
		p.fate = &fate{done: make(chan struct{})}
		pages, n = append(pages, p), n+1
	}
	p := pages[n-1]
	r := Record{Time: at, Key: key}
	if value != nil {
		if len(value) > cap(p.text)-len(p.text) {
			p.text = make([]byte, 0, max(textBytes, 2*cap(p.text), len(value)))
		}
		from := len(p.text)
		p.text = append(p.text, value...)
		r.Value = p.text[from:]
	}
	p.Records = append(p.Records, r)
	p.numbers = append(p.numbers, p.fate.n)
	p.fate.n++
	p.bytes += size
	return pages
}

func (j *Journal[T]) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Run writes what Put is given until ctx ends, and fails then what still waits.
// What can't be written is tried again with backoff. It returns with nothing of its
// own left running.
func (j *Journal[T]) Run(ctx context.Context) {
	j.attempt, j.end = context.WithTimeout(ctx, 0) // none yet
	defer func() { j.end() }()
	for {
		select {
		case <-j.wake:
		case <-ctx.Done():
			j.Answer(ctx.Err())
			return
		}
		for p := j.take(); p != nil; p = j.take() {
			written := p
			if j.owner.Stale != nil {
				written = p.without(j.owner.Stale(p.Of))
			}
			clean := j.write(ctx, written)
			close(p.fate.done)
			for _, do := range p.fate.then {
				do()
			}
			if clean {
				j.keep(p)
			}
		}
	}
}

// take takes the first page that waits.
func (j *Journal[T]) take() (p *Page[T]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pages) > 0 {
		p = j.pages[0]
		j.pages = slices.Delete(j.pages, 0, 1)
	}
	return p
}

// keep keeps a page's memory.
func (j *Journal[T]) keep(p *Page[T]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(p.Records) > spareLength || cap(p.text) > spareBytes || len(j.spare) == spares {
		return
	}
	clear(p.Records)
	clear(p.Of)
	p.Records, p.Of, p.numbers, p.bytes, p.text = p.Records[:0], p.Of[:0], p.numbers[:0], 0, p.text[:0]
	j.spare = append(j.spare, p)
}

// Answer answers all that waits, and returns how many records that were.
func (j *Journal[T]) Answer(err error) (n int) {
	j.mu.Lock()
	pages := j.pages
	j.pages = nil
	j.mu.Unlock()
	for _, p := range pages {
		p.failAll(err)
		close(p.fate.done)
		n += p.fate.n
	}
	return n
}

func (p *Page[T]) failAll(err error) {
	if err == nil {
		return
	}
	for i := range p.Records {
		p.Fail(i, err)
	}
}

// without leaves records out, by their numbers, whose writers are told why.
func (p *Page[T]) without(why map[int]error) *Page[T] {
	if len(why) == 0 {
		return p
	}
	rest := &Page[T]{fate: p.fate}
	for i := range p.Records {
		if err, ok := why[i]; ok {
			p.Fail(i, err)
			continue
		}
		rest.Records, rest.Of, rest.numbers = append(rest.Records, p.Records[i]), append(rest.Of, p.Of[i]), append(rest.numbers, i)
	}
	return rest
}

// write writes a page, and reports whether the first attempt did. A page that the
// log refuses is written in halves, so that only the record that is to blame
// fails.
func (j *Journal[T]) write(ctx context.Context, p *Page[T]) (clean bool) {
	if len(p.Records) == 0 {
		return true
	}
	base, failures, err := j.produce(ctx, p.Records)
	switch half := len(p.Records) / 2; {
	case err == nil:
		j.owner.Written(ctx, base, p)
		return failures == 0
	case refused(err) && half > 0:
		j.write(ctx, &Page[T]{Records: p.Records[:half], Of: p.Of[:half], numbers: p.numbers[:half], fate: p.fate})
		j.write(ctx, &Page[T]{Records: p.Records[half:], Of: p.Of[half:], numbers: p.numbers[half:], fate: p.fate})
	case ctx.Err() != nil:
		p.failAll(ctx.Err())
	default:
		p.failAll(j.owner.Refused(err))
	}
	return false
}

// produce appends the records, again and again until it works, the log refuses
// them, or ctx ends.
func (j *Journal[T]) produce(ctx context.Context, records []Record) (base int64, failures int, err error) {
	var pauses *backoff.ExponentialBackOff
	for {
		base, err = j.owner.Append(j.bounded(ctx), records)
		if err == nil || refused(err) || errors.Is(err, ErrGone) || ctx.Err() != nil {
			return base, failures, err
		}
		if failures++; failures == 1 {
			pauses = pause.Growing(50*time.Millisecond, 2*time.Second)
		} else if failures == failuresBeforeTrouble {
			j.owner.Trouble(err)
		}
		pause.For(ctx, pauses.NextBackOff())
	}
}

// bounded is a context for an attempt: one that hangs must be given up. Attempts
// that take no time share one for a second.
func (j *Journal[T]) bounded(ctx context.Context) context.Context {
	if until, _ := j.attempt.Deadline(); j.attempt.Err() != nil || time.Until(until) < attemptTime {
		j.end()
		j.attempt, j.end = context.WithTimeout(ctx, attemptTime+time.Second)
	}
	return j.attempt
}

// refused tells errors of the record itself, which trying again can't mend.
func refused(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.InvalidRecord)
}
