package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	progressDelay = 500 * time.Millisecond // what is done sooner needs no bar
	progressEvery = 100 * time.Millisecond
)

// Progress draws what goes on, and how far it is, on w, if that is a terminal,
// until stop is called, which takes it away. A total of 0 isn't known yet.
func Progress(w io.Writer, what string, far func() (done, total int64)) (stop func()) {
	s := ScreenOf(w)
	if s.Width == 0 {
		return func() {}
	}
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		begun, drawn := time.Now(), false
		for {
			select {
			case <-tick.C:
				if time.Since(begun) < progressDelay {
					continue
				}
				line := what
				if done, total := far(); total > 0 {
					line = progressLine(what, int(done), int(total), s.Width)
				}
				fmt.Fprint(s, "\r\x1b[K"+Cut(line, s.Width-1))
				drawn = true
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
	figures := fmt.Sprintf(" %3d%%  %s of %s", done*100/total, Thousands(done), Thousands(total))
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
