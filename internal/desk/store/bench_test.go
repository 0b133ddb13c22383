package store

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/ledger"
	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/desk/audits"
	"engage-worker/internal/desk/reread"
	"engage-worker/internal/kafka/records"
)

// size is a number of the environment, or the usual one.
func size(b *testing.B, name string, usual int) int {
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// live is how many bytes are in use.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// benchLetter is the nth of many letters: of 30 days, a tenth of them replayed.
func benchLetter(n int) *deadletter.Record {
	reasons := []string{"rate_limited", "recipient_rejected", "opted_out", "expired", "template_failed", "not_delivered"}
	l := letter(n, func(l *deadletter.Record) {
		l.Action, l.Reason, l.TwilioCode = fmt.Sprint("action-", n%8), reasons[n%7%6], []int{0, 20429, 21610, 30003, 21211}[n%5]
		l.LastFailedAt = time.Now().Add(-time.Duration(n) * 2592 * time.Millisecond).UTC()
	})
	l.Position = deadletter.Position{Topic: dlq, Partition: n % 12, Offset: int64(n / 12), Time: l.LastFailedAt}
	return l
}

// BenchmarkStore asks a store of LETTERS dead letters (100,000) and MESSAGES
// messages (1,000,000) without Kafka, and tells what they take in memory.
func BenchmarkStore(b *testing.B) {
	letters, messages := size(b, "LETTERS", 100_000), size(b, "MESSAGES", 1_000_000)
	before := live()
	s := New(Config{DeadLetters: dlq, Log: zerolog.Nop(), Destinations: []Destination{{Name: "onboarding", Ledger: ledgerName, Status: statusName}}})
	start := time.Now()
	for n := range letters {
		s.takeLetter(benchLetter(n), nil)
	}
	s.merge()
	for n := range letters {
		if l := benchLetter(n); n%10 == 0 {
			s.takeAudits([]audits.Entry{{Audit: deadletter.Audit{
				ID: l.ID(), Origin: deadletter.Origin(source, l.Partition, l.Offset), Replay: 1, Plan: "p", Series: "p", State: deadletter.Published, By: "jane", At: time.Now(),
			}, Place: reread.Place{Partition: int32(n % 12), Offset: int64(n)}}})
		} else if n%3 == 0 {
			s.states.Ledger("onboarding", ledger.AppendKey(nil, l.Action, l.IdempotencyKey()), ledger.Entry{State: ledger.Dead, Time: time.Now()}.AppendValue(nil))
		}
	}
	taken := time.Since(start)
	withLetters := live()
	start = time.Now()
	benchMessages(s, messages)
	s.loaded = true
	s.settle()
	taken += time.Since(start)
	var system runtime.MemStats
	runtime.ReadMemStats(&system)
	all := live()
	b.Run("Taken", func(b *testing.B) { // as a whole, once
		for b.Loop() {
		}
		b.ReportMetric(float64(all-before)/(1<<20), "MiB")
		b.ReportMetric(float64(system.Sys)/(1<<20), "MiB-system") // with what the collector hasn't given back
		b.ReportMetric(float64(withLetters-before)/float64(letters), "B/letter")
		b.ReportMetric(float64(all-withLetters)/float64(messages), "B/message")
		b.ReportMetric(taken.Seconds(), "s")
		b.ReportMetric(0, "ns/op")
	})
	benchQueries(b, s)
	runtime.KeepAlive(s)
}

// benchMessages has a status topic of 12 partitions speak of messages of a week, in
// three records each, of which compaction has left the last of most.
func benchMessages(s *Store, messages int) {
	const block = 1000
	end := []status.State{status.Delivered, status.Delivered, status.Delivered, status.Read, status.Undelivered, status.Sent, status.Failed}
	for from := 0; from < messages; from += block {
		var said []records.Record
		for n := from; n < min(from+block, messages); n++ {
			l := &deadletter.Record{Action: fmt.Sprint("action-", n%8), MessageID: fmt.Sprint("message-", n), Partition: from / block % 12}
			at := time.Now().Add(-time.Duration(n%604800) * time.Second)
			if n%10 == 0 {
				said = append(said, recordOf(statusOf(l, status.Accepted, at, int64(n)), n))
			}
			said = append(said, recordOf(statusOf(l, end[n%len(end)], at, int64(n)), n))
		}
		s.messages.Take("onboarding", statusName, from/block%12, s.messages.Parse("onboarding", s.states.Delivery, said), s.now())
		for i := range said {
			s.states.Status("onboarding", said[i].Key, said[i].Value)
		}
	}
}

func recordOf(m kafka.Message, n int) records.Record {
	return records.Record{Offset: int64(n), Time: time.Now(), Key: m.Key, Value: m.Value}
}

// asked runs a query again and again. Beside others' work the least time tells more
// than the mean, and the most is what somebody waits.
func asked(b *testing.B, name string, query func() error) {
	b.Run(name, func(b *testing.B) {
		least, most := time.Hour, time.Duration(0)
		for b.Loop() {
			start := time.Now()
			if err := query(); err != nil {
				b.Fatal(err)
			}
			took := time.Since(start)
			least, most = min(least, took), max(most, took)
		}
		b.ReportMetric(least.Seconds()*1000, "ms-least")
		b.ReportMetric(most.Seconds()*1000, "ms-most")
	})
}

func benchQueries(b *testing.B, s *Store) {
	filters := map[string]deadletter.Filter{
		"all": {}, "reason": {Reasons: []string{"expired"}}, "open": {States: []deadletter.State{deadletter.StateOpen}},
		"day": {Since: time.Now().Add(-24 * time.Hour)}, "user": {Users: []string{"u77"}}, "prefix": {IDPrefix: "ab"},
	}
	for name, f := range filters {
		asked(b, "Groups/"+name, func() error { _, err := s.Groups(b.Context(), f); return err })
	}
	asked(b, "Histogram", func() error {
		_, err := s.Histogram(b.Context(), deadletter.Filter{}, time.Hour)
		return err
	})
	asked(b, "Rows", func() error { // of a page, but for its texts
		s.each(&deadletter.Filter{}, nil, func(*row) bool { return true })
		return nil
	})
	for _, span := range []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		asked(b, fmt.Sprint("Funnel/", span), func() error { s.Funnel(span); return nil })
	}
	asked(b, "Messages", func() error { s.Messages(7*24*time.Hour, time.Hour); return nil })
	asked(b, "Series", func() error { s.countSeries(); return nil })
	asked(b, "Settle", func() error { // what one round that learnt something holds the lock for
		s.touched.add(1)
		s.settle()
		return nil
	})
}

// BenchmarkPages loads LETTERS dead letters (100,000) from the embedded broker, and
// reads pages of them whose texts aren't remembered.
func BenchmarkPages(b *testing.B) {
	n := size(b, "LETTERS", 100_000)
	r := newRig(b)
	for from := 0; from < n; from += 1000 {
		var all []*deadletter.Record
		for i := from; i < min(from+1000, n); i++ {
			l := benchLetter(i)
			l.Value = append(l.Value, make([]byte, 500)...)
			all = append(all, l)
		}
		r.letters(all...)
	}
	start := time.Now()
	s := r.loaded(r.config())
	taken := time.Since(start)
	page := func(f deadletter.Filter, at, rows int) error {
		page, err := s.Letters(b.Context(), f, at, rows)
		if err == nil && page.Partly != "" {
			err = errors.New(page.Partly)
		}
		return err
	}
	at := 0
	for _, rows := range []int{20, 50, 200} {
		asked(b, fmt.Sprint("Letters/", rows), func() error {
			s.again = reread.New(r.Cluster, dlq)
			at += rows
			return page(deadletter.Filter{}, at%(n-rows), rows)
		})
	}
	asked(b, "Letters/scattered", func() error { // each from a batch of its own
		s.again = reread.New(r.Cluster, dlq)
		return page(deadletter.Filter{IDPrefix: "a5"}, 0, 50)
	})
	asked(b, "Letters/remembered", func() error { return page(deadletter.Filter{}, 0, 50) })
	asked(b, "Letter", func() error { _, err := s.Letter(b.Context(), benchLetter(n/2).ID()); return err })
	b.Run("Export", func(b *testing.B) {
		for b.Loop() {
			if err := s.Export(b.Context(), deadletter.Filter{}, func(*deadletter.Record) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e6, "us/letter")
	})
	b.Run("Loaded", func(b *testing.B) { // as a whole, once
		for b.Loop() {
		}
		b.ReportMetric(taken.Seconds()/float64(n)*1e6, "us/letter")
		b.ReportMetric(0, "ns/op")
	})
}
