package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type dlqListCmd struct {
	dlqFilter
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
func (c *dlqListCmd) Validate() error {
	switch {
	case c.Limit < 1 || c.Limit > 1000:
		return errors.New("--limit must be from 1 to 1000; `dlq export` writes any number")
	case c.Page < 1 || c.Page > mostListed/c.Limit:
		return fmt.Errorf("--page must be from 1 to %d at this --limit; choose with the options, or use `dlq export`", mostListed/c.Limit)
	}
	if c.Follow && c.Page > 1 {
		return errors.New("--follow goes on from the first page")
	}
	if err := knownColumns(c.Columns, listColumnNames()); err != nil {
		return err
	}
	return c.dlqFilter.Validate()
}

// knownColumns is an error for a name that is no column's.
func knownColumns(names, known []string) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--columns %s is unknown; known are %s", quoted(name), strings.Join(known, ", "))
		}
	}
	return nil
}

// Run lists.
func (c *dlqListCmd) Run(ctx context.Context, app *app) error {
	desk, err := openDLQ(app)
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
	if newest.Seen() == 0 && !c.Follow {
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	records := newest.Records()
	if pages := (newest.Seen() + c.Limit - 1) / c.Limit; c.Page > max(1, pages) {
		return badInput(fmt.Errorf("--page %d is beyond the end: there are %s", c.Page, plural(pages, "page")))
	}
	records = records[min(len(records), c.Limit*(c.Page-1)):]
	if c.Follow {
		slices.Reverse(records)
		return c.follow(ctx, app, desk, records)
	}
	rows := make([]listed, len(records))
	for i, r := range records {
		rows[i] = c.listed(r)
	}
	switch c.Output {
	case "json":
		return c.printJSON(app, newest.Seen(), rows)
	case "csv":
		return c.printCSV(app, rows, true)
	}
	return c.printTable(app, newest.Seen(), rows)
}

// find finds the newest, with their states; where states aren't chosen by, the topic
// needs to be read only once.
func (c *dlqListCmd) find(ctx context.Context, app *app, desk *dlqDesk, newest *deadletter.Newest) (leftOut, error) {
	if len(c.State) > 0 {
		return desk.readStates(ctx, app, c.filter(), func(r *deadletter.Record) error {
			newest.Add(r)
			return nil
		})
	}
	states, left, err := desk.readOnce(ctx, app, c.filter(), func(r *deadletter.Record, _ *deadletter.States) { newest.Add(r) })
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

// follow prints what there is, and then each that comes.
func (c *dlqListCmd) follow(ctx context.Context, app *app, desk *dlqDesk, records []*deadletter.Record) error {
	t := table{header: c.heads(), right: c.numbers()}
	first := true
	show := func(records ...*deadletter.Record) error {
		rows := make([]listed, len(records))
		for i, r := range records {
			rows[i] = c.listed(r)
		}
		begins := first
		first = false
		switch c.Output {
		case "json":
			for _, row := range rows {
				if err := c.encoder(app).Encode(c.object(row)); err != nil {
					return err
				}
			}
			return nil
		case "csv":
			return c.printCSV(app, rows, begins)
		}
		t.rows = nil
		for _, row := range rows {
			t.add(c.cells(row)...)
		}
		err := t.print(screen{Writer: app.stdout}) // a later row may be wider than a terminal
		t.least = t.widths()
		return err
	}
	if err := show(records...); err != nil {
		return err
	}
	return desk.follow(ctx, c.filter(), func(r *deadletter.Record) error { return show(r) })
}

// listed are the columns of a list: all of a dead letter but the event.
type listed struct {
	FailedAt    string `json:"failed_at"`
	ID          string `json:"id"`
	Reason      string `json:"reason"`
	Disposition string `json:"disposition"`
	Destination string `json:"destination"`
	Action      string `json:"action"`
	Region      string `json:"region"`
	Code        int    `json:"twilio_code"`
	Recipient   string `json:"recipient"`
	UserID      string `json:"user_id"`
	MessageID   string `json:"message_id"`
	Replays     int    `json:"replays"`
	Message     string `json:"message"`
	Position    string `json:"position"`
	Meaning     string `json:"twilio_meaning"`
	State       string `json:"state"`
	StateWhy    string `json:"state_why"`

	failed time.Time
}

func (c *dlqListCmd) listed(r *deadletter.Record) listed {
	l := listed{
		FailedAt: letters.Stamp(r.FailedAt()), ID: r.ID(), State: string(r.State), StateWhy: r.StateWhy, Reason: r.Reason, Disposition: string(r.Disposition), Destination: r.Destination, Action: r.Action,
		Region: r.Region, Code: r.TwilioCode, Recipient: r.Recipient, UserID: r.UserID, MessageID: r.MessageID, Replays: r.Replays,
		Message: r.Message, Position: r.Position.String(), Meaning: letters.CodeMeaning(r.TwilioCode), failed: r.FailedAt(),
	}
	if c.Mask {
		l.UserID, l.MessageID, l.Message = letters.MaskedUser(l.UserID), letters.Masked(l.MessageID), letters.Masked(l.Message)
	}
	return l
}

// listColumn is a column of a list.
type listColumn struct {
	name, head string
	text       func(*dlqListCmd, listed) string
	number     bool
	spare      int // the lower, the sooner it is left out on a narrow terminal; 0: never
}

// listColumns are all columns, in the order of JSON and CSV.
func listColumns() []listColumn {
	return []listColumn{
		{name: "failed_at", head: "FAILED", text: func(_ *dlqListCmd, l listed) string { return l.FailedAt }},
		{name: "id", head: "ID", text: func(_ *dlqListCmd, l listed) string { return l.ID }},
		{name: "reason", head: "REASON", text: func(_ *dlqListCmd, l listed) string { return l.Reason }},
		{name: "disposition", head: "DISPOSITION", text: func(_ *dlqListCmd, l listed) string { return l.Disposition }, spare: 1},
		{name: "destination", head: "DESTINATION", text: func(_ *dlqListCmd, l listed) string { return l.Destination }, spare: 5},
		{name: "action", head: "ACTION", text: func(_ *dlqListCmd, l listed) string { return l.Action }, spare: 7},
		{name: "region", head: "REGION", text: func(_ *dlqListCmd, l listed) string { return l.Region }, spare: 3},
		{name: "twilio_code", head: "CODE", text: func(_ *dlqListCmd, l listed) string { return letters.Number(l.Code) }, number: true, spare: 8},
		{name: "recipient", head: "RECIPIENT", text: func(_ *dlqListCmd, l listed) string { return l.Recipient }, spare: 6},
		{name: "user_id", head: "USER", text: func(_ *dlqListCmd, l listed) string { return l.UserID }, spare: 4},
		{name: "message_id", head: "MESSAGE ID", text: func(_ *dlqListCmd, l listed) string { return l.MessageID }, spare: 4},
		{name: "replays", head: "REPLAYS", text: func(_ *dlqListCmd, l listed) string { return strconv.Itoa(l.Replays) }, number: true, spare: 2},
		{name: "message", head: "MESSAGE", text: func(_ *dlqListCmd, l listed) string { return l.Message }},
		{name: "position", head: "POSITION", text: func(_ *dlqListCmd, l listed) string { return l.Position }, spare: 1},
		{name: "twilio_meaning", head: "MEANING", text: func(_ *dlqListCmd, l listed) string { return l.Meaning }},
		{name: "state", head: "STATE", text: func(_ *dlqListCmd, l listed) string { return l.State }, spare: 9},
		{name: "state_why", head: "STATE WHY", text: func(_ *dlqListCmd, l listed) string { return l.StateWhy }},
	}
}

func listColumnNames() (names []string) {
	for _, c := range listColumns() {
		names = append(names, c.name)
	}
	return names
}

// columns are those asked for. Without any, a table has the ones that tell rows
// apart: what Twilio's code means says more than its message, which is the same
// in each row.
func (c *dlqListCmd) columns() []listColumn {
	names := c.Columns
	people := c.Output == "table"
	if len(names) == 0 && people {
		names = strings.Split("failed_at,id,state,reason,destination,action,region,twilio_code,recipient,replays,user_id,twilio_meaning", ",")
	}
	all := listColumns()
	if len(names) == 0 {
		return all
	}
	var some []listColumn
	for _, name := range names {
		column := all[slices.IndexFunc(all, func(c listColumn) bool { return c.name == name })]
		switch {
		case people && name == "failed_at":
			column.head += " (" + c.TZ.String() + ")"
			column.text = func(c *dlqListCmd, l listed) string { return c.TZ.shown(l.failed) }
		case people && name == "twilio_meaning" && len(c.Columns) == 0:
			column.head = "WHAT HAPPENED"
			column.text = func(_ *dlqListCmd, l listed) string { return cmp.Or(l.Meaning, l.Message) }
		case people && name == "user_id":
			const widest = 24
			column.text = func(_ *dlqListCmd, l listed) string { return cut(terminal.Plain(l.UserID), widest) }
		}
		some = append(some, column)
	}
	return some
}

// numbers are the places of columns of numbers.
func (c *dlqListCmd) numbers() map[int]bool {
	places := map[int]bool{}
	for i, column := range c.columns() {
		places[i] = column.number
	}
	return places
}

func (c *dlqListCmd) heads() (heads []string) {
	for _, column := range c.columns() {
		heads = append(heads, column.head)
	}
	return heads
}

func (c *dlqListCmd) cells(l listed) (cells []string) {
	for _, column := range c.columns() {
		cells = append(cells, terminal.Plain(column.text(c, l)))
	}
	return cells
}

func (c *dlqListCmd) printTable(app *app, total int, rows []listed) error {
	s := screenOf(app.stdout)
	if len(rows) == 0 {
		_, err := fmt.Fprintln(s, "no dead letters"+c.chosen())
		return err
	}
	t := table{header: c.heads(), right: c.numbers()}
	if len(c.Columns) == 0 {
		t.spare = spareColumns(c.columns())
	}
	for _, row := range rows {
		t.add(c.cells(row)...)
	}
	if err := t.print(s); err != nil {
		return err
	}
	first := c.Limit * (c.Page - 1)
	last := first + len(rows)
	line := fmt.Sprintf("\n%s to %s of %s, newest first", thousands(first+1), thousands(last), thousands(total))
	if last < total {
		line += fmt.Sprintf("; --page %d goes on", c.Page+1)
	}
	_, err := fmt.Fprintln(s, line)
	return err
}

// spareColumns are the places of those that may be left out, first first.
func spareColumns(columns []listColumn) (spare []int) {
	for i, column := range columns {
		if column.spare > 0 {
			spare = append(spare, i)
		}
	}
	slices.SortStableFunc(spare, func(a, b int) int { return cmp.Compare(columns[a].spare, columns[b].spare) })
	return spare
}

func (c *dlqListCmd) printJSON(app *app, total int, rows []listed) error {
	out := struct {
		Total   int   `json:"total"`
		Page    int   `json:"page"`
		Limit   int   `json:"limit"`
		Records []any `json:"records"`
	}{total, c.Page, c.Limit, []any{}}
	for _, row := range rows {
		out.Records = append(out.Records, c.object(row))
	}
	return printJSON(app, out)
}

// object is a row as JSON has it.
func (c *dlqListCmd) object(row listed) any {
	if len(c.Columns) == 0 {
		return row
	}
	return pick(row, c.Columns)
}

func (c *dlqListCmd) encoder(app *app) *json.Encoder {
	enc := json.NewEncoder(terminal.JSON{To: app.stdout})
	enc.SetEscapeHTML(false)
	return enc
}

func (c *dlqListCmd) printCSV(app *app, rows []listed, header bool) error {
	var lines [][]string
	if header {
		var names []string
		for _, column := range c.columns() {
			names = append(names, column.name)
		}
		lines = append(lines, names)
	}
	for _, row := range rows {
		var cells []string
		for _, column := range c.columns() {
			cell := column.text(c, row)
			if !column.number {
				cell = terminal.Cell(cell)
			}
			cells = append(cells, cell)
		}
		lines = append(lines, cells)
	}
	return csv.NewWriter(app.stdout).WriteAll(lines)
}

// picked is some of a row's members, in the order of their names.
type picked struct {
	names  []string
	values map[string]json.RawMessage
}

// pick is v, a struct, as JSON with only the named members.
func pick(v any, names []string) picked {
	p := picked{names: names}
	// A row is texts and numbers.
	text, _ := json.Marshal(v)
	_ = json.Unmarshal(text, &p.values)
	return p
}

// MarshalJSON writes those that are there.
func (p picked) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for _, name := range p.names {
		value, ok := p.values[name]
		if !ok {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(strconv.AppendQuote(out, name), ':'), value...)
	}
	return append(out, '}'), nil
}
