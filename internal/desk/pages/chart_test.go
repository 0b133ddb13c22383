package pages

import (
	"fmt"
	"testing"
	"time"
)

// TestChart: bars add up, whatever is merged.
func TestChart(t *testing.T) {
	for _, n := range []int{0, 1, 24, 168, 169, 1000} {
		var from []time.Time
		var counts [][]int
		for i := range n {
			from, counts = append(from, time.Unix(int64(3600*i), 0)), append(counts, []int{i % 3, 1})
		}
		c := newChart(from, time.Hour, []string{"a", "b"}, counts)
		total, want := 0, n
		for i := range n {
			want += i % 3
		}
		for i, b := range c.Bars {
			total += b.N
			if b.To.Sub(b.From)%time.Hour != 0 || i > 0 && !b.From.Equal(c.Bars[i-1].To) || b.Parts[1].Y < -0.001 {
				t.Errorf("%d: %+v", n, b)
			}
		}
		if total != want || len(c.Bars) > mostBars || c.Empty != (n == 0) {
			t.Errorf("%d: %d of %d in %d bars", n, total, want, len(c.Bars))
		}
	}
	if got, want := fmt.Sprint(spark([]int{0, 2, 1})), "0,19.0 4,1.0 8,10.0 "; got != want {
		t.Errorf("%q", got)
	}
}
