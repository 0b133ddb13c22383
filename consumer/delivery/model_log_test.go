package delivery_test

import (
	"context"
	"time"

	"engage-worker/consumer/ledger"
	"engage-worker/internal/pause"
)

// appendKind is what comes of a write to the ledger.
type appendKind uint8

const (
	taken      appendKind = iota + 1 // and acknowledged
	failed                           // surely not written
	unanswered                       // written, and the acknowledgement is lost
	hanging                          // never written
	late                             // written long after its writer has given up
)

func (k appendKind) String() string {
	return [...]string{taken: "taken", failed: "failed", unanswered: "unanswered", hanging: "hanging", late: "late"}[k]
}

// appending is what comes of one write, and when.
type appending struct {
	Kind  appendKind
	After time.Duration
}

// ownersLog is the ledger's log as one process sees it.
type ownersLog struct {
	owner *owner
	begin int64 // the log's end when the owner's tenure began
	owes  bool  // the last write came to nothing, so that something is still to be written; guarded by world.mu
}

func (l *ownersLog) Bounds(ctx context.Context) (first, end int64, err error) {
	if !l.owner.step() {
		return 0, 0, ctx.Err()
	}
	w := l.owner.world
	w.mu.Lock()
	defer w.mu.Unlock()
	return 0, w.next, ctx.Err()
}

func (l *ownersLog) Read(ctx context.Context, from, end int64, each func(ledger.Record)) error {
	if !l.owner.step() {
		return ctx.Err()
	}
	w := l.owner.world
	w.mu.Lock()
	log := w.log
	w.mu.Unlock()
	for _, r := range log {
		if r.Offset >= from && r.Offset < end {
			each(r)
		}
	}
	return ctx.Err()
}

func (l *ownersLog) Append(ctx context.Context, records []ledger.Record) (base int64, err error) {
	if !l.owner.step() {
		return 0, context.Canceled
	}
	w := l.owner.world
	w.mu.Lock()
	a := appending{Kind: taken, After: 2 * time.Millisecond}
	if w.appends < len(w.plan.Appends) {
		a = w.plan.Appends[w.appends]
	}
	w.appends++
	if w.onWrite != nil {
		a = w.onWrite(l.owner.generation, records)
	}
	l.owes = true
	w.note(l.owner, "writes %d records to the ledger: %v", len(records), a)
	w.mu.Unlock()
	switch a.Kind {
	case taken:
		if !pause.For(ctx, a.After) {
			return 0, ctx.Err()
		}
		base = w.append(records)
		w.mu.Lock()
		l.owes = false
		w.mu.Unlock()
		if !l.owner.step() {
			return 0, context.Canceled
		}
		return base, nil
	case failed:
		return 0, errAway
	case unanswered:
		w.append(records)
	case late:
		time.AfterFunc(a.After, func() { w.append(records) })
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

// neighboursLog is the ledger of the destination beside, as a process reads it.
type neighboursLog struct{ owner *owner }

func (l neighboursLog) Count(ctx context.Context, _ ...string) (map[string]int, error) {
	counts := map[string]int{l.owner.world.name: 1}
	if l.owner.world.beside != nil {
		counts[l.owner.world.beside.name] = 1
	}
	return counts, ctx.Err()
}

func (l neighboursLog) Ends(ctx context.Context, _ string, _ []int) ([]int64, error) {
	if !l.owner.step() {
		return nil, context.Canceled
	}
	w := l.owner.world.beside
	w.mu.Lock()
	defer w.mu.Unlock()
	return []int64{w.next}, ctx.Err()
}

func (l neighboursLog) Offsets(ctx context.Context, _ string, _ []int, _ int64) ([]int64, error) {
	return []int64{0}, ctx.Err()
}

func (l neighboursLog) Read(ctx context.Context, _ string, _ int, from, end int64, each func(ledger.Record)) error {
	if !l.owner.step() {
		return context.Canceled
	}
	w := l.owner.world.beside
	w.mu.Lock()
	log := w.log
	w.mu.Unlock()
	for _, r := range log {
		if r.Offset >= from && r.Offset < end {
			each(r)
		}
	}
	return ctx.Err()
}
