package acked

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// diary is a Journal over a log in memory, and what its owner hears. All of it is in one
// bubble, in which a goroutine runs at a time that sleeps differently long.
type diary struct {
	*Journal[int]
	log     []string // values
	appends []string // when, and how many records
	begun   time.Time
	answer  func(ctx context.Context, records []Record) error // may be nil: all is well at once
	stale   map[int]bool                                      // what is overtaken
	spoiled map[int]bool                                      // what Written fails
	wrote   []string                                          // at which offset what is
	trouble int
}

var (
	errStale   = errors.New("stale")
	errSpoiled = errors.New("spoiled")
	errNever   = errors.New("never")
)

func newDiary() *diary {
	d := &diary{begun: time.Now(), stale: map[int]bool{}, spoiled: map[int]bool{}}
	d.Journal = NewJournal(Owner[int]{
		Append: func(ctx context.Context, records []Record) (int64, error) {
			d.appends = append(d.appends, fmt.Sprint(time.Since(d.begun), " ", len(records)))
			if d.answer != nil {
				if err := d.answer(ctx, records); err != nil {
					return 0, err
				}
			}
			base := int64(len(d.log))
			for _, r := range records {
				d.log = append(d.log, string(r.Value))
			}
			return base, nil
		},
		Stale: func(of []int) (out map[int]error) {
			for i, n := range of {
				if d.stale[n] {
					out = map[int]error{i: errStale}
				}
			}
			return out
		},
		Written: func(_ context.Context, base int64, page *Page[int]) {
			for i, n := range page.Of {
				d.wrote = append(d.wrote, fmt.Sprint(n, "@", base+int64(i)))
				if d.spoiled[n] {
					page.Fail(i, errSpoiled)
				}
			}
		},
		Trouble: func(error) { d.trouble++ },
		Refused: func(err error) error { return errors.Join(errNever, err) },
	})
	return d
}

func (d *diary) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	return func() { cancel(); <-done }
}

func (d *diary) put(n int, hurry bool) Ticket {
	return d.Put(nil, fmt.Append(nil, n), time.Now(), n, hurry)
}

// What comes while a page is on its way goes onto the next one, in its order; what isn't in
// a hurry waits a moment for what is.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		d.answer = func(context.Context, []Record) error { time.Sleep(2 * time.Millisecond); return nil }
		defer d.run()()
		d.put(1, true)
		time.Sleep(time.Millisecond)
		d.put(2, false)
		last := d.put(3, true)
		if err := last.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		d.put(4, false)
		time.Sleep(time.Millisecond)
		last = d.put(5, false)
		if err := last.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{"0s 1", "2ms 2", "9ms 2"}; !slices.Equal(d.appends, want) || !slices.Equal(d.log, []string{"1", "2", "3", "4", "5"}) {
			t.Errorf("%q, want %q: %q", d.appends, want, d.log)
		}
	})
}

// Each writer is told what came of its own record: that it was overtaken, that it is no
// good, that the log won't ever take it.
func TestWritersAreToldOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		d.stale[1], d.spoiled[3] = true, true
		d.answer = func(_ context.Context, records []Record) error {
			if slices.ContainsFunc(records, func(r Record) bool { return string(r.Value) == "5" }) {
				return kafka.MessageSizeTooLarge
			}
			return nil
		}
		var tickets []Ticket
		for n := range 8 {
			tickets = append(tickets, d.put(n, true))
		}
		then := 0
		written := d.owner.Written
		d.owner.Written = func(ctx context.Context, base int64, page *Page[int]) {
			written(ctx, base, page)
			page.Then(func() {
				select {
				case <-tickets[0].Done():
					then++
				default:
					t.Error("it is done before the writers are told")
				}
			})
		}
		defer d.run()()
		for n, ticket := range tickets {
			want := map[int]error{1: errStale, 3: errSpoiled, 5: errNever}[n]
			if err := ticket.Wait(t.Context()); !errors.Is(err, want) || n == 5 && !errors.Is(err, kafka.MessageSizeTooLarge) {
				t.Errorf("%d: %v, want %v", n, err, want)
			}
		}
		synctest.Wait()
		if want := "0@0 2@1 3@2 4@3 6@4 7@5"; strings.Join(d.wrote, " ") != want || then != 3 {
			t.Errorf("%q, want %q; %d things done behind them", d.wrote, want, then)
		}
	})
}

// An attempt that hangs is given up; others follow until one works. What is in trouble is told
// once.
func TestAnAttemptThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		failures := 0
		d.answer = func(ctx context.Context, _ []Record) error {
			if failures++; failures > 6 {
				return nil
			}
			if failures > 1 {
				return kafka.NotEnoughReplicas
			}
			<-ctx.Done()
			return ctx.Err()
		}
		defer d.run()()
		if err := d.put(1, true).Wait(t.Context()); err != nil || d.trouble != 1 || len(d.appends) != 7 {
			t.Errorf("%v, %d troubles, %q", err, d.trouble, d.appends)
		}
		if took := time.Since(d.begun); took < attemptTime || took > 2*attemptTime {
			t.Errorf("it took %v", took)
		}
	})
}

// When Run ends, who waits is told, and a later Run goes on. A log that is gone is refused.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		d.answer = func(ctx context.Context, _ []Record) error { <-ctx.Done(); return ctx.Err() }
		stop := d.run()
		first := d.put(1, true)
		synctest.Wait()
		second := d.put(2, true)
		ended, end := context.WithCancel(t.Context())
		end()
		if err := second.Wait(ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		stop()
		for _, ticket := range []Ticket{first, second} {
			select {
			case <-ticket.Done():
			default:
				t.Error("a writer isn't told")
			}
			if !errors.Is(ticket.Err(), context.Canceled) {
				t.Error(ticket.Err())
			}
		}
		third := d.put(3, true)
		if n := d.Answer(errStale); n != 1 || !errors.Is(third.Err(), errStale) {
			t.Error(n, third.Err())
		}
		d.answer = func(context.Context, []Record) error { return ErrGone }
		defer d.run()()
		if err := d.put(4, true).Wait(t.Context()); !errors.Is(err, ErrGone) || !errors.Is(err, errNever) || len(d.log) > 0 {
			t.Error(err, d.log)
		}
	})
}

// However attempts take and fail, and whatever else is written: the log has each record that is
// acknowledged, in the order in which they came, first ones before what waited; and its memory is
// nobody else's.
func TestJournalsLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		n := rapid.IntRange(1, 1500).Draw(rt, "records")
		synctest.Test(t, func(t *testing.T) {
			d := newDiary()
			random := rand.New(rand.NewPCG(seed, 1))
			answers := rand.New(rand.NewPCG(seed, 2))
			d.answer = func(_ context.Context, records []Record) error {
				time.Sleep(time.Duration(answers.IntN(9)) * time.Millisecond)
				bytes := 0
				for _, r := range records {
					bytes += len(r.Key) + len(r.Value)
					if _, size, _ := strings.Cut(string(r.Key), " "); size != fmt.Sprint(len(r.Value)) {
						t.Errorf("%s has %d bytes", r.Key, len(r.Value))
					}
				}
				if len(records) > pageRecords || bytes > pageBytes && len(records) > 1 {
					t.Errorf("%d records of %d bytes", len(records), bytes)
				}
				if answers.IntN(5) == 0 {
					return kafka.NotEnoughReplicas
				}
				return nil
			}
			stop := d.run()
			var last Ticket
			value := make([]byte, 100<<10)
			for i := range n {
				size := random.IntN(300)
				if random.IntN(100) == 0 {
					size = random.IntN(len(value))
				}
				key := fmt.Append(nil, i, " ", size)
				if random.IntN(50) == 0 {
					d.PutFirst([]Record{{Key: key, Value: value[:size]}}, []int{-i})
				} else {
					last = d.Put(key, value[:size], time.Now(), i, random.IntN(2) == 0)
				}
				if random.IntN(20) == 0 {
					time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond)
				}
			}
			time.Sleep(time.Minute)
			stop()
			if last != (Ticket{}) && last.Wait(t.Context()) != nil || len(d.wrote) != n {
				t.Fatalf("%d of %d records are written", len(d.wrote), n)
			}
			before := -1
			for at, wrote := range d.wrote {
				var i, offset int
				if _, err := fmt.Sscanf(wrote, "%d@%d", &i, &offset); err != nil || offset != at {
					t.Fatal(wrote, " is at ", at)
				}
				if i > 0 && i < before {
					t.Fatalf("%d is behind %d", i, before)
				}
				before = max(before, i)
			}
		})
	})
}
