package events

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
)

// previewWidth is the text's inside a frame, in columns of a terminal.
const previewWidth = 66

// show prints a line for people: what, to whom, the text, why.
func (p *previewing) show(line preview.Line) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s  %s/%s  %s", terminal.Plain(line.Event.String()), terminal.Plain(cmp.Or(line.Event.MessageID, "(no messageId)")), line.Destination, cmp.Or(line.Action, "-"), strings.ToUpper(line.Decision))
	if line.Reason != "" && line.Reason != line.Decision {
		fmt.Fprintf(&b, ": %s", strings.ReplaceAll(line.Reason, "_", " "))
	}
	b.WriteByte('\n')
	if line.Request != nil {
		showRequest(&b, line)
	}
	if line.Error != nil {
		fmt.Fprintf(&b, "  %s\n", terminal.Plain(line.Error.Message))
	}
	if x := line.Explain; x != nil {
		for _, why := range []string{x.Trigger, x.Recipient, x.Template} {
			if why != "" {
				fmt.Fprintf(&b, "  why: %s\n", terminal.Plain(why))
			}
		}
	}
	for _, w := range line.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", terminal.Plain(w))
	}
	_, err := p.out.WriteString(b.String() + "\n")
	return err
}

// showRequest is a message's ends, its text in a frame, and what it costs.
func showRequest(b *strings.Builder, line preview.Line) {
	fields := map[string]string{}
	var media []string
	for _, field := range line.Request.Form {
		value := terminal.PlainLines(field[1])
		if field[0] != "Body" {
			value = terminal.Plain(value)
		}
		fields[field[0]] = value
		if field[0] == "MediaUrl" {
			media = append(media, value)
		}
	}
	fmt.Fprintf(b, "  to %s  from %s  region %s\n", fields["To"], cmp.Or(fields["From"], fields["MessagingServiceSid"]), line.Region)
	if body := fields["Body"]; body != "" {
		frame(b, body)
	}
	if sid := fields["ContentSid"]; sid != "" {
		fmt.Fprintf(b, "  content template %s %s\n", sid, fields["ContentVariables"])
	}
	for _, address := range media {
		fmt.Fprintf(b, "  media %s\n", address)
	}
	if x := line.Explain; x != nil && x.Segments != nil {
		fmt.Fprintf(b, "  %s of %s, %d units\n", terminal.Plural(x.Segments.Segments, "segment"), x.Encoding, x.Units)
	}
}

// frame draws a box around a text, by the width that a terminal gives it.
func frame(b *strings.Builder, text string) {
	var lines []string
	width := 0
	for line := range strings.SplitSeq(strings.NewReplacer("\t", "    ", "\r", "").Replace(text), "\n") {
		for part := range strings.SplitSeq(runewidth.Wrap(line, previewWidth), "\n") {
			lines = append(lines, part)
			width = max(width, runewidth.StringWidth(part))
		}
	}
	fmt.Fprintf(b, "  ┌%s┐\n", strings.Repeat("─", width+2))
	for _, line := range lines {
		fmt.Fprintf(b, "  │ %s │\n", runewidth.FillRight(line, width))
	}
	fmt.Fprintf(b, "  └%s┘\n", strings.Repeat("─", width+2))
}

// tally counts what came out.
type tally struct {
	events    int
	decisions map[string]int // with the reason, as it is shown
	failed    int
	warnings  int
}

func (t *tally) add(line preview.Line) {
	what := line.Decision
	if line.Reason != "" && line.Reason != line.Decision {
		what += " " + line.Reason
	}
	t.decisions[what]++
	t.warnings += len(line.Warnings)
	if line.Decision == "fail" {
		t.failed++
	}
}

func (t *tally) String() string {
	parts := []string{terminal.Plural(t.events, "event")}
	for _, what := range slices.Sorted(maps.Keys(t.decisions)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.decisions[what], strings.ReplaceAll(what, "_", " ")))
	}
	if t.warnings > 0 {
		parts = append(parts, terminal.Plural(t.warnings, "warning"))
	}
	return strings.Join(parts, ", ")
}
