package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
)

// Run reads the topics, and then what comes, until ctx ends: that is the error
// that it returns. It may be called once.
func (s *Store) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		s.mu.Lock()
		s.stopped = true
		for _, q := range s.searches {
			q.cancel()
		}
		s.mu.Unlock()
		s.reading.Wait()
	}()
	pauses := pause.Growing(s.cfg.Every, 10*time.Second)
	for {
		wait := s.cfg.Every
		err := s.round(ctx)
		if err == nil {
			pauses.Reset()
		} else {
			wait = pauses.NextBackOff()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.ended(err)
		if !pause.For(ctx, wait) {
			return ctx.Err()
		}
	}
}

// ended notes how a round ended.
func (s *Store) ended(err error) {
	fault := ""
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		fault = fmt.Sprintf("the topic %s is missing, or this user may not see it", s.cfg.DeadLetters)
	case err != nil:
		fault = connect.Explain(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault != "" && fault != s.progress.Fault {
		s.cfg.Log.Warn().Err(err).Msg("the desk can't read on; it shows what it has read, and tries again")
	}
	if fault != s.progress.Fault {
		s.progress.Fault = fault
		s.tell()
	}
	if err == nil {
		s.progress.At = s.now()
	}
}

// round reads up to where the topics end now. The ends of what tells of letters
// are taken before the ends of the letters, and the letters are read first: so
// each letter comes before what is said of it.
func (s *Store) round(ctx context.Context) error {
	var tellers []records.Span
	for _, topic := range s.tellers() {
		spans, err := s.spans(ctx, topic)
		if err != nil {
			return err
		}
		tellers = append(tellers, spans...)
	}
	dead, err := s.spans(ctx, s.cfg.DeadLetters)
	if err == nil && len(dead) == 0 {
		err = kafka.UnknownTopicOrPartition
	}
	if err != nil {
		return err
	}
	s.begin(tellers, dead)
	if err := s.readLetters(ctx, dead); err != nil {
		return err
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, span := range tellers {
		if span.From < span.End {
			g.Go(func() error { return s.read(within, span) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages.clean(s.now(), s.cfg.Limits.Messages)
	s.tidy()
	s.progress.Loaded = true
	s.settle()
	return nil
}

// tellers are the topics that tell what became of letters and messages.
func (s *Store) tellers() []string {
	topics := map[string]bool{deadletter.AuditTopic(s.cfg.DeadLetters): true}
	for _, d := range s.cfg.Destinations {
		topics[d.Ledger], topics[d.Status] = true, true
	}
	delete(topics, "")
	return slices.Sorted(maps.Keys(topics))
}

// spans are a topic's partitions, from where they were read up to. A topic that
// isn't there has none.
func (s *Store) spans(ctx context.Context, topic string) ([]records.Span, error) {
	counts, err := s.cfg.Cluster.Count(ctx, topic)
	if err != nil || counts[topic] == 0 {
		return nil, err
	}
	partitions := make([]int, counts[topic])
	for p := range partitions {
		partitions[p] = p
	}
	firsts, err := s.firsts(ctx, topic, partitions)
	if err != nil {
		return nil, err
	}
	ends, err := s.cfg.Cluster.Ends(ctx, topic, partitions)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	spans := make([]records.Span, len(partitions))
	for p := range partitions {
		at := part{topic, p}
		if s.isAnother(at, ends[p]) {
			s.gone(at, s.next[at])
			s.next[at], s.first[at] = 0, 0
			s.fold = deadletter.NewFold()
		}
		if s.first[at] < firsts[p] {
			s.first[at] = firsts[p]
			s.gone(at, firsts[p])
		}
		spans[p] = records.Span{Topic: topic, Partition: p, From: max(s.next[at], firsts[p]), End: ends[p]}
	}
	return spans, nil
}

// firstsEvery is how many rounds pass between two looks at where partitions begin:
// retention is in no hurry.
const firstsEvery = 20

// firsts are where a topic's partitions begin, as of a moment ago.
func (s *Store) firsts(ctx context.Context, topic string, partitions []int) ([]int64, error) {
	s.mu.RLock()
	recent := s.now().Sub(s.looked[topic]) < firstsEvery*s.cfg.Every
	known := make([]int64, len(partitions))
	for p := range partitions {
		known[p] = s.first[part{topic, p}]
	}
	s.mu.RUnlock()
	if recent {
		return known, nil
	}
	firsts, err := s.cfg.Cluster.Offsets(ctx, topic, partitions, kafka.FirstOffset)
	if err == nil {
		s.mu.Lock()
		s.looked[topic] = s.now()
		s.mu.Unlock()
	}
	return firsts, err
}

// anotherAfter is for how long a partition's end lies before what was read of it
// until it counts as another partition of the same name.
const anotherAfter = 10 * time.Second

// isAnother reports whether a partition isn't the one that was read: its topic was
// made anew. A new leader may say for a moment that it ends earlier.
func (s *Store) isAnother(at part, end int64) bool {
	if end >= s.next[at] {
		delete(s.behind, at)
		return false
	}
	since, ok := s.behind[at]
	if !ok {
		s.behind[at] = s.now()
	}
	return ok && s.now().Sub(since) > anotherAfter
}

// begin notes what a round has to do.
func (s *Store) begin(tellers, dead []records.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages.clean(s.now(), s.cfg.Limits.Messages)
	s.progress.Done, s.progress.Total = 0, 0
	for _, span := range slices.Concat(tellers, dead) {
		s.progress.Total += max(0, span.End-span.From)
	}
	letters := 0
	for _, span := range dead {
		letters += int(max(0, span.End-span.From))
	}
	if !s.progress.Loaded && len(s.rows) == 0 {
		most := s.cfg.Limits.Letters
		s.rows = make([]row, 0, min(letters+letters/8, most+most/slack+mostFresh))
	}
}

func (s *Store) passed(offsets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Done += offsets
	s.tellSometimes()
}

// readLetters reads dead letters.
func (s *Store) readLetters(ctx context.Context, dead []records.Span) error {
	var spans []deadletter.Span
	for _, span := range dead {
		if span.From < span.End {
			spans = append(spans, deadletter.Span{Partition: span.Partition, From: span.From, End: span.End})
		}
	}
	if len(spans) == 0 {
		return nil
	}
	reader := deadletter.Reader{Cluster: s.cfg.Cluster, Topic: s.cfg.DeadLetters}
	progress := new(deadletter.Progress)
	s.mu.Lock()
	s.letters = progress
	s.mu.Unlock()
	err := reader.Read(ctx, spans, progress, func(r *deadletter.Record, fault error) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.takeLetter(r, fault)
		if !s.progress.Loaded {
			s.tellSometimes()
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Done += progress.Done()
	s.letters = nil
	if err == nil { // what holds no records is passed, too
		for _, span := range spans {
			s.next[part{s.cfg.DeadLetters, span.Partition}] = span.End
		}
	}
	if s.progress.Loaded {
		s.settle()
	} else {
		s.merge()
	}
	return err
}

// read reads a span of what tells of letters.
func (s *Store) read(ctx context.Context, span records.Span) error {
	at := part{span.Topic, span.Partition}
	take := s.taker(at)
	scanner := records.Scanner{Cluster: s.cfg.Cluster, MaxBytes: answerBytes, Passed: s.passed}
	err := scanner.Scan(ctx, span, func(block []records.Record) error {
		take(block)
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.next[at] = span.End
	}
	return err
}

// taker is what takes in the records of a partition, and notes how far.
func (s *Store) taker(at part) func([]records.Record) {
	note := func(block []records.Record) { s.next[at] = block[len(block)-1].Offset + 1 }
	if at.topic == deadletter.AuditTopic(s.cfg.DeadLetters) {
		return func(block []records.Record) {
			audits := decodeAudits(block)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.takeAudits(at.partition, audits)
			s.progress.Odd += len(block) - len(audits)
			note(block)
		}
	}
	for _, d := range s.cfg.Destinations {
		names := append([]string{d.Name}, d.FormerNames...)
		switch at.topic {
		case d.Ledger:
			return func(block []records.Record) {
				s.mu.Lock()
				defer s.mu.Unlock()
				for i := range block {
					if r := &block[i]; r.Value != nil {
						for _, name := range names {
							s.states.Ledger(name, r.Key, r.Value)
						}
					}
				}
				note(block)
			}
		case d.Status:
			return func(block []records.Record) {
				parsed := s.parseStatuses(d.Name, block)
				s.mu.Lock()
				defer s.mu.Unlock()
				s.takeStatuses(d.Name, at, parsed)
				for i := range block {
					if r := &block[i]; r.Value != nil {
						for _, name := range names {
							s.states.Status(name, r.Key, r.Value)
						}
					}
				}
				note(block)
			}
		}
	}
	return func([]records.Record) {}
}
