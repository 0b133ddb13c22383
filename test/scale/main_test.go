package main

import (
	"math"
	"os"
	"strings"
	"testing"
)

// TestTable holds docs/scale.md to the program.
func TestTable(t *testing.T) {
	var table strings.Builder
	if err := write(&table, usual()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/scale.md doesn't have what make scale prints:\n%s", table.String())
	}
}

func TestLevel(t *testing.T) {
	for _, test := range []struct {
		rate  float64
		needs []float64
		want  float64
	}{{10, []float64{1, 2, 20, 20}, 3.5}, {10, []float64{20, 20}, 5}, {10, []float64{1, 2}, math.Inf(1)}} {
		if got := level(test.rate, test.needs); got != test.want {
			t.Errorf("level(%v, %v) is %v, want %v", test.rate, test.needs, got, test.want)
		}
	}
}

// TestBreaks: what breaks first is what its limit says, at that rate and not before.
func TestBreaks(t *testing.T) {
	p := usual()[0]
	what, at := p.breaks()
	before, after := p, p
	before.Rate, after.Rate = at*0.999, at*1.001
	if what != "ledger's memory" || before.figures().memory > memoryEach || after.figures().memory < memoryEach {
		t.Errorf("%s at %v/s: %v and %v bytes, of %v", what, at, before.figures().memory, after.figures().memory, float64(memoryEach))
	}
	p.Busy = 0 // nothing to remember
	if what, _ := p.breaks(); what != "in flight" {
		t.Errorf("without a ledger %s breaks first", what)
	}
	p.Partitions *= 1000
	if what, at := p.breaks(); what != "partitions" || at > 1 {
		t.Errorf("with 12,000 partitions %s breaks first, at %v/s", what, at)
	}
}
