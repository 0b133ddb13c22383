package ratelimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"engage-worker/internal/metrics"
)

func benchGate(inFlight int) *Gate {
	c := with(wide, func(c *Config) { c.MaxInFlight = inFlight })
	g := New("us", c, metrics.New(prometheus.NewRegistry()), zerolog.Nop())
	share(g, 1)
	time.Sleep(Window + 10*time.Millisecond)
	return g
}

func BenchmarkUncontended(b *testing.B) {
	g := benchGate(8)
	b.ReportAllocs()
	for b.Loop() {
		p, err := g.Acquire(b.Context(), Request{})
		if err != nil {
			b.Fatal(err)
		}
		p.Done(Verdict{Kind: Delivered})
	}
}

func BenchmarkContended512(b *testing.B) {
	g := benchGate(128)
	b.ReportAllocs()
	b.SetParallelism(256) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := g.Acquire(b.Context(), Request{})
			if err != nil {
				b.Error(err)
				return
			}
			p.Done(Verdict{Kind: Delivered})
		}
	})
}

// BenchmarkHear is what an ask of one of many replicas costs each of them, of
// whom all lack slots.
func BenchmarkHear(b *testing.B) {
	for _, replicas := range []int{10, 100, 300} {
		b.Run(fmt.Sprint(replicas, " replicas"), func(b *testing.B) {
			now := time.Now()
			n, span := slotsOf(10_000)
			s := &slots{span: span}
			book := newBook("r0", "us", n, s)
			book.setParts([]Part{{0, 1 / float64(replicas), now.Add(24 * time.Hour)}}, true, now)
			now = now.Add(5 * time.Second)
			book.tick(n, now)
			hear := func(i int) {
				now = now.Add(time.Second / 4 / time.Duration(replicas))
				book.hear(Note{From: fmt.Sprint("r", 1+i%(replicas-1)), Rate: "us", Of: n, Seq: uint64(i + 1), Ask: &Ask{Held: n / replicas, Demand: n}}, now)
			}
			i := 0
			for ; i < 2*replicas; i++ {
				hear(i)
			}
			b.Run("ask", func(b *testing.B) {
				for b.Loop() {
					hear(i)
					i++
				}
			})
			b.Run("tick", func(b *testing.B) {
				for b.Loop() {
					book.tick(n, now)
				}
			})
		})
	}
}
