package dlq

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type Stats struct {
	choosing
	By     []deadletter.Dimension `help:"What to count by: state, reason, disposition, destination, action, region, code, user, hour, day; several with commas." placeholder:"WHAT"`
	Output string                 `help:"How to print: ${enum}." enum:"table,json,csv" default:"table" short:"o"`
}

// Validate is kong's hook for flags.
func (c *Stats) Validate() error {
	if _, err := letters.Known("--by", letters.Texts(c.By), deadletter.Dimensions()); err != nil {
		return err
	}
	return c.choosing.Validate()
}

// Run counts and prints.
func (c *Stats) Run(ctx context.Context, app *cli.App) error {
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	stats := deadletter.NewStats(deadletter.Dimensions()...)
	stats.Location = c.TZ.Location()
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
func (c *Stats) count(ctx context.Context, app *cli.App, desk *reading, stats *deadletter.Stats) (leftOut, error) {
	if len(c.State) > 0 {
		return desk.readStates(ctx, app, c.filter, func(r *deadletter.Record) error {
			stats.Add(r)
			return nil
		})
	}
	var refs []deadletter.Ref
	states, left, err := desk.readOnce(ctx, app, c.filter, func(r *deadletter.Record, states *deadletter.States) {
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
func (c *Stats) dimensions(stats *deadletter.Stats) []deadletter.Dimension {
	if len(c.By) > 0 {
		return c.By
	}
	const manyHours = 48
	left := deadletter.ByDay
	if c.Output == "table" && len(stats.Counts(deadletter.ByHour)) > manyHours {
		left = deadletter.ByHour
	}
	return slices.DeleteFunc(deadletter.Dimensions(), func(d deadletter.Dimension) bool { return d == left || d == deadletter.ByUser })
}

func (c *Stats) printTable(app *cli.App, topic string, stats *deadletter.Stats, by []deadletter.Dimension) error {
	s := terminal.ScreenOf(app.Stdout)
	if stats.Total == 0 {
		_, err := fmt.Fprintf(s, "%s: no dead letters%s\n", topic, c.chosen())
		return err
	}
	line := fmt.Sprintf("%s: %s%s, failed from %s to %s %s", topic, terminal.Plural(stats.Total, "dead letter"), c.chosen(), c.TZ.Shown(stats.Oldest), c.TZ.Shown(stats.Newest), c.TZ)
	if stats.Replayed > 0 {
		line += fmt.Sprintf("; %s died again after a replay", terminal.Thousands(stats.Replayed))
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
func (c *Stats) section(s terminal.Screen, d deadletter.Dimension, stats *deadletter.Stats) error {
	counts := stats.Counts(d)
	most := 0
	for _, n := range counts {
		most = max(most, n.N)
	}
	barWidth := 30
	if s.Width > 0 {
		const figures = 40 // what the other columns take, mostly
		barWidth = min(barWidth, max(8, (s.Width-figures)/2))
	}
	heads := []terminal.Column{{Head: "BY " + strings.ToUpper(string(d))}, {Head: "COUNT", Right: true}, {Head: "SHARE", Right: true}, {}}
	if d == deadletter.ByCode {
		heads[0].Head = "BY TWILIO CODE"
		heads = append(heads, terminal.Column{Head: "MEANING"})
	}
	t := terminal.NewTable(heads...)
	const mostUsers = 20
	others := 0
	if d == deadletter.ByUser && len(counts) > mostUsers {
		for _, n := range counts[mostUsers:] {
			others += n.N
		}
		counts = append(counts[:mostUsers:mostUsers], deadletter.Count{Value: fmt.Sprintf("(%s more)", terminal.Thousands(len(counts)-mostUsers)), N: others})
		most = max(most, others)
	}
	for _, n := range counts {
		share := fmt.Sprintf("%.1f%%", 100*float64(n.N)/float64(stats.Total))
		row := []string{cmp.Or(n.Value, none), terminal.Thousands(n.N), share, terminal.Bar(n.N, most, barWidth)}
		if d == deadletter.ByCode {
			code, _ := strconv.Atoi(n.Value) // none is 0
			row = append(row, letters.CodeMeaning(code))
		}
		t.Add(row...)
	}
	return t.Print(s)
}

// none stands for a fact that is unknown.
const none = "(none)"

func (c *Stats) printJSON(app *cli.App, topic string, stats *deadletter.Stats, left leftOut, by []deadletter.Dimension) error {
	type count struct {
		Value string `json:"value"`
		Count int    `json:"count"`
	}
	counts := map[deadletter.Dimension][]count{}
	for _, d := range by {
		counts[d] = []count{}
		for _, n := range stats.Counts(d) {
			counts[d] = append(counts[d], count{n.Value, n.N})
		}
	}
	return app.PrintJSON(struct {
		Topic    string                           `json:"topic"`
		Total    int                              `json:"total"`
		Replayed int                              `json:"replayed"`
		Foreign  int                              `json:"foreign"`
		Repeated int                              `json:"repeated"`
		Oldest   string                           `json:"oldest,omitempty"`
		Newest   string                           `json:"newest,omitempty"`
		By       map[deadletter.Dimension][]count `json:"by"`
	}{topic, stats.Total, stats.Replayed, left.foreign, left.repeated, letters.Stamp(stats.Oldest), letters.Stamp(stats.Newest), counts})
}

func (c *Stats) printCSV(app *cli.App, stats *deadletter.Stats, by []deadletter.Dimension) error {
	w := csv.NewWriter(app.Stdout)
	rows := [][]string{{"by", "value", "count"}}
	for _, d := range by {
		for _, n := range stats.Counts(d) {
			rows = append(rows, []string{string(d), terminal.Cell(n.Value), strconv.Itoa(n.N)})
		}
	}
	return w.WriteAll(rows)
}
