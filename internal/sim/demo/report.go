package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
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
	width := s.screen.room()
	if s.screen.tty {
		for _, h := range s.story {
			s.screen.print(wrap(" "+styled(dim, clock(h.at))+"  ", h.text, width)...)
		}
	}
	open := 0
	for _, n := range v.expected {
		open += n
	}
	if !settled { // then there is nothing to compare with
		v.expected = nil
	}
	lines, different := table(r.events, v.expected, s.others)
	failure := &Failure{Twice: v.twice, Unasked: v.unasked}
	f := r.funnel(s.tally.made() + s.others)
	s.screen.print(lines...)
	if settled {
		failure.Lost, failure.Different = v.lost, different
		s.screen.print(" " + column("lost", 24) + score(v.lost) + styled(dim, "   each is sent, skipped, or a dead letter"))
	} else {
		s.screen.print(wrap(" ", fmt.Sprintf("Stopped with %s deliveries open; their offsets aren't committed, so that nothing is lost.", thousands(max(0, open+s.others*len(destinations)-settledIn(&r)))), width)...)
	}
	s.screen.print(" " + column("sent twice", 24) + score(v.twice) + styled(dim, fmt.Sprintf("   Twilio accepted %d without saying so", r.reconciled["sent"])))
	if settled {
		failure.Untold = v.untold
		s.screen.print(" " + column("ends told wrongly", 24) + score(v.untold) + styled(dim, "   as Twilio says, each failure a dead letter"))
	}
	if v.unasked > 0 {
		s.screen.print(" " + column("sent to the wrong ones", 24) + score(v.unasked))
	}
	if s.others > 0 {
		s.screen.print(" " + column("others' events", 24) + column(thousands(s.others), -8) + styled(dim, "   not made by the demo: counted apart"))
	}
	s.screen.print("")
	s.screen.print(f.lines()...)
	s.screen.print(" To try next:")
	for _, next := range [][2]string{
		{"goes on, for the other commands to look at from another terminal", "demo --forever"},
		{"what would be sent", "preview --config " + s.config() + " " + filepath.Join(s.dir, eventsFile)},
		{"the configuration, with every default", "validate --config " + s.config()},
	} {
		s.screen.print(styled(dim, "   # "+next[0]))
		s.screen.print(command(s.opts.Command+" "+next[1], width)...)
	}
	s.screen.print(styled(dim, " The worker's log is "+filepath.Join(s.dir, "worker.log")), "")
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
// destination with what came. What others' events came to is beyond what was
// expected, at most one delivery of each destination for an event. different
// counts the cells that differ otherwise. Without anything expected it only
// shows what came.
func table(actual, expected map[became]int, others int) (lines []string, different int) {
	const first, number, theirs = 36, -9, -7
	heads, units := column("", first), column("", first)
	for _, d := range destinations {
		heads += column(d.name, 2*number)
		if expected != nil {
			units += column("expected", number) + column("actual", number)
		} else {
			units += column("", number) + column("actual", number)
		}
	}
	compared := expected != nil
	if compared && others > 0 {
		units += column("others", theirs)
	}
	lines = []string{"", " " + styled(bold, heads), " " + styled(dim, units)}
	sums := make([][2]int, len(destinations))
	for _, r := range outcomes(actual, expected) {
		title := map[string]string{"sent": "sent", "skipped": "skipped, ", "dead_letter": "dead letter, "}[r.outcome] + r.reason
		line := column(title, first)
		beyond := 0
		for i, d := range destinations {
			want, got := expected[became{d.name, r.outcome, r.reason}], actual[became{d.name, r.outcome, r.reason}]
			sums[i][0] += want
			sums[i][1] += got
			beyond += got - want
			cell := column(thousands(got), number)
			if !compared {
				line += column("", number) + cell
				continue
			}
			if got < want || got > want+others {
				different++
				cell = styled(red+bold, cell)
			}
			line += column(thousands(want), number) + cell
		}
		if compared && others > 0 {
			line += column(thousands(beyond), theirs)
		}
		lines = append(lines, " "+line)
	}
	line, beyond := column("deliveries", first), 0
	for _, sum := range sums {
		want := ""
		if compared {
			want = thousands(sum[0])
			if sum[1] > sum[0]+others {
				different++
			}
		}
		beyond += sum[1] - sum[0]
		line += column(want, number) + column(thousands(sum[1]), number)
	}
	if compared && others > 0 {
		line += column(thousands(beyond), theirs)
	}
	return append(lines, " "+styled(dim, line), ""), different
}

// ended is what became of deliveries for good, whatever their destination.
type ended struct{ outcome, reason string }

// outcomes are those of the counts, in the table's order.
func outcomes(all ...map[became]int) (rows []ended) {
	for _, counts := range all {
		for b, n := range counts {
			// Where a delivery was in between is no outcome of it.
			if r := (ended{b.outcome, b.reason}); n > 0 && settling[b.outcome] && !slices.Contains(rows, r) {
				rows = append(rows, r)
			}
		}
	}
	rank := func(r ended) int { return slices.Index([]string{"sent", "skipped", "dead_letter"}, r.outcome) }
	slices.SortFunc(rows, func(a, b ended) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a.reason, b.reason)) })
	return rows
}
