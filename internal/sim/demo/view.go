package demo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// view is what the demo shows at one moment.
type view struct {
	elapsed  time.Duration
	events   int // to be produced; 0: no end
	produced int
	accepted int             // by the simulated Twilio
	down     map[string]bool // regions whose vendor is down
	readings
	perSecond map[string]int // messages sent in the last second, by region
	story     []happening
}

// happening is a line of the demo's story.
type happening struct {
	at   time.Duration
	text string
}

func (h happening) String() string { return fmt.Sprintf("%s  %s", clock(h.at), h.text) }

// clock is a time since the start as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

const storyLines = 8 // shown at a time

// picture is the view for a terminal.
func (v *view) picture() []string {
	lines := []string{
		"",
		" " + styled(bold, "engage-worker demo") + styled(dim, "   everything in one process: broker, simulated Twilio, producer, worker") + "   " + clock(v.elapsed),
		"",
		fmt.Sprintf(" events    %s produced%s   Twilio accepted %s messages", column(thousands(v.produced), -7), v.of(), thousands(v.accepted)),
	}
	for _, row := range []struct{ outcome, title, style string }{
		{"sent", "sent", green}, {"skipped", "skipped", ""}, {"dead_letter", "dead", yellow},
	} {
		total, reasons := v.mine(row.outcome)
		line := " " + column(row.title, 9) + styled(row.style+bold, column(thousands(total), -8))
		if row.outcome != "sent" {
			line += "   " + styled(dim, list(reasons))
		}
		lines = append(lines, line)
	}
	lines = append(lines, " "+column("held", 9)+column(thousands(v.held), -8)+styled(dim, "   "+v.waiting()), "")
	lines = append(lines, styled(dim, " region        sent/s   limit/s   in flight   breaker     vendor"))
	for _, name := range slices.Sorted(maps.Keys(v.regions)) {
		lines = append(lines, v.regionLine(name))
	}
	lines = append(lines, "")
	for _, h := range v.story[max(0, len(v.story)-storyLines):] {
		lines = append(lines, " "+styled(dim, clock(h.at))+"  "+h.text)
	}
	return append(lines, "", styled(dim, " Ctrl-C ends it."))
}

func (v *view) of() string {
	if v.events == 0 {
		return ""
	}
	return " of " + thousands(v.events)
}

// mine are the deliveries by outcome, without those that no trigger wanted:
// each destination sees every event, and most are the other's.
func (v *view) mine(outcome string) (total int, reasons []reasonCount) {
	total, reasons = v.by(outcome)
	for i, r := range reasons {
		if r.reason == "no_match" {
			return total - r.n, slices.Delete(reasons, i, i+1)
		}
	}
	return total, reasons
}

// waiting says what became of ambiguous requests and what waits elsewhere.
func (v *view) waiting() string {
	var parts []string
	if n := v.reconciled["sent"]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d unanswered requests found in Twilio's list", n))
	}
	if n := v.reconciled["not_sent"]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d surely not sent", n))
	}
	if v.retries > 0 {
		parts = append(parts, fmt.Sprintf("%d put into a retry topic", v.retries))
	}
	return strings.Join(parts, " · ")
}

func (v *view) regionLine(name string) string {
	r := v.regions[name]
	breaker, vendor := styled(green, column(r.breaker.String(), 12)), styled(green, "up")
	switch r.breaker {
	case breakerOpen:
		breaker = styled(red+bold, column(r.breaker.String(), 12))
	case breakerHalfOpen:
		breaker = styled(yellow, column(r.breaker.String(), 12))
	}
	if v.down[name] {
		vendor = styled(red+bold, "DOWN")
	}
	return " " + styled(cyan, column(name, 12)) + column(strconv.Itoa(v.perSecond[name]), -8) + column(fmt.Sprintf("%.0f", r.rate), -10) +
		column(strconv.Itoa(r.inFlight), -12) + "   " + breaker + vendor
}

// line is the view for a file or a pipe.
func (v *view) line() string {
	sent, _ := v.by("sent")
	skipped, _ := v.mine("skipped")
	dead, _ := v.by("dead_letter")
	var b strings.Builder
	fmt.Fprintf(&b, "%s  produced %d, sent %d, skipped %d, dead letters %d, held %d", clock(v.elapsed), v.produced, sent, skipped, dead, v.held)
	for _, name := range slices.Sorted(maps.Keys(v.regions)) {
		fmt.Fprintf(&b, "; %s %d/s, breaker %s", name, v.perSecond[name], strings.ToLower(v.regions[name].breaker.String()))
	}
	return b.String()
}

// list names reasons with their counts, the most frequent first.
func list(reasons []reasonCount) string {
	parts := make([]string, len(reasons))
	for i, r := range reasons {
		parts[i] = fmt.Sprintf("%s %s", r.reason, thousands(r.n))
	}
	return strings.Join(parts, " · ")
}

// thousands is a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
