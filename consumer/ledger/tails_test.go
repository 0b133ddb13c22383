package ledger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// paper is ledgers in memory, by topic and partition.
type paper struct {
	logs  map[string][][]Record
	mu    sync.Mutex
	reads []string // what was read
	fails error
}

func (p *paper) Count(_ context.Context, topics ...string) (map[string]int, error) {
	counts := map[string]int{}
	for _, t := range topics {
		if logs, ok := p.logs[t]; ok {
			counts[t] = len(logs)
		}
	}
	return counts, nil
}

func (p *paper) Ends(_ context.Context, topic string, partitions []int) (ends []int64, _ error) {
	for _, i := range partitions {
		ends = append(ends, int64(len(p.logs[topic][i])))
	}
	return ends, p.fails
}

func (p *paper) Offsets(_ context.Context, topic string, partitions []int, at int64) (offsets []int64, _ error) {
	for _, i := range partitions {
		offsets = append(offsets, int64(slices.IndexFunc(p.logs[topic][i], func(r Record) bool { return r.Time.UnixMilli() >= at })))
	}
	return offsets, nil
}

func (p *paper) Read(ctx context.Context, topic string, partition int, from, end int64, each func(Record)) error {
	for _, r := range p.logs[topic][partition][from:end] {
		p.mu.Lock()
		p.reads = append(p.reads, string(r.Key))
		p.mu.Unlock()
		each(r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (p *paper) write(topic string, partition int, name string, e Entry) {
	logs := &p.logs[topic][partition]
	e.Time = time.Now()
	*logs = append(*logs, Record{Offset: int64(len(*logs)), Time: e.Time, Key: []byte(name), Value: e.AppendValue(nil)})
}

func (p *paper) read() string {
	slices.Sort(p.reads)
	read := strings.Join(p.reads, " ")
	p.reads = nil
	return read
}

func TestTails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{logs: map[string][][]Record{"mine": make([][]Record, 2), "other": make([][]Record, 1), "a stranger's": make([][]Record, 1)}}
		tails := NewTails(p, "mine", []int{0}, []string{"other", "not made yet"})
		look := func(since time.Time, sids ...string) Account {
			t.Helper()
			a, err := tails.Look(t.Context(), since, sids)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		claims := func(a Account, sids ...string) {
			t.Helper()
			for _, sid := range sids {
				if !a.Claimed[sid] {
					t.Errorf("%s isn't accounted for", sid)
				}
			}
			if len(a.Claimed) != len(sids) {
				t.Errorf("%v are accounted for, want %v", a.Claimed, sids)
			}
		}
		p.write("other", 0, "long ago", Entry{State: Sent, SID: "SM0"})
		for range leastTail {
			p.write("other", 0, "old", Entry{State: Refused})
		}
		time.Sleep(time.Hour)
		start := time.Now()
		p.write("mine", 0, "own", Entry{State: Sent, SID: "SM1"})
		p.write("mine", 1, "replica's", Entry{State: Sent, SID: "SM2"})
		p.write("other", 0, "destination's", Entry{State: Sent, SID: "SM3"})
		p.write("other", 0, "open", Entry{State: Intent, Tags: Tags{1, 2}, Generation: 2})
		p.write("a stranger's", 0, "x", Entry{State: Sent, SID: "SM4"})
		a := look(start, "SM0", "SM1", "SM2", "SM3", "SM4")
		claims(a, "SM2", "SM3")
		want := []Doubt{{Tags: Tags{1, 2}, Seen: start}}
		if !slices.Equal(a.Doubts, want) {
			t.Errorf("in doubt is %+v, want %+v", a.Doubts, want)
		}
		p.read()

		// What is new, and nothing else.
		time.Sleep(time.Second)
		p.write("other", 0, "open", Entry{State: Refused, Generation: 1}) // by who has lost the shard
		if a = look(start); len(a.Doubts) != 1 || p.read() != "open" {
			t.Errorf("in doubt is %+v", a.Doubts)
		}
		time.Sleep(time.Second)
		p.write("other", 0, "open", Entry{State: Intent, Tags: Tags{3, 4}, Generation: 1}) // likewise
		if a = look(start); !slices.Equal(a.Doubts, want) || p.read() != "open" {
			t.Errorf("in doubt is %+v, want %+v", a.Doubts, want)
		}
		time.Sleep(time.Second)
		p.write("other", 0, "open", Entry{State: Sent, SID: "SM5", Generation: 2})
		if a = look(start, "SM5"); len(a.Doubts) != 0 || p.read() != "open" {
			t.Errorf("in doubt is %+v", a.Doubts)
		}
		claims(a, "SM5")

		// A look that failed misses nothing.
		p.write("other", 0, "later", Entry{State: Sent, SID: "SM6"})
		p.fails = errors.New("the broker is away")
		time.Sleep(time.Second)
		if _, err := tails.Look(t.Context(), start, nil); !errors.Is(err, p.fails) {
			t.Errorf("%v, want that the broker is away", err)
		}
		p.fails = nil
		claims(look(start, "SM6"), "SM6")

		// From before: all is read anew.
		claims(look(start.Add(-2*time.Hour), "SM0", "SM3"), "SM0", "SM3")
		p.read()

		// And what nobody asks for any more is forgotten.
		time.Sleep(5 * time.Hour)
		p.write("other", 0, "much later", Entry{State: Sent, SID: "SM7"})
		look(time.Now())
		if tails.from.Before(time.Now().Add(-tailSkew)) {
			t.Errorf("tails from %v are kept", tails.from)
		}
	})
}

// TestTailsAreShared: who asks while somebody reads gets that answer.
func TestTailsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{logs: map[string][][]Record{"mine": nil, "other": make([][]Record, 1)}}
		p.write("other", 0, "a", Entry{State: Sent, SID: "SM1"})
		tails := NewTails(p, "mine", nil, []string{"other"})
		tails.busy <- struct{}{} // somebody reads
		for range 5 {
			go func() {
				if a, err := tails.Look(t.Context(), time.Now(), []string{"SM1"}); err != nil || !a.Claimed["SM1"] {
					t.Errorf("%v, %v", a, err)
				}
			}()
		}
		time.Sleep(time.Second)
		p.write("other", 0, "b", Entry{State: Sent, SID: "SM2"})
		<-tails.busy
		synctest.Wait()
		if read := p.read(); read != "a b" {
			t.Errorf("read %q, want each record once", read)
		}
		if _, err := tails.Look(t.Context(), time.Now().Add(-time.Hour), nil); err != nil || p.read() != "a b" {
			t.Errorf("what is older isn't read: %v", err)
		}
		tails.busy <- struct{}{}
		if _, err := tails.Look(t.Context(), time.Now(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want that it takes too long", err)
		}
	})
}

// TestTailsOfACluster reads them in Kafka.
func TestTailsOfACluster(t *testing.T) {
	_, c := start(t)
	open(t, c).must(t, key(1), Entry{State: Sent, SID: "SM1", Time: time.Now()}) // in partition 1
	for owned, want := range map[int]bool{0: true, 1: false} {
		a, err := NewTails(ClusterLogs{c}, topic, []int{owned}, []string{"not made yet"}).Look(t.Context(), time.Now(), []string{"SM1"})
		if err != nil || a.Claimed["SM1"] != want {
			t.Errorf("who owns %d: %+v, %v", owned, a, err)
		}
	}
}
