package pages

import (
	"fmt"
	"time"

	"engage-worker/internal/desk/words"
)

// chart is a row of bars, in units of which a bar takes barWidth and the highest
// chartHeight.
type chart struct {
	Bars   []bar
	Width  int
	Height int
	Max    int
	Empty  bool
}

type bar struct {
	From, To time.Time
	X        int
	N        int
	Parts    []part // from the bottom up
	Title    string
}

type part struct {
	Class string
	N     int
	Y, H  float64
}

const (
	barWidth    = 10
	chartHeight = 100
	mostBars    = 168
)

// newChart draws counts by steps of time, of several classes each.
func newChart(from []time.Time, step time.Duration, classes []string, counts [][]int) chart {
	merge := (len(from) + mostBars - 1) / mostBars
	c := chart{Height: chartHeight, Empty: true}
	for i := 0; i < len(from); i += merge {
		b := bar{From: from[i], To: from[i].Add(step * time.Duration(merge)), X: barWidth * len(c.Bars)}
		for k, class := range classes {
			n := 0
			for j := i; j < min(i+merge, len(from)); j++ {
				n += counts[j][k]
			}
			b.Parts, b.N = append(b.Parts, part{Class: class, N: n}), b.N+n
		}
		c.Bars, c.Max = append(c.Bars, b), max(c.Max, b.N)
	}
	c.Width, c.Empty = barWidth*max(1, len(c.Bars)), c.Max == 0
	for i := range c.Bars {
		b := &c.Bars[i]
		top := float64(chartHeight)
		b.Title = words.When(b.From) + ": " + words.Count(b.N)
		for k := range b.Parts {
			p := &b.Parts[k]
			p.H = chartHeight * float64(p.N) / float64(max(1, c.Max))
			top -= p.H
			p.Y = top
			if p.N > 0 && len(b.Parts) > 1 {
				b.Title += fmt.Sprintf(", %s %s", words.Count(p.N), p.Class)
			}
		}
	}
	return c
}

// First and Last are when a chart that isn't empty begins and ends.
func (c chart) First() time.Time { return c.Bars[0].From }
func (c chart) Last() time.Time  { return c.Bars[len(c.Bars)-1].To }

// spark is a trend as the points of a line, in a box of 24 by 1 units of 4 by 20.
func spark(trend []int) string {
	most, points := 1, ""
	for _, n := range trend {
		most = max(most, n)
	}
	for i, n := range trend {
		points += fmt.Sprintf("%d,%.1f ", 4*i, 19-18*float64(n)/float64(most))
	}
	return points
}
