package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type dlqStatsCmd struct {
	dlqFilter
	By     []string `help:"What to count by: state, reason, disposition, destination, action, region, code, user, hour, day; several with commas." placeholder:"WHAT"`
	Output string   `help:"How to print: ${enum}." enum:"table,json,csv" default:"table" short:"o"`
}

// Validate is kong's hook for flags.
func (c *dlqStatsCmd) Validate() error {
	for _, name := range c.By {
		if !slices.Contains(deadletter.Dimensions(), deadletter.Dimension(name)) {
			return fmt.Errorf("--by %s is unknown; known are %s", quoted(name), joined(deadletter.Dimensions()))
		}
	}
	return c.dlqFilter.Validate()
}

// Run counts and prints.
func (c *dlqStatsCmd) Run(ctx context.Context, app *app) error {
	desk, err := openDLQ(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	stats := deadletter.NewStats(deadletter.Dimensions()...)
	stats.Location = c.TZ.location
	left, err := c.count(ctx, app, desk, stats)
	if err != nil {
		return err
	}
	left.note(app, desk.Reader.Topic)
	if stats.Total == 0 {
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	by := c.dimensions(stats)
	switch c.Output {
	case "json":
		return c.printJSON(app, desk.Reader.Topic, stats, left, by)
	case "csv":
		return c.printCSV(app, stats, by)
	}
	return c.printTable(app, desk.Reader.Topic, stats, by)
}

// count counts; where states aren't chosen by, the topic needs to be read only once.
func (c *dlqStatsCmd) count(ctx context.Context, app *app, desk *dlqDesk, stats *deadletter.Stats) (leftOut, error) {
	if len(c.State) > 0 {
		return desk.readStates(ctx, app, c.filter(), func(r *deadletter.Record) error {
			stats.Add(r)
			return nil
		})
	}
	var refs []deadletter.Ref
	states, left, err := desk.readOnce(ctx, app, c.filter(), func(r *deadletter.Record, states *deadletter.States) {
		stats.Add(r)
		refs = append(refs, states.Add(r))
	})
	if err == nil {
		err = desk.learn(ctx, app, states)
	}
	counts := map[deadletter.State]int{}
	for _, ref := range refs {
		state, _ := states.OfRef(ref)
		counts[state]++
	}
	for state, n := range counts {
		stats.AddState(state, n)
	}
	return left, err
}

// dimensions are those asked for; or all but users, and of hours and days the one
// that fits on a page.
func (c *dlqStatsCmd) dimensions(stats *deadletter.Stats) []deadletter.Dimension {
	if len(c.By) > 0 {
		by := make([]deadletter.Dimension, len(c.By))
		for i, name := range c.By {
			by[i] = deadletter.Dimension(name)
		}
		return by
	}
	const manyHours = 48
	left := deadletter.ByDay
	if c.Output == "table" && len(stats.Counts(deadletter.ByHour)) > manyHours {
		left = deadletter.ByHour
	}
	return slices.DeleteFunc(deadletter.Dimensions(), func(d deadletter.Dimension) bool { return d == left || d == deadletter.ByUser })
}

func (c *dlqStatsCmd) printTable(app *app, topic string, stats *deadletter.Stats, by []deadletter.Dimension) error {
	s := screenOf(app.stdout)
	if stats.Total == 0 {
		_, err := fmt.Fprintf(s, "%s: no dead letters%s\n", topic, c.chosen())
		return err
	}
	line := fmt.Sprintf("%s: %s%s, failed from %s to %s %s", topic, plural(stats.Total, "dead letter"), c.chosen(), c.TZ.shown(stats.Oldest), c.TZ.shown(stats.Newest), c.TZ)
	if stats.Replayed > 0 {
		line += fmt.Sprintf("; %s died again after a replay", thousands(stats.Replayed))
	}
	if _, err := fmt.Fprintln(s, line); err != nil {
		return err
	}
	for _, d := range by {
		if _, err := fmt.Fprintln(s); err != nil {
			return err
		}
		if err := c.section(s, d, stats); err != nil {
			return err
		}
	}
	return nil
}

// section prints one dimension's counts with bars.
func (c *dlqStatsCmd) section(s screen, d deadletter.Dimension, stats *deadletter.Stats) error {
	counts := stats.Counts(d)
	most := 0
	for _, n := range counts {
		most = max(most, n.N)
	}
	barWidth := 30
	if s.width > 0 {
		const figures = 40 // what the other columns take, mostly
		barWidth = min(barWidth, max(8, (s.width-figures)/2))
	}
	t := table{header: []string{"BY " + upper(d), "COUNT", "SHARE", ""}, right: map[int]bool{1: true, 2: true}}
	if d == deadletter.ByCode {
		t.header = append(t.header, "MEANING")
	}
	const mostUsers = 20
	others := 0
	if d == deadletter.ByUser && len(counts) > mostUsers {
		for _, n := range counts[mostUsers:] {
			others += n.N
		}
		counts = append(counts[:mostUsers:mostUsers], deadletter.Count{Value: fmt.Sprintf("(%s more)", thousands(len(counts)-mostUsers)), N: others})
		most = max(most, others)
	}
	for _, n := range counts {
		row := []string{orUnknown(n.Value), thousands(n.N), share(n.N, stats.Total), bar(n.N, most, barWidth)}
		if d == deadletter.ByCode {
			code, _ := strconv.Atoi(n.Value) // none is 0
			row = append(row, letters.CodeMeaning(code))
		}
		t.add(row...)
	}
	return t.print(s)
}

func upper(d deadletter.Dimension) string {
	if d == deadletter.ByCode {
		return "TWILIO CODE"
	}
	b := []byte(d)
	for i := range b {
		b[i] -= 'a' - 'A'
	}
	return string(b)
}

func orUnknown(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

func share(n, total int) string { return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(total)) }

// chosen says that not all are counted.
func (f *dlqFilter) chosen() string {
	g := f.filter()
	if g.Contains == "" && len(g.States) == 0 && g.Since.IsZero() && g.Until.IsZero() &&
		len(g.Reasons)+len(g.Dispositions)+len(g.Destinations)+len(g.Actions)+len(g.Regions)+len(g.Users)+len(g.MessageIDs)+len(g.Codes) == 0 {
		return ""
	}
	return " that the options choose"
}

// statsJSON is stats as JSON.
type statsJSON struct {
	Topic    string                 `json:"topic"`
	Total    int                    `json:"total"`
	Replayed int                    `json:"replayed"`
	Foreign  int                    `json:"foreign"`
	Repeated int                    `json:"repeated"`
	Oldest   string                 `json:"oldest,omitempty"`
	Newest   string                 `json:"newest,omitempty"`
	By       map[string][]countJSON `json:"by"`
}

type countJSON struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

func (c *dlqStatsCmd) printJSON(app *app, topic string, stats *deadletter.Stats, left leftOut, by []deadletter.Dimension) error {
	out := statsJSON{
		Topic: topic, Total: stats.Total, Replayed: stats.Replayed, Foreign: left.foreign, Repeated: left.repeated,
		Oldest: letters.Stamp(stats.Oldest), Newest: letters.Stamp(stats.Newest), By: map[string][]countJSON{},
	}
	for _, d := range by {
		counts := []countJSON{}
		for _, n := range stats.Counts(d) {
			counts = append(counts, countJSON{n.Value, n.N})
		}
		out.By[string(d)] = counts
	}
	return printJSON(app, out)
}

// printJSON prints v, indented, with < and & as they are.
func printJSON(app *app, v any) error {
	enc := json.NewEncoder(terminal.JSON{To: app.stdout})
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *dlqStatsCmd) printCSV(app *app, stats *deadletter.Stats, by []deadletter.Dimension) error {
	w := csv.NewWriter(app.stdout)
	rows := [][]string{{"by", "value", "count"}}
	for _, d := range by {
		for _, n := range stats.Counts(d) {
			rows = append(rows, []string{string(d), terminal.Cell(n.Value), strconv.Itoa(n.N)})
		}
	}
	return w.WriteAll(rows)
}
