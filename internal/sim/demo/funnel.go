package demo

import (
	"strings"

	"engage-worker/actions/outcome"
)

// funnel is what became of the events, each stage out of the one above it.
type funnel struct {
	read      int // events
	matched   int // deliveries that a trigger wanted
	skipped   int // of them
	refused   int // of them: dead letters, but for those of what failed later
	accepted  int // the rest, by Twilio
	delivered int // of what was accepted
	failed    int // likewise
}

// funnel is that of the readings, of so many events.
func (r *readings) funnel(events int) funnel {
	f := funnel{
		read: events, accepted: r.statuses["accepted"], delivered: r.statuses["delivered"], failed: r.statuses["failed"] + r.statuses["undelivered"],
	}
	for b, n := range r.events {
		switch {
		case b.reason == outcome.ReasonNoMatch.String(), b.reason == outcome.ReasonMalformedEvent.String(), !settling[b.outcome]:
			continue
		case b.outcome == "skipped":
			f.skipped += n
		case b.outcome == "dead_letter":
			f.refused += n
		}
		f.matched += n
	}
	return f
}

// underWay are the accepted messages whose end isn't known yet.
func (f *funnel) underWay() int { return max(0, f.accepted-f.delivered-f.failed) }

// became says what became of the accepted messages.
func (f *funnel) became() string {
	if f.accepted == 0 {
		return ""
	}
	parts := []string{"delivered" + noBreak + thousands(f.delivered)}
	if f.failed > 0 {
		parts = append(parts, "failed"+noBreak+thousands(f.failed))
	}
	if n := f.underWay(); n > 0 {
		parts = append(parts, "under"+noBreak+"way"+noBreak+thousands(n))
	}
	return strings.Join(parts, " · ")
}

// bar is how wide the funnel is drawn at most.
const bar = 30

// lines draw the funnel, 80 columns wide at most.
func (f *funnel) lines() []string {
	lines := []string{" " + styled(bold, "From the event to the person")}
	most := max(1, f.read, f.matched)
	for _, stage := range []struct {
		name, style string
		n           int
		remark      string
	}{
		{"read", "", f.read, "events"},
		{"matched", "", f.matched, "by a trigger"},
		{"  skipped", dim, f.skipped, "not to be sent"},
		{"  refused", yellow, f.refused, "dead letters"},
		{"accepted", "", f.accepted, "by Twilio"},
		{"  delivered", green, f.delivered, ""},
		{"  failed", yellow, f.failed, "dead letters, too"},
	} {
		width := (stage.n*bar + most - 1) / most
		line := " " + column(stage.name, 13) + column(thousands(stage.n), -9) + "  " + styled(stage.style, strings.Repeat("█", width))
		if stage.remark != "" {
			line = column(line, 1+13+9+2+bar+2) + styled(dim, stage.remark)
		}
		lines = append(lines, line)
	}
	return append(lines, "")
}
