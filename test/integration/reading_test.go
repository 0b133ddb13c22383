package integration

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAbortedTransactions: what two producers take back between what they
// commit isn't sent, and doesn't hold the offsets up.
func TestAbortedTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 2})
	producers := make([]*kgo.Client, 2)
	for i := range producers {
		p, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.TransactionalID(fmt.Sprintf("%s-%d", r.topic, i)), kgo.DefaultProduceTopic(r.topic))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		producers[i] = p
	}
	// Two transactions at a time, whose records alternate; one of them, and in
	// the end both, are aborted.
	committed, aborted := 0, 200
	for round := range 20 {
		for _, p := range producers {
			if err := p.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			for i, p := range producers {
				n := &aborted
				if i == round%2 {
					n = &committed
				}
				m := person(*n, "")
				*n++
				if err := p.ProduceSync(t.Context(), &kgo.Record{Key: m.Key, Value: m.Value}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, p := range producers {
			if err := p.EndTransaction(t.Context(), kgo.TransactionEndTry(i == round%2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := r.start()
	r.awaitDone(30 * time.Second)
	r.onceEach(200)
	if got := len(r.accepted()); got != 200 {
		t.Errorf("%d messages for 200 committed and %d aborted events", got, aborted-200)
	}
	r.await(10*time.Second, func() error {
		if lag := value(t, w.Registry(), "engage_lag_records", map[string]string{"stream": "source"}); lag != 0 {
			return fmt.Errorf("the lag is %v", lag)
		}
		return nil
	})
}

// TestKafkasQuota: a quota on the worker's reading is kept to without a word,
// and without a new connection. kfake has no quotas.
func TestKafkasQuota(t *testing.T) {
	if !onKafka() {
		t.Skip("needs quotas: ENGAGE_TEST_BROKER=kafka")
	}
	const rate, size, n = 50_000, 1000, 1500
	r := newRig(t, settings{partitions: 3})
	unwanted := make([]kafka.Message, n)
	for i := range unwanted {
		unwanted[i].Value = fmt.Appendf(nil, `{"type":"page","padding":"%*d"}`, size-28, i)
	}
	for batch := range slices.Chunk(unwanted, 30) { // 10 of each partition
		r.produce(batch...)
	}
	quota(t, r.brokers, rate)
	w := r.start()
	start := time.Now()
	read := func() float64 { return value(t, w.Registry(), "engage_records_read_total", nil) }
	next := start
	r.await(3*time.Minute, func() error {
		if got := read(); got < n {
			if time.Since(next) > 0 {
				t.Logf("after %4.1f s: %5.0f records", time.Since(start).Seconds(), got)
				next = time.Now().Add(5 * time.Second)
			}
			return fmt.Errorf("%v of %d records are read", got, n)
		}
		return nil
	})
	t.Logf("%d bytes in %.1f s, of which brokers asked for %.1f s of waiting", n*size, time.Since(start).Seconds(),
		value(t, w.Registry(), "engage_fetch_throttled_seconds_total", nil))
	if value(t, w.Registry(), "engage_fetch_throttled_seconds_total", nil) < 1 {
		t.Error("no broker asked for a pause: what is the quota?")
	}
	if log := r.logs.all(); strings.Contains(log, `"level":"warn"`) || strings.Contains(log, `"level":"error"`) {
		t.Errorf("the log warns:\n%s", log)
	}
}

// quota bounds what the worker's client id may read until the test ends.
func quota(t *testing.T, brokers []string, bytesPerSecond float64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	name := "engage-worker"
	set := func(ctx context.Context, remove bool) {
		req := kmsg.NewPtrAlterClientQuotasRequest()
		req.Entries = []kmsg.AlterClientQuotasRequestEntry{{
			Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "client-id", Name: &name}},
			Ops:    []kmsg.AlterClientQuotasRequestEntryOp{{Key: "consumer_byte_rate", Value: bytesPerSecond, Remove: remove}},
		}}
		res, err := req.RequestWith(ctx, client)
		if err != nil || res.Entries[0].ErrorCode != 0 {
			t.Errorf("set the quota: %v, %+v", err, res)
		}
	}
	set(t.Context(), false)
	t.Cleanup(func() {
		set(context.Background(), true)
		client.Close()
	})
}

// TestQuietPartitions: sockets are a matter of brokers, not of partitions; and
// all partitions are served.
func TestQuietPartitions(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts sockets in /proc")
	}
	sizes := []int{40, 200}
	if os.Getenv("ENGAGE_TEST_THOUSANDS") != "" {
		sizes = []int{200, 1000} // a real broker with 5,000 partitions is slow for all tests behind this one
	} else if onKafka() {
		sizes = []int{200}
	}
	for _, partitions := range sizes {
		t.Run(strconv.Itoa(partitions), func(t *testing.T) {
			r := newRig(t, settings{partitions: partitions})
			r.cfg.Kafka.CommitInterval = time.Second // the default
			r.awaitLeaders(partitions)
			r.produce(people(10, "")...) // so that there is something to wait for
			before := sockets(t, r.brokers)
			w := r.start()
			r.await(2*time.Minute, func() error {
				if n := len(r.accepted()); n != 10 {
					return fmt.Errorf("%d of 10 messages", n)
				}
				if n := value(t, w.Registry(), "engage_shards_restoring", nil); n != 0 {
					return fmt.Errorf("%v ledgers aren't read", n)
				}
				return nil
			})
			const quiet = 4 * time.Second
			most, began := 0, cpuTime()
			for range 20 {
				most = max(most, sockets(t, r.brokers)-before)
				time.Sleep(quiet / 20)
			}
			t.Logf("%d partitions of 4 streams: at most %d sockets to the broker, %.2f%% of a core (with the broker, where that is embedded)",
				partitions, most, 100*float64(cpuTime()-began)/float64(quiet))
			if most >= 20 {
				t.Errorf("%d partitions take %d sockets", partitions, most)
			}
			r.produce(people(3*partitions, "")...)
			r.await(2*time.Minute, func() error {
				if n := len(r.accepted()); n != 3*partitions {
					return fmt.Errorf("%d of %d messages", n, 3*partitions)
				}
				return nil
			})
			r.onceEach(3 * partitions)
		})
	}
}

// awaitLeaders waits until all partitions can be asked: a broker takes a while
// to make thousands.
func (r *rig) awaitLeaders(partitions int) {
	r.t.Helper()
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	retries := r.cfg.RetryTopics("onboarding")
	for _, topic := range append([]string{r.topic, r.cfg.LedgerTopic("onboarding"), r.cfg.DeadLetterTopic()}, retries[:]...) {
		r.await(2*time.Minute, func() error {
			_, err := r.cluster.AllBounds(r.t.Context(), topic, all)
			return err
		})
	}
}

// sockets is the number of this process's connections to a broker, by its port.
func sockets(t *testing.T, brokers []string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			// sl local_address rem_address st
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != "01" { // established
				continue
			}
			_, hex, _ := strings.Cut(fields[2], ":")
			if remote, err := strconv.ParseUint(hex, 16, 16); err == nil && remote == want {
				n++
			}
		}
		f.Close()
	}
	return n
}
