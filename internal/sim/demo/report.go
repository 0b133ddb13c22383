package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"engage-worker/internal/sim/sample"
)

const (
	configFile = "engage.yaml"
	eventsFile = "events.jsonl"
)

func (s *show) config() string { return filepath.Join(s.dir, configFile) }

// writeSamples leaves some events for the commands to try next.
func writeSamples(dir string, opts Options) error {
	generator := sample.New(opts.Seed, mix(opts.Rate))
	var text strings.Builder
	for n := 0; n < 10; {
		if ev := generator.Next(); json.Valid(ev.Value) {
			text.Write(ev.Value)
			text.WriteByte('\n')
			n++
		}
	}
	if err := os.WriteFile(filepath.Join(dir, eventsFile), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write sample events: %w", err)
	}
	return nil
}

// report prints what came of it all, and what to try next. Its error is a
// *Failure.
func (s *show) report(r readings, settled bool, v verdict) error {
	if s.screen.tty {
		for _, h := range s.story {
			s.screen.print(" " + styled(dim, clock(h.at)) + "  " + h.text)
		}
	}
	open := 0
	for _, n := range v.expected {
		open += n
	}
	if !settled { // then there is nothing to compare with
		v.expected = nil
	}
	lines, different := table(r.events, v.expected)
	failure := &Failure{Twice: v.twice, Unasked: v.unasked}
	s.screen.print(lines...)
	if settled {
		failure.Lost, failure.Different = v.lost, different
		s.screen.print(" " + column("lost", 24) + score(v.lost) + styled(dim, "   every event was sent, skipped for a reason, or is in the dead-letter topic"))
	} else {
		s.screen.print(fmt.Sprintf(" Stopped with %s deliveries open; their offsets aren't committed, so that nothing is lost.", thousands(max(0, open-settledIn(&r)))))
	}
	s.screen.print(" " + column("sent twice", 24) + score(v.twice) + styled(dim, fmt.Sprintf("   though Twilio accepted %d requests without saying so", r.reconciled["sent"])))
	if v.unasked > 0 {
		s.screen.print(" " + column("sent to the wrong ones", 24) + score(v.unasked))
	}
	s.screen.print("", " To try next:",
		"   "+s.opts.Command+" demo --forever"+styled(dim, "   # goes on, for the other commands to look at from another terminal"),
		"   "+s.opts.Command+" preview --config "+s.config()+" --event "+filepath.Join(s.dir, eventsFile)+styled(dim, "   # what would be sent"),
		"   "+s.opts.Command+" validate --config "+s.config()+styled(dim, "   # the configuration, with every default"),
		styled(dim, " The worker's log is "+filepath.Join(s.dir, "worker.log")), "")
	if *failure != (Failure{}) {
		return failure
	}
	return nil
}

// score is a number that should be zero.
func score(n int) string {
	style := green + bold
	if n > 0 {
		style = red + bold
	}
	return styled(style, column(strconv.Itoa(n), -8))
}

// table compares, by outcome and reason, what was expected of each
// destination with what came. different counts the cells that differ. Without
// anything expected it only shows what came.
func table(actual, expected map[became]int) (lines []string, different int) {
	type row struct{ outcome, reason string }
	var rows []row
	for _, counts := range []map[became]int{actual, expected} {
		for b, n := range counts {
			// Where a delivery was in between is no outcome of it.
			if r := (row{b.outcome, b.reason}); n > 0 && settling[b.outcome] && !slices.Contains(rows, r) {
				rows = append(rows, r)
			}
		}
	}
	rank := func(r row) int { return slices.Index([]string{"sent", "skipped", "dead_letter"}, r.outcome) }
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a.reason, b.reason)) })

	const first, number = 40, -10
	heads, units := column("", first), column("", first)
	for _, d := range destinations {
		heads += column(d.name, 2*number)
		if expected != nil {
			units += column("expected", number) + column("actual", number)
		} else {
			units += column("", number) + column("actual", number)
		}
	}
	lines = []string{"", " " + styled(bold, heads), " " + styled(dim, units)}
	sums := make([][2]int, len(destinations))
	for _, r := range rows {
		title := map[string]string{"sent": "sent", "skipped": "skipped, ", "dead_letter": "dead letter, "}[r.outcome] + r.reason
		line := column(title, first)
		for i, d := range destinations {
			want, got := expected[became{d.name, r.outcome, r.reason}], actual[became{d.name, r.outcome, r.reason}]
			sums[i][0] += want
			sums[i][1] += got
			cell := column(thousands(got), number)
			if expected == nil {
				line += column("", number) + cell
				continue
			}
			if want != got {
				different++
				cell = styled(red+bold, cell)
			}
			line += column(thousands(want), number) + cell
		}
		lines = append(lines, " "+line)
	}
	line := column("deliveries", first)
	for _, sum := range sums {
		want := ""
		if expected != nil {
			want = thousands(sum[0])
		}
		line += column(want, number) + column(thousands(sum[1]), number)
	}
	return append(lines, " "+styled(dim, line), ""), different
}

// hostOf is the host:port of a URL.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
