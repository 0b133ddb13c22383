package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"

	"engage-worker/deadletter"
	"engage-worker/internal/terminal"
)

type dlqListCmd struct {
	dlqFilter
	Limit  int    `help:"How many to a page." default:"20" short:"n"`
	Page   int    `help:"Which page, from 1." default:"1"`
	Output string `help:"How to print: ${enum}." enum:"table,json,csv" default:"table" short:"o"`
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
	return c.dlqFilter.Validate()
}

// Run lists.
func (c *dlqListCmd) Run(ctx context.Context, app *app) error {
	desk, err := openDLQ(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	newest := deadletter.NewNewest(c.Limit * c.Page)
	left, err := desk.read(ctx, app, c.filter(), func(r *deadletter.Record) error {
		newest.Add(r)
		return nil
	})
	if err != nil {
		return err
	}
	left.note(app, desk.reader.Topic)
	records := newest.Records()
	records = records[min(len(records), c.Limit*(c.Page-1)):]
	switch c.Output {
	case "json":
		return c.printJSON(app, newest.Seen(), records)
	case "csv":
		return printListCSV(app, records)
	}
	return c.printTable(app, newest.Seen(), records)
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
}

func listedOf(r *deadletter.Record) listed {
	return listed{
		stamp(r.FailedAt()), r.ID(), r.Reason, string(r.Disposition), r.Destination, r.Action, r.Region, r.TwilioCode,
		r.Recipient, r.UserID, r.MessageID, r.Replays, r.Message, r.Position.String(),
	}
}

func (c *dlqListCmd) printTable(app *app, total int, records []*deadletter.Record) error {
	s := screenOf(app.stdout)
	if len(records) == 0 {
		line := "no dead letters" + c.chosen()
		if total > 0 {
			line = fmt.Sprintf("no dead letters on page %d (of %s)", c.Page, thousands(total))
		}
		_, err := fmt.Fprintln(s, line)
		return err
	}
	t := table{
		header: []string{"FAILED (UTC)", "ID", "REASON", "ACTION", "REGION", "CODE", "RECIPIENT", "REPLAYS", "USER", "MESSAGE"},
		right:  map[int]bool{5: true, 7: true},
		spare:  []int{8, 4, 7, 6, 3, 5},
	}
	const widestUser = 24
	for _, r := range records {
		t.add(shown(r.FailedAt()), r.ID(), r.Reason, r.Action, r.Region, number(r.TwilioCode), r.Recipient, strconv.Itoa(r.Replays), cut(terminal.Plain(r.UserID), widestUser), r.Message)
	}
	if err := t.print(s); err != nil {
		return err
	}
	first := c.Limit * (c.Page - 1)
	last := first + len(records)
	line := fmt.Sprintf("\n%s to %s of %s, newest first", thousands(first+1), thousands(last), thousands(total))
	if last < total {
		line += fmt.Sprintf("; --page %d goes on", c.Page+1)
	}
	_, err := fmt.Fprintln(s, line)
	return err
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (c *dlqListCmd) printJSON(app *app, total int, records []*deadletter.Record) error {
	out := struct {
		Total   int      `json:"total"`
		Page    int      `json:"page"`
		Limit   int      `json:"limit"`
		Records []listed `json:"records"`
	}{total, c.Page, c.Limit, []listed{}}
	for _, r := range records {
		out.Records = append(out.Records, listedOf(r))
	}
	return printJSON(app, out)
}

func printListCSV(app *app, records []*deadletter.Record) error {
	rows := [][]string{{
		"failed_at", "id", "reason", "disposition", "destination", "action", "region", "twilio_code",
		"recipient", "user_id", "message_id", "replays", "message", "position",
	}}
	for _, r := range records {
		l := listedOf(r)
		rows = append(rows, []string{
			l.FailedAt, terminal.Cell(l.ID), terminal.Cell(l.Reason), terminal.Cell(l.Disposition), terminal.Cell(l.Destination), terminal.Cell(l.Action), terminal.Cell(l.Region), number(l.Code),
			terminal.Cell(l.Recipient), terminal.Cell(l.UserID), terminal.Cell(l.MessageID), strconv.Itoa(l.Replays), terminal.Cell(l.Message), l.Position,
		})
	}
	return csv.NewWriter(app.stdout).WriteAll(rows)
}
