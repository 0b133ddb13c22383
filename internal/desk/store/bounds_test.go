package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
)

// ids are the ids of a page, newest first.
func (r *rig) ids(s *Store, f deadletter.Filter) (ids []string) {
	r.t.Helper()
	page, err := s.Letters(r.t.Context(), f, 0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, l := range page.Rows {
		ids = append(ids, l.ID())
	}
	return ids
}

// What is beyond the bound is forgotten, the oldest first, and counted; so it is when
// letters come live.
func TestTheOldestAreForgotten(t *testing.T) {
	r := newRig(t)
	var all []*deadletter.Record
	for n := range 50 {
		all = append(all, letter(n)) // the later, the older
	}
	r.letters(all...)
	cfg := r.config()
	cfg.Limits.Letters = 20
	s := r.loaded(cfg)
	want := func(letters ...*deadletter.Record) (ids []string) {
		for _, l := range letters {
			ids = append(ids, l.ID())
		}
		return ids
	}
	if got := r.ids(s, deadletter.Filter{}); !slices.Equal(got, want(all[:20]...)) || s.Progress().Forgotten != 30 {
		t.Errorf("%s, %+v", got, s.Progress())
	}
	newest := letter(100, func(l *deadletter.Record) { l.LastFailedAt = time.Now().Add(time.Minute) })
	r.letters(newest, letter(101))
	r.await(s, "two more are forgotten", func() bool { return s.Progress().Forgotten == 32 })
	if got := r.ids(s, deadletter.Filter{}); !slices.Equal(got, want(append([]*deadletter.Record{newest}, all[:19]...)...)) {
		t.Errorf("%s", got)
	}
	if _, err := s.Letter(t.Context(), all[30].ID()); !errors.Is(err, ErrUnknown) {
		t.Errorf("a forgotten letter: %v", err)
	}
}

// What many rows have left behind goes with them, and what is of the others stays.
func TestCleanRest(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Limits.Letters = 300
	s := r.loaded(cfg)
	for round := range 8 {
		var all []*deadletter.Record
		for n := range 300 {
			all = append(all, letter(300*round+n, func(l *deadletter.Record) {
				l.Reason, l.LastFailedAt = fmt.Sprint("reason-", round), time.Now().Add(time.Duration(round)*time.Hour)
			}))
		}
		r.letters(all...)
		r.await(s, "the round", func() bool { return s.Progress().Forgotten == 300*round })
		r.replay(deadletter.Filter{Reasons: []string{fmt.Sprint("reason-", round)}}, func(p *deadletter.Replayer) { p.Limit = 10 })
		r.await(s, "ten are replayed", func() bool {
			return len(r.ids(s, deadletter.Filter{States: []deadletter.State{deadletter.StateReplayed}})) == 10
		})
	}
	if s.mu.RLock(); len(s.texts.all) > 20 {
		t.Errorf("%d texts are left", len(s.texts.all))
	}
	s.mu.RUnlock()
}

// What retention deletes in a topic goes here, too.
func TestRetention(t *testing.T) {
	r := newRig(t)
	var all []*deadletter.Record
	for n := range 30 {
		all = append(all, letter(n))
	}
	r.letters(all...)
	for _, l := range all {
		r.said(l, status.Delivered, time.Now(), 1)
	}
	s := r.loaded(r.config())
	if p := s.Progress(); p.Letters != 30 || p.Messages != 30 {
		t.Fatalf("%+v", p)
	}
	r.deleteBefore(dlq, 1, 4)
	r.deleteBefore(statusName, 2, 7)
	r.await(s, "they are gone", func() bool { p := s.Progress(); return p.Letters == 26 && p.Messages == 23 })
	for _, f := range s.Funnel(time.Hour) {
		if f.Accepted != 23 || f.Delivered != 23 {
			t.Errorf("%+v", f)
		}
	}
	if got := r.ids(s, deadletter.Filter{}); len(got) != 26 {
		t.Errorf("%d letters", len(got))
	}
	// A row that goes while it is read is still a row.
	s2 := r.loaded(r.config())
	r.deleteBefore(dlq, 0, 1)
	if got := r.ids(s2, deadletter.Filter{}); len(got) != 26 && len(got) != 25 {
		t.Errorf("%d letters", len(got))
	}
}

// While Kafka is away the store keeps what it has and says so; afterwards it goes on.
func TestKafkaAway(t *testing.T) {
	r := newRig(t)
	r.letters(letter(1), letter(2))
	s := r.loaded(r.config())
	var away atomic.Bool
	away.Store(true)
	r.Broker.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		r.Broker.KeepControl()
		if away.Load() {
			return nil, errors.New("away"), true
		}
		return nil, nil, false
	})
	r.await(s, "it is said", func() bool { return s.Progress().Fault != "" })
	page, err := s.Letters(t.Context(), deadletter.Filter{}, 0, 10)
	if err != nil || page.Total != 2 || len(page.Rows) != 2 || !strings.Contains(page.Partly, "can't be read") || page.Rows[0].Reason != "rate_limited" || page.Rows[0].State != deadletter.StateOpen {
		t.Errorf("%+v, %v", page, err)
	}
	d, err := s.Letter(t.Context(), letter(1).ID())
	if err != nil || d.Partly == "" || d.Record.Reason != "rate_limited" || len(d.Deaths) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if groups, err := s.Groups(t.Context(), deadletter.Filter{}); err != nil || groups.Total != 2 {
		t.Errorf("%+v, %v", groups, err)
	}
	away.Store(false)
	r.await(s, "it goes on", func() bool { return s.Progress().Fault == "" })
	r.letters(letter(3))
	r.await(s, "a third", func() bool { return s.Progress().Letters == 3 })
	if page, err = s.Letters(t.Context(), deadletter.Filter{}, 0, 10); err != nil || page.Partly != "" || page.Rows[0].Message == "" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestMissingTopics(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.DeadLetters = "nowhere"
	s, _ := r.run(cfg)
	r.await(s, "it is said", func() bool { return strings.Contains(s.Progress().Fault, "nowhere is missing") })
	cfg = r.config()
	cfg.Destinations = append(cfg.Destinations, Destination{Name: "new", Ledger: "nowhere.ledger", Status: "nowhere.status"})
	r.letters(letter(1))
	if s := r.loaded(cfg); s.Progress().Letters != 1 || s.Progress().Fault != "" {
		t.Errorf("%+v", s.Progress())
	}
}

// A text is looked for newest first, up to a bound, and that is said.
func TestSearch(t *testing.T) {
	r := newRig(t)
	for from := 0; from < 3000; from += 1000 {
		var all []*deadletter.Record
		for n := from; n < from+1000; n++ {
			all = append(all, letter(n, func(l *deadletter.Record) {
				if n%100 == 7 {
					l.Value = []byte(`{"text":"A Needle in it"}`)
				}
			}))
		}
		r.letters(all...)
	}
	cfg := r.config()
	cfg.Limits.Search = 2000
	s := r.loaded(cfg)
	f := deadletter.Filter{Contains: "needle IN"}
	var page Page
	searched := func() bool {
		var err error
		if page, err = s.Letters(t.Context(), f, 5, 10); err != nil {
			t.Fatal(err)
		}
		return !page.Busy
	}
	r.await(s, "the search ends", searched)
	if page.Total != 20 || len(page.Rows) != 10 || !strings.Contains(page.Partly, "newest 2000 of 3000") || page.Rows[0].MessageID != "m507" {
		t.Errorf("%+v", page)
	}
	// Whoever asks with times that go on, and states, finds in them.
	from := time.Now().Truncate(10 * time.Minute).Add(-20 * time.Minute)
	for n := range 5 {
		since := f
		since.Since = from.Add(time.Duration(n) * time.Second)
		since.States = []deadletter.State{deadletter.StateOpen}
		r.await(s, "the search since then ends", func() bool {
			page, err := s.Letters(t.Context(), since, 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Rows {
				if l.FailedAt().Before(since.Since) {
					t.Errorf("%v is before %v", l.FailedAt(), since.Since)
				}
			}
			return !page.Busy
		})
	}
	if groups, err := s.Groups(t.Context(), f); err != nil || groups.Total != 20 || groups.Partly != page.Partly {
		t.Errorf("%+v, %v", groups, err)
	}
	// What comes is looked through as it comes.
	r.letters(letter(9000, func(l *deadletter.Record) {
		l.Message, l.LastFailedAt = "No NEEDLE in this, but a needle in that", time.Now().Add(time.Minute)
	}))
	r.await(s, "it is found", func() bool { searched(); return page.Total == 21 })
	n := 0
	if err := s.Export(t.Context(), f, func(*deadletter.Record) error { n++; return nil }); err != nil || n != 31 {
		t.Errorf("%d are exported, %v", n, err)
	}
	enough := errors.New("enough")
	if err := s.Export(t.Context(), f, func(*deadletter.Record) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestAmbiguousIDs(t *testing.T) {
	r := newRig(t)
	var all []*deadletter.Record
	for n := range 300 {
		all = append(all, letter(n))
	}
	r.letters(all...)
	s := r.loaded(r.config())
	_, err := s.Letter(t.Context(), all[0].ID()[:1])
	var several *AmbiguousError
	if !errors.As(err, &several) || len(several.IDs) != mostNamed || !several.More {
		t.Errorf("%v: %+v", err, several)
	}
	for _, id := range []string{"", "unheard of", strings.Repeat("f", 17), "é"} {
		if _, err := s.Letter(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Names without end, in letters that somebody else wrote, take no more than their room.
func TestOddTexts(t *testing.T) {
	r := newRig(t)
	var odd []kafka.Message
	for n := range 40 {
		odd = append(odd, deadletter.Encode(letter(n)))
		for i := range odd[n].Headers {
			if odd[n].Headers[i].Key == deadletter.HeaderID {
				odd[n].Headers[i].Value = []byte(fmt.Sprint(n, strings.Repeat("x", textRoom/32)))
			}
		}
	}
	r.Put(dlq, odd...)
	r.Put(dlq, kafka.Message{Value: []byte("?")})
	s := r.loaded(r.config())
	p := s.Progress()
	if p.Letters+p.Forgotten != 40 || p.Forgotten < 8 {
		t.Errorf("%+v", p)
	}
}

// A topic that was made anew has other letters, whatever was there before.
func TestTopicMadeAnew(t *testing.T) {
	r := newRig(t)
	for n := range 9 {
		r.letters(letter(n))
	}
	var skew atomic.Int64
	s := New(r.config())
	s.now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	r.follow(s)
	r.await(s, "nine letters", func() bool { return s.Progress().Letters == 9 })
	if _, err := r.Client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{dlq}}); err != nil {
		t.Fatal(err)
	}
	r.await(s, "it is missing", func() bool { return s.Progress().Fault != "" })
	if s.Progress().Letters != 9 {
		t.Errorf("%+v", s.Progress())
	}
	res, err := r.Client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: dlq, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err = errors.Join(err, res.Errors[dlq]); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; { // the client may not know it yet
		w := &kafka.Writer{Addr: r.Client.Addr, Topic: dlq, Transport: r.Client.Transport, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
		err := w.WriteMessages(t.Context(), deadletter.Encode(letter(1)))
		w.Close()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	r.await(s, "one letter", func() bool {
		skew.Add(int64(time.Second))
		return s.Progress().Letters == 1 && s.Progress().Fault == ""
	})
}
