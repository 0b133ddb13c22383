package follow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/pause"
)

const (
	// readers is how many partitions are read at a time, and answerBytes about
	// what one answer of a broker's has.
	readers     = 4
	answerBytes = 2 << 20

	// firstsEvery is how many rounds pass between two looks at where partitions begin:
	// retention is in no hurry.
	firstsEvery = 20

	// anotherAfter is for how long a partition's end lies before what was read of it
	// until it counts as another partition of the same name.
	anotherAfter = 10 * time.Second
)

// Config is what a Follower reads.
type Config struct {
	Cluster *records.Cluster
	Letters string        // the topic of dead letters
	Tellers []string      // those that tell what became of letters and messages; one that isn't there says nothing
	Every   time.Duration // between two rounds
	Now     func() time.Time
	Log     zerolog.Logger
	Takes   Takes
}

// Takes are who takes in what is read, in the order in which a round calls them.
type Takes struct {
	// Gone hears that what lies before an offset isn't there any more; anew: as the topic
	// was made anew.
	Gone func(at Partition, before int64, anew bool)
	// Begin hears how many dead letters are to come.
	Begin func(letters int)
	// Letter takes a dead letter, as deadletter.Reader.Read has it: one at a time.
	Letter func(letter *deadletter.Record, fault error)
	// LettersEnd hears that all of them came, or that reading them failed.
	LettersEnd func()
	// Told takes records of a teller, whose memory isn't Told's to keep: of several
	// partitions at a time.
	Told func(at Partition, block []records.Record)
	// End hears that all was read up to where the topics ended when the round began.
	End func()
	// Progress hears that there is more to tell of it; news: that it must be told now.
	Progress func(news bool)
}

// Partition is a partition of a topic.
type Partition struct {
	Topic  string
	Number int
}

// Progress is how far the reading is.
type Progress struct {
	Done, Total int64     // offsets of the round under way, or of the last one
	Fault       string    // why nothing new comes, in words; "" while it does
	At          time.Time // when all was last read to its end
}

// Follower reads. Make it with New; Progress is safe for concurrent use.
type Follower struct {
	cfg Config

	mu       sync.Mutex
	progress Progress
	letters  *deadletter.Progress // of the dead letters that are being read; nil: none are
	known    map[Partition]*position
	looked   map[string]time.Time // when a topic's first offsets were looked at
}

// position is what is known of a partition.
type position struct {
	next   int64     // up to where it was read
	first  int64     // where it began then
	behind time.Time // since when it ends before next; zero: it doesn't
}

// New makes a Follower that has read nothing.
func New(cfg Config) *Follower {
	return &Follower{cfg: cfg, known: map[Partition]*position{}, looked: map[string]time.Time{}}
}

// Progress tells how far the reading is.
func (f *Follower) Progress() Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.progress
	if f.letters != nil {
		p.Done += f.letters.Done()
	}
	return p
}

// Run reads the topics, and then what comes, until ctx ends: that is the error
// that it returns. It may be called once.
func (f *Follower) Run(ctx context.Context) error {
	pauses := pause.Growing(f.cfg.Every, 10*time.Second)
	for {
		wait := f.cfg.Every
		err := f.round(ctx)
		if err == nil {
			pauses.Reset()
		} else {
			wait = pauses.NextBackOff()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.ended(err)
		if !pause.For(ctx, wait) {
			return ctx.Err()
		}
	}
}

// ended notes how a round ended.
func (f *Follower) ended(err error) {
	fault := ""
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		fault = fmt.Sprintf("the topic %s is missing, or this user may not see it", f.cfg.Letters)
	case err != nil:
		fault = connect.Explain(err)
	}
	f.mu.Lock()
	another := fault != f.progress.Fault
	f.progress.Fault = fault
	if err == nil {
		f.progress.At = f.cfg.Now()
	}
	f.mu.Unlock()
	if another && fault != "" {
		f.cfg.Log.Warn().Err(err).Msg("the desk can't read on; it shows what it has read, and tries again")
	}
	if another {
		f.cfg.Takes.Progress(true)
	}
}

// round reads up to where the topics end now. The ends of what tells of letters
// are taken before the ends of the letters, and the letters are read first: so
// each letter comes before what is said of it.
func (f *Follower) round(ctx context.Context) error {
	var tellers []records.Span
	for _, topic := range f.cfg.Tellers {
		spans, err := f.spans(ctx, topic)
		if err != nil {
			return err
		}
		tellers = append(tellers, spans...)
	}
	dead, err := f.spans(ctx, f.cfg.Letters)
	if err == nil && len(dead) == 0 {
		err = kafka.UnknownTopicOrPartition
	}
	if err != nil {
		return err
	}
	f.begin(tellers, dead)
	if err := f.readLetters(ctx, dead); err != nil {
		return err
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, span := range tellers {
		if span.From < span.End {
			g.Go(func() error { return f.read(within, span) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	f.cfg.Takes.End()
	return nil
}

// spans are a topic's partitions, from where they were read up to. A topic that
// isn't there has none.
func (f *Follower) spans(ctx context.Context, topic string) ([]records.Span, error) {
	counts, err := f.cfg.Cluster.Count(ctx, topic)
	if err != nil || counts[topic] == 0 {
		return nil, err
	}
	partitions := make([]int, counts[topic])
	for p := range partitions {
		partitions[p] = p
	}
	firsts, err := f.firsts(ctx, topic, partitions)
	if err != nil {
		return nil, err
	}
	ends, err := f.cfg.Cluster.Ends(ctx, topic, partitions)
	if err != nil {
		return nil, err
	}
	spans := make([]records.Span, len(partitions))
	for p := range partitions {
		at := Partition{topic, p}
		f.mu.Lock()
		k := f.of(at)
		before, anew := k.next, k.isAnother(ends[p], f.cfg.Now())
		if anew {
			k.next, k.first = 0, 0
		}
		trimmed := k.first < firsts[p]
		k.first = max(k.first, firsts[p])
		spans[p] = records.Span{Topic: topic, Partition: p, From: max(k.next, firsts[p]), End: ends[p]}
		f.mu.Unlock()
		if anew {
			f.cfg.Takes.Gone(at, before, true)
		}
		if trimmed {
			f.cfg.Takes.Gone(at, firsts[p], false)
		}
	}
	return spans, nil
}

// of is what is known of a partition. The caller holds the lock.
func (f *Follower) of(at Partition) *position {
	if f.known[at] == nil {
		f.known[at] = &position{}
	}
	return f.known[at]
}

// firsts are where a topic's partitions begin, as of a moment ago.
func (f *Follower) firsts(ctx context.Context, topic string, partitions []int) ([]int64, error) {
	f.mu.Lock()
	recent := f.cfg.Now().Sub(f.looked[topic]) < firstsEvery*f.cfg.Every
	known := make([]int64, len(partitions))
	for p := range partitions {
		known[p] = f.of(Partition{topic, p}).first
	}
	f.mu.Unlock()
	if recent {
		return known, nil
	}
	firsts, err := f.cfg.Cluster.Offsets(ctx, topic, partitions, kafka.FirstOffset)
	if err == nil {
		f.mu.Lock()
		f.looked[topic] = f.cfg.Now()
		f.mu.Unlock()
	}
	return firsts, err
}

// isAnother reports whether a partition isn't the one that was read: its topic was
// made anew. A new leader may say for a moment that it ends earlier.
func (k *position) isAnother(end int64, now time.Time) bool {
	if end >= k.next {
		k.behind = time.Time{}
		return false
	}
	if k.behind.IsZero() {
		k.behind = now
	}
	return now.Sub(k.behind) > anotherAfter
}

// begin notes what a round has to do.
func (f *Follower) begin(tellers, dead []records.Span) {
	total, letters := int64(0), 0
	for _, span := range tellers {
		total += max(0, span.End-span.From)
	}
	for _, span := range dead {
		letters += int(max(0, span.End-span.From))
	}
	f.mu.Lock()
	f.progress.Done, f.progress.Total = 0, total+int64(letters)
	f.mu.Unlock()
	f.cfg.Takes.Begin(letters)
}

func (f *Follower) passed(offsets int64) {
	f.mu.Lock()
	f.progress.Done += offsets
	f.mu.Unlock()
	f.cfg.Takes.Progress(false)
}

// readTo notes up to where a partition was read.
func (f *Follower) readTo(at Partition, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of(at).next = offset
}

// readLetters reads dead letters.
func (f *Follower) readLetters(ctx context.Context, dead []records.Span) error {
	var spans []deadletter.Span
	for _, span := range dead {
		if span.From < span.End {
			spans = append(spans, deadletter.Span{Partition: span.Partition, From: span.From, End: span.End})
		}
	}
	if len(spans) == 0 {
		return nil
	}
	reader := deadletter.Reader{Cluster: f.cfg.Cluster, Topic: f.cfg.Letters}
	progress := new(deadletter.Progress)
	f.mu.Lock()
	f.letters = progress
	f.mu.Unlock()
	err := reader.Read(ctx, spans, progress, func(r *deadletter.Record, fault error) error {
		f.cfg.Takes.Letter(r, fault)
		f.readTo(Partition{f.cfg.Letters, r.Position.Partition}, r.Position.Offset+1)
		return nil
	})
	if err == nil { // what holds no records is passed, too
		for _, span := range spans {
			f.readTo(Partition{f.cfg.Letters, span.Partition}, span.End)
		}
	}
	f.mu.Lock()
	f.progress.Done += progress.Done()
	f.letters = nil
	f.mu.Unlock()
	f.cfg.Takes.LettersEnd()
	return err
}

// read reads a span of what tells of letters.
func (f *Follower) read(ctx context.Context, span records.Span) error {
	at := Partition{span.Topic, span.Partition}
	scanner := records.Scanner{Cluster: f.cfg.Cluster, MaxBytes: answerBytes, Passed: f.passed}
	err := scanner.Scan(ctx, span, func(block []records.Record) error {
		f.cfg.Takes.Told(at, block)
		f.readTo(at, block[len(block)-1].Offset+1)
		return nil
	})
	if err == nil {
		f.readTo(at, span.End)
	}
	return err
}
