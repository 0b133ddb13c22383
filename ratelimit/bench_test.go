package ratelimit

import (
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
