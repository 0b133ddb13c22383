package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"engage-worker/deadletter"
)

const (
	progressDelay = 500 * time.Millisecond // what is done sooner needs no bar
	progressEvery = 100 * time.Millisecond
)

// showProgress draws a bar on w, if that is a terminal, until stop is called.
func showProgress(w io.Writer, what string, p *deadletter.Progress) (stop func()) {
	s := screenOf(w)
	if s.width == 0 {
		return func() {}
	}
	return drawing(s, func() string {
		done, total := p.Done(), p.Total()
		if total == 0 {
			return what
		}
		return progressLine(what, int(done), int(total), s.width)
	})
}

// drawing redraws a line until stop is called, which takes it away.
func drawing(s screen, line func() string) (stop func()) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		begun, drawn := time.Now(), false
		for {
			select {
			case <-tick.C:
				if time.Since(begun) >= progressDelay {
					fmt.Fprint(s, "\r\x1b[K"+cut(line(), s.width-1))
					drawn = true
				}
			case <-end:
				if drawn {
					fmt.Fprint(s, "\r\x1b[K")
				}
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(end)
		wg.Wait()
	})
}

// progressLine is a bar with figures in at most width columns.
func progressLine(what string, done, total, width int) string {
	figures := fmt.Sprintf(" %3d%%  %s of %s", done*100/total, thousands(done), thousands(total))
	room := min(40, width-len(what)-len(figures)-4)
	switch {
	case len(what)+len(figures) >= width:
		return strings.TrimSpace(figures)
	case room < 5:
		return what + figures
	}
	full := done * room / total
	return what + " " + strings.Repeat("█", full) + strings.Repeat("░", room-full) + figures
}
