package dlq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type List struct {
	choosing
	Limit   int      `help:"How many to a page." default:"20" short:"n"`
	Page    int      `help:"Which page, from 1." default:"1"`
	Columns []string `help:"Which columns, in this order: ${list_columns}." placeholder:"NAME,..."`
	Mask    bool     `help:"Veil phone numbers and mail in every column, and users."`
	Follow  bool     `help:"Go on with those that come, the newest last, until interrupted." short:"f"`
	Output  string   `help:"How to print: ${enum}." enum:"table,json,csv" default:"table" short:"o"`
}

// most bounds how far one may page: so many are kept in memory.
const mostListed = 100_000

// Validate is kong's hook for flags.
func (c *List) Validate() error {
	switch {
	case c.Limit < 1 || c.Limit > 1000:
		return errors.New("--limit must be from 1 to 1000; `dlq export` writes any number")
	case c.Page < 1 || c.Page > mostListed/c.Limit:
		return fmt.Errorf("--page must be from 1 to %d at this --limit; choose with the options, or use `dlq export`", mostListed/c.Limit)
	}
	if c.Follow && c.Page > 1 {
		return errors.New("--follow goes on from the first page")
	}
	if _, err := letters.Known("--columns", c.Columns, letters.ColumnNames()); err != nil {
		return err
	}
	return c.choosing.Validate()
}

// Run lists.
func (c *List) Run(ctx context.Context, app *cli.App) error {
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	newest := deadletter.NewNewest(c.Limit * c.Page)
	left, err := c.find(ctx, app, desk, newest)
	if err != nil {
		return err
	}
	left.note(app, desk.Reader.Topic)
	total := newest.Seen()
	if total == 0 && !c.Follow {
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	records := newest.Records()
	if pages := (total + c.Limit - 1) / c.Limit; c.Page > max(1, pages) {
		return cli.BadInput(fmt.Errorf("--page %d is beyond the end: there are %s", c.Page, terminal.Plural(pages, "page")))
	}
	records = records[min(len(records), c.Limit*(c.Page-1)):]
	switch {
	case c.Follow:
		show := c.printer(app)
		slices.Reverse(records)
		if err := show(records...); err != nil {
			return err
		}
		return desk.follow(ctx, c.filter, func(r *deadletter.Record) error { return show(r) })
	case c.Output == "json":
		return c.printJSON(app, total, records)
	case c.Output == "table":
		return c.printTable(app, total, records)
	}
	return c.printer(app)(records...)
}

// find finds the newest, with their states; where states aren't chosen by, the topic
// needs to be read only once.
func (c *List) find(ctx context.Context, app *cli.App, desk *reading, newest *deadletter.Newest) (leftOut, error) {
	if len(c.State) > 0 {
		return desk.readStates(ctx, app, c.filter, func(r *deadletter.Record) error {
			newest.Add(r)
			return nil
		})
	}
	states, left, err := desk.readOnce(ctx, app, c.filter, func(r *deadletter.Record, _ *deadletter.States) { newest.Add(r) })
	if err != nil {
		return left, err
	}
	records := newest.Records()
	for _, r := range records {
		states.Add(r)
	}
	if err := desk.learn(ctx, app, states); err != nil {
		return left, err
	}
	for _, r := range records {
		r.State, r.StateWhy = states.Of(r)
	}
	return left, nil
}

// columns are those asked for. Without any, a table has the ones that tell rows
// apart: what Twilio's code means says more than its message, which is the same
// in each row.
func (c *List) columns() []letters.Column {
	names, all := c.Columns, letters.Columns()
	people := c.Output == "table"
	switch {
	case len(names) == 0 && !people:
		return all
	case len(names) == 0:
		names = strings.Split("failed_at,id,state,reason,destination,action,region,twilio_code,recipient,replays,user_id,twilio_meaning", ",")
	}
	some := make([]letters.Column, len(names))
	for i, name := range names {
		column := all[slices.IndexFunc(all, func(c letters.Column) bool { return c.Name == name })]
		column.Head = strings.ToUpper(column.Head)
		text := column.Text
		switch {
		case people && name == "failed_at":
			column.Head += " (" + c.TZ.String() + ")"
			column.Text = func(r *deadletter.Record) string { return c.TZ.Shown(r.FailedAt()) }
		case people && name == "twilio_meaning" && len(c.Columns) == 0:
			column.Head = "WHAT HAPPENED"
			column.Text = func(r *deadletter.Record) string { return cmp.Or(text(r), r.Message) }
		case people && name == "user_id":
			const widest = 24
			column.Text = func(r *deadletter.Record) string { return terminal.Cut(terminal.Plain(text(r)), widest) }
		}
		some[i] = column
	}
	return some
}

// writer writes rows below one another.
func (c *List) writer(app *cli.App, columns []letters.Column) rowWriter {
	heads, names := make([]terminal.Column, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		heads[i], names[i] = terminal.Column{Head: column.Head, Right: column.Number}, column.Name
		if len(c.Columns) == 0 {
			heads[i].Spare = column.Spare
		}
	}
	switch c.Output {
	case "json":
		return jsonRows{terminal.JSON{To: app.Stdout}}
	case "csv":
		return newCSVRows(app.Stdout, names)
	}
	screen := terminal.ScreenOf(app.Stdout)
	if c.Follow {
		screen.Width = 0 // a later row may be wider than a terminal
	}
	return tableRows{terminal.NewTable(heads...), screen}
}

// printer prints rows of dead letters, below one another from call to call.
func (c *List) printer(app *cli.App) func(...*deadletter.Record) error {
	columns := c.columns()
	w := c.writer(app, columns)
	return func(records ...*deadletter.Record) error {
		for _, r := range records {
			if err := w.Write(c.row(columns, r)); err != nil {
				return err
			}
		}
		return w.Flush()
	}
}

func (c *List) row(columns []letters.Column, r *deadletter.Record) []cell {
	if c.Mask {
		r = letters.MaskedRecord(r)
	}
	row := make([]cell, len(columns))
	for i, column := range columns {
		row[i] = cell{name: column.Name, text: column.Text(r), number: column.Number}
	}
	return row
}

func (c *List) printTable(app *cli.App, total int, records []*deadletter.Record) error {
	if len(records) == 0 {
		_, err := fmt.Fprintln(app.Stdout, "no dead letters"+c.chosen())
		return err
	}
	if err := c.printer(app)(records...); err != nil {
		return err
	}
	first := c.Limit * (c.Page - 1)
	last := first + len(records)
	line := fmt.Sprintf("\n%s to %s of %s, newest first", terminal.Thousands(first+1), terminal.Thousands(last), terminal.Thousands(total))
	if last < total {
		line += fmt.Sprintf("; --page %d goes on", c.Page+1)
	}
	_, err := fmt.Fprintln(app.Stdout, line)
	return err
}

func (c *List) printJSON(app *cli.App, total int, records []*deadletter.Record) error {
	columns, rows := c.columns(), make([]json.RawMessage, len(records))
	for i, r := range records {
		rows[i] = object(c.row(columns, r))
	}
	return app.PrintJSON(struct {
		Total   int               `json:"total"`
		Page    int               `json:"page"`
		Limit   int               `json:"limit"`
		Records []json.RawMessage `json:"records"`
	}{total, c.Page, c.Limit, rows})
}
