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
	others   int             // events that the demo didn't make
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

// picture is the view for a terminal of a width and a height. It adds up: each
// event makes one delivery of each destination. Where it is too high, the
// numbers stand alone.
func (v *view) picture(width, height int) []string {
	lines := v.draw(width, height, true)
	if len(lines) >= height {
		lines = v.draw(width, height, false)
	}
	return lines
}

func (v *view) draw(width, height int, remarks bool) []string {
	sent, _ := v.by("sent")
	unwanted, skipped, skips := v.skips()
	dead, deaths := v.by("dead_letter")
	deliveries := len(destinations) * (v.produced + v.others)
	title := "  broker, simulated Twilio, producer and worker"
	if width < 80 {
		title = ""
	}
	lines := []string{
		"",
		" " + styled(bold, "engage-worker demo") + "  " + clock(v.elapsed) + styled(dim, title),
		"",
	}
	add := func(name, style string, n int, remark string) {
		line := " " + column(name, 13) + styled(style, column(thousands(n), -9))
		if !remarks {
			remark = ""
		}
		if remark != "" {
			line += "  "
		}
		lines = append(lines, wrap(line, styleEach(dim, remark), width)...)
	}
	add("events", "", v.produced+v.others, v.ofEvents())
	add("deliveries", "", deliveries, fmt.Sprintf("each event under each of %d destinations", len(destinations)))
	add("  unwanted", "", unwanted, "no trigger is for the event")
	f := v.funnel(v.produced + v.others)
	add("  sent", green+bold, sent, f.became())
	add("  skipped", "", skipped, list(skips))
	add("  dead letter", yellow+bold, dead, list(deaths))
	add("  open", "", max(0, deliveries-unwanted-sent-skipped-dead), v.waiting())
	add("Twilio", "", v.accepted, v.acceptance())
	lines = append(lines, "")
	lines = append(lines, v.regionLines(width)...)
	lines = append(lines, "")
	end := []string{"", styled(dim, " Ctrl-C ends it.")}
	return append(append(lines, v.tale(width, height-1-len(lines)-len(end))...), end...)
}

// ofEvents says how many events there will be, and whose they are.
func (v *view) ofEvents() string {
	var parts []string
	if v.events > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s made", thousands(v.produced), thousands(v.events)))
	}
	if v.others > 0 {
		parts = append(parts, thousands(v.others)+" by others")
	}
	return strings.Join(parts, ", ")
}

// tale is the end of the story, in at most n lines, but one happening.
func (v *view) tale(width, n int) (lines []string) {
	for _, h := range slices.Backward(v.story) {
		told := wrap(" "+styled(dim, clock(h.at))+"  ", h.text, width)
		if len(lines) > 0 && len(lines)+len(told) > n {
			break
		}
		lines = append(told, lines...)
	}
	return lines
}

// skips are the deliveries that weren't to be sent, apart from those that no
// trigger wanted: each destination sees every event, and most are the other's.
func (v *view) skips() (unwanted, skipped int, reasons []reasonCount) {
	skipped, reasons = v.by("skipped")
	for i, r := range reasons {
		if r.reason == "no_match" {
			return r.n, skipped - r.n, slices.Delete(reasons, i, i+1)
		}
	}
	return 0, skipped, reasons
}

// waiting says what of the open deliveries waits, and for what.
func (v *view) waiting() string {
	var parts []string
	if v.held > 0 {
		parts = append(parts, thousands(v.held)+" of them held")
	}
	if v.retries > 0 {
		parts = append(parts, thousands(v.retries)+" put into a retry topic so far")
	}
	return strings.Join(parts, " · ")
}

// acceptance says how what Twilio accepted is more than what is known as sent.
func (v *view) acceptance() string {
	parts := []string{"messages accepted"}
	if n := v.reconciled["sent"]; n > 0 {
		parts = append(parts, thousands(n)+" unanswered, found in its list")
	}
	if n := v.reconciled["not_sent"]; n > 0 {
		parts = append(parts, thousands(n)+" surely not sent")
	}
	return strings.Join(parts, " · ")
}

// regionLines is a table of the regions; where it is narrow, without limits.
func (v *view) regionLines(width int) []string {
	const whole = 66
	head := " region        sent/s   limit/s   in flight   breaker     vendor"
	if width < whole {
		head = " region        sent/s   breaker     vendor"
	}
	lines := []string{styled(dim, head)}
	for _, name := range slices.Sorted(maps.Keys(v.regions)) {
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
		line := " " + styled(cyan, column(name, 12)) + column(strconv.Itoa(v.perSecond[name]), -8)
		if width >= whole {
			line += column(fmt.Sprintf("%.0f", r.rate), -10) + column(strconv.Itoa(r.inFlight), -12)
		}
		lines = append(lines, line+"   "+breaker+vendor)
	}
	return lines
}

// line is the view for a file or a pipe.
func (v *view) line() string {
	sent, _ := v.by("sent")
	_, skipped, _ := v.skips()
	dead, _ := v.by("dead_letter")
	var b strings.Builder
	f := v.funnel(v.produced)
	fmt.Fprintf(&b, "%s  produced %d, sent %d, delivered %d, failed %d, skipped %d, dead letters %d, held %d", clock(v.elapsed), v.produced, sent, f.delivered, f.failed, skipped, dead, v.held)
	if v.others > 0 {
		fmt.Fprintf(&b, "; %d events by others", v.others)
	}
	for _, name := range slices.Sorted(maps.Keys(v.regions)) {
		fmt.Fprintf(&b, "; %s %d/s, breaker %s", name, v.perSecond[name], strings.ToLower(v.regions[name].breaker.String()))
	}
	return b.String()
}

// list names reasons with their counts, the most frequent first.
func list(reasons []reasonCount) string {
	parts := make([]string, len(reasons))
	for i, r := range reasons {
		parts[i] = r.reason + noBreak + thousands(r.n)
	}
	return strings.Join(parts, " · ")
}

// noBreak keeps a name and its number on one line.
const noBreak = "\u00A0"

// thousands is a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
