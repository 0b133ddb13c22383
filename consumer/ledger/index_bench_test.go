package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkIndex puts what one shard sends in a retention, and tells what a
// delivery takes in memory and how long the look-up of a new one takes.
func BenchmarkIndex(b *testing.B) {
	const retention = 7 * 24 * time.Hour
	for _, n := range []int{10_000, 100_000, 1_000_000, 4_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			var putting, asking time.Duration
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				x := newIndex(retention)
				start := time.Now()
				var recordKey, sid []byte
				for i := range n {
					recordKey = fmt.Appendf(recordKey[:0], "sms\x00m-%d", i)
					sid = fmt.Appendf(sid[:0], "SM%032x", i)
					at := epoch.Add(retention / time.Duration(n) * time.Duration(i))
					x.put(x.keys.of(recordKey), Entry{State: Sent, SID: string(sid), Time: at, Position: Position{1, int64(i)}}, at)
				}
				putting += time.Since(start)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/delivery")
				start = time.Now()
				for i := range 1_000_000 {
					recordKey = fmt.Appendf(recordKey[:0], "sms\x00new-%d", i)
					if _, ok := x.get(x.keys.of(recordKey)); ok {
						b.Fatal("a new delivery is known")
					}
				}
				asking += time.Since(start)
			}
			b.ReportMetric(float64(putting.Nanoseconds())/float64(b.N*n), "ns/put")
			b.ReportMetric(float64(asking.Nanoseconds())/float64(b.N*1_000_000), "ns/look-up")
		})
	}
}
