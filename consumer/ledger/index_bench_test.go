package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkIndex puts sent entries, and tells what each takes in memory.
func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			now := time.Now()
			sids := make([]string, n)
			for i := range sids {
				sids[i] = fmt.Sprintf("SM%032x", i)
			}
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				x := newIndex(time.Hour)
				for i, sid := range sids {
					x.put(x.keys.of(key(i)), Entry{State: Sent, SID: sid, Time: now, Position: Position{1, int64(i)}}, now)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/entry")
				runtime.KeepAlive(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}
