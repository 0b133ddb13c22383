package dlq

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"engage-worker/actions/trigger"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/preview"
	"engage-worker/internal/terminal"
)

type Show struct {
	ID   string       `arg:"" help:"The dead letter's id (engage.dlq.id, the second column of list), or its beginning."`
	Mask bool         `help:"Veil phone numbers and mail, and users."`
	TZ   letters.Zone `name:"tz" help:"The time zone of the times: UTC, local, or a name as Europe/Berlin." placeholder:"ZONE"`
}

// death is one of the times that a delivery died.
type death struct {
	at      deadletter.Position
	failed  time.Time
	reason  string
	state   deadletter.State
	replays int
}

// mostDeaths bounds how many deaths of one delivery are shown.
const mostDeaths = 100

// Run shows.
func (c *Show) Run(ctx context.Context, app *cli.App) error {
	if c.ID == "" {
		return cli.BadInput(errors.New("the id is empty; `engage-worker dlq list` shows the ids"))
	}
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	last, deaths, err := c.find(ctx, app, desk)
	if err != nil {
		return err
	}
	replays, err := desk.replaysOf(ctx, last.ID())
	if err != nil {
		return cli.ExplainedLetters(ctx, desk.Desk, err)
	}
	p := &shower{s: terminal.ScreenOf(app.Stdout), zone: c.TZ}
	shown := last
	if c.Mask {
		shown = letters.MaskedRecord(last)
		p.veil = func(text string) string {
			return letters.Masked(strings.ReplaceAll(text, strconv.Quote(last.UserID), strconv.Quote(shown.UserID)))
		}
	}
	p.why(shown)
	p.facts(shown)
	p.history(deaths, replays)
	p.event(shown)
	p.rendered(ctx, desk, last)
	return p.err
}

// find is the last death of the one dead letter with the id, and all of its
// deaths.
func (c *Show) find(ctx context.Context, app *cli.App, desk *reading) (*deadletter.Record, []death, error) {
	const mostNamed = 10 // of those that an id's beginning could mean
	last := map[string]*deadletter.Record{}
	deaths := map[string][]death{}
	more := false
	if _, err := desk.readStates(ctx, app, deadletter.Filter{IDPrefix: c.ID}, func(r *deadletter.Record) error {
		id := r.ID()
		if last[id] == nil && len(last) == mostNamed && id != c.ID {
			more = true
			return nil
		}
		last[id] = r.Clone()
		if len(deaths[id]) < mostDeaths {
			deaths[id] = append(deaths[id], death{at: r.Position, failed: r.FailedAt(), reason: r.Reason, state: r.State, replays: r.Replays})
		}
		return nil
	}); err != nil {
		return nil, nil, err
	}
	ids := slices.Sorted(maps.Keys(last))
	switch {
	case last[c.ID] != nil:
		ids = []string{c.ID}
	case len(ids) == 0:
		return nil, nil, cli.BadInput(fmt.Errorf("%s holds no dead letter with the id %q; `engage-worker dlq list` shows the ids", desk.Reader.Topic, c.ID))
	case len(ids) > 1:
		if more {
			ids = append(ids, "and more")
		}
		return nil, nil, cli.BadInput(fmt.Errorf("%q is the beginning of several ids: %s", c.ID, strings.Join(ids, ", ")))
	}
	return last[ids[0]], deaths[ids[0]], nil
}

// replaysOf is what the audit topic says of a dead letter. No such topic means
// that nothing was ever replayed.
func (d *reading) replaysOf(ctx context.Context, id string) ([]deadletter.Audit, error) {
	audit, err := d.OpenAudit(ctx, false)
	if audit == nil || err != nil {
		return nil, err
	}
	defer audit.Close()
	var steps []deadletter.Audit
	err = audit.Read(ctx, func(a deadletter.Audit) {
		if a.ID == id {
			steps = append(steps, a)
		}
	})
	return deadletter.LastSteps(steps), err
}

// shower prints sections; the first error ends it.
type shower struct {
	s    terminal.Screen
	zone letters.Zone
	veil func(string) string // over what is rendered; nil shows it
	err  error
}

func (p *shower) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.s, format, args...)
	}
}

func (p *shower) section(name string) { p.printf("\n%s\n", p.s.Bold(name)) }

// line prints a fact that is known.
func (p *shower) line(name, value string) {
	if value != "" {
		p.printf("  %-16s %s\n", name, terminal.Plain(value))
	}
}

func (p *shower) why(r *deadletter.Record) {
	p.printf("%s\n", p.s.Bold(terminal.Plain("Dead letter "+r.ID()+": "+r.Reason)))
	e := letters.Explain(r)
	p.line("why", e.Means)
	p.line("what happened", r.Message)
	if r.TwilioCode > 0 {
		p.line("Twilio code", strings.TrimSuffix(fmt.Sprintf("%d: %s", r.TwilioCode, e.Code), ": "))
	}
	p.line("what mends it", e.Mend)
	p.line("state", strings.TrimSuffix(fmt.Sprintf("%s: %s", r.State, e.State), ": "))
	p.line("kind of end", strings.TrimSuffix(fmt.Sprintf("%s: %s", r.Disposition, e.End), ": "))
}

func (p *shower) facts(r *deadletter.Record) {
	p.section("Delivery")
	p.line("destination", r.Destination)
	p.line("action", r.Action)
	p.line("region", r.Region)
	p.line("recipient", r.Recipient)
	p.line("user id", r.UserID)
	p.line("message id", r.MessageID)
	p.line("attempts", letters.Number(r.DeliveryCount))
	p.line("first failed", p.zone.Shown(r.FirstFailedAt))
	p.line("last failed", p.zone.Shown(r.LastFailedAt))
	p.line("HTTP status", letters.Number(r.TwilioStatus))
	p.line("Twilio request", r.RequestID)
	p.line("Twilio message", r.TwilioSID)
	p.line("group", r.Group)
	if r.Topic != "" {
		p.line("event at", deadletter.Origin(r.Topic, r.Partition, r.Offset)+p.at(r.Timestamp))
	}
	if r.Origin != "" {
		p.line("first seen at", r.Origin)
	}
	p.line("dead letter at", r.Position.String()+p.at(r.Position.Time))
}

func (p *shower) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", " + p.zone.Shown(t)
}

func (p *shower) history(deaths []death, replays []deadletter.Audit) {
	p.section("Replays")
	if len(replays) == 0 && len(deaths) == 1 {
		p.printf("  never replayed\n")
		return
	}
	if len(replays) > 0 {
		t := terminal.TableOf("  REPLAY", "STATE", "WHEN ("+p.zone.String()+")", "BY", "PLAN", "WHY")
		for _, a := range replays {
			n := strconv.Itoa(a.Replay)
			if a.State == deadletter.Dismissed || a.State == deadletter.Reopened {
				n = "-"
			}
			t.Add("  "+n, string(a.State), p.zone.Shown(a.At), a.By, a.Plan, a.Why)
		}
		p.table(t)
	}
	if len(deaths) > 1 {
		t := terminal.TableOf("  DIED ("+p.zone.String()+")", "AFTER REPLAYS", "REASON", "STATE", "AT")
		for _, d := range deaths {
			t.Add("  "+p.zone.Shown(d.failed), strconv.Itoa(d.replays), d.reason, string(d.state), d.at.String())
		}
		p.table(t)
	}
}

func (p *shower) table(t *terminal.Table) {
	if p.err == nil {
		p.err = t.Print(p.s)
	}
}

func (p *shower) event(r *deadletter.Record) {
	p.section("Event")
	p.line("key", text(r.Key))
	for _, h := range r.Headers {
		p.line("header", h.Key+"="+text(h.Value))
	}
	if len(r.Value) == 0 {
		what := "the value is empty"
		if r.Value == nil {
			what = "the value is null"
		}
		p.printf("  %s\n", what)
		return
	}
	value, err := trigger.Unframed(r.Value)
	var pretty bytes.Buffer
	if err == nil {
		err = json.Indent(&pretty, value, "  ", "  ")
	}
	if err != nil {
		p.printf("  not JSON, %s: %s\n", terminal.Plural(len(r.Value), "byte"), terminal.Cut(terminal.Plain(text(r.Value)), 2000))
		return
	}
	p.printf("  %s\n", terminal.PlainLines(pretty.String()))
}

// text is b as text, or in base64 when it isn't any.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(b)
}

// rendered shows what the current configuration makes of the event.
func (p *shower) rendered(ctx context.Context, desk *reading, r *deadletter.Record) {
	p.section("What the current configuration would send (nothing is sent)")
	previewer, err := preview.New(desk.Config)
	if err != nil {
		p.printf("  %s\n", terminal.Plain(err.Error()))
		return
	}
	defer previewer.Close()
	ctx, cancel := context.WithTimeout(ctx, preview.LookupTime)
	defer cancel()
	lines, err := previewer.Letter(ctx, r.Destination, r.Action, r.Value)
	if err != nil {
		p.printf("  %s\n", terminal.Plain(err.Error()))
		return
	}
	for _, line := range lines {
		p.line("action", line.Action)
		p.line("decision", line.Verdict())
		if line.Error != nil {
			p.line("because", p.veiled(line.Error.Message))
		}
		p.line("region", line.Region)
		if line.Request == nil {
			continue
		}
		for _, field := range line.Request.Form {
			p.line(field[0], p.veiled(field[1]))
		}
	}
}

func (p *shower) veiled(text string) string {
	if p.veil == nil {
		return text
	}
	return p.veil(text)
}
