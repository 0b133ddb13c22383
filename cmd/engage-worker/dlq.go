package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
)

// dlqCmd is what analysts look at the dead letters with.
type dlqCmd struct {
	Stats  dlqStatsCmd  `cmd:"" help:"Count the dead letters by reason, action, region, Twilio code, hour and more."`
	List   dlqListCmd   `cmd:"" help:"List dead letters, newest first."`
	Show   dlqShowCmd   `cmd:"" help:"Show everything of one dead letter: why, what mends it, the event, what would be sent now, its replays."`
	Export dlqExportCmd `cmd:"" help:"Write dead letters as JSON Lines, CSV or Parquet."`
	Replay dlqReplayCmd `cmd:"" help:"Send dead letters again: shows a plan, and carries it out when told to."`
}

// Validate is kong's hook. It refuses options without a value: where a script's
// variable is empty, they would choose everything.
func (c *dlqCmd) Validate(kctx *kong.Context) error {
	for _, p := range kctx.Path {
		if p.Flag == nil {
			continue
		}
		empty := false
		switch v := kctx.FlagValue(p.Flag).(type) {
		case string:
			empty = v == ""
		case []string:
			empty = len(v) == 0 || slices.Contains(v, "")
		case []int:
			empty = len(v) == 0
		}
		if empty {
			return fmt.Errorf("--%s needs a value", p.Flag.Name)
		}
	}
	return nil
}

// dlqFilter are the options that choose dead letters. Of several values of an
// option any may match; all options must.
type dlqFilter struct {
	Reason      []string  `help:"Only with this engage.reason, such as opted_out." placeholder:"REASON"`
	Disposition []string  `help:"Only of this disposition: permanent, exhausted, ambiguous, expired, malformed." placeholder:"KIND"`
	Destination []string  `help:"Only of this destination." placeholder:"NAME"`
	Action      []string  `help:"Only of this action." placeholder:"NAME"`
	Region      []string  `help:"Only of this region." placeholder:"NAME"`
	User        []string  `help:"Only of this user id." placeholder:"ID" sep:"none"`
	MessageID   []string  `help:"Only of the event with this messageId." placeholder:"ID" sep:"none"`
	Code        []int     `help:"Only with this error code of Twilio's." placeholder:"N"`
	Since       timePoint `help:"Only what failed then or later: 24h or 7d ago, 2026-03-01, or 2026-03-01T10:00:00Z. Without a zone: UTC." placeholder:"WHEN"`
	Until       timePoint `help:"Only what failed before then." placeholder:"WHEN"`
	Contains    string    `help:"Only with this text in the event or in what went wrong, exactly as written." placeholder:"TEXT"`
}

// Validate is kong's hook for flags.
func (f *dlqFilter) Validate() error {
	for _, name := range f.Reason {
		if r, ok := outcome.ParseReason(name); !ok || r < outcome.ReasonMalformedEvent {
			return fmt.Errorf("--reason %s is unknown; the reasons are %s", quoted(name), strings.Join(failureReasons(), ", "))
		}
	}
	for _, name := range f.Disposition {
		if !deadletter.Disposition(name).Valid() {
			return fmt.Errorf("--disposition %s is unknown; there are %s", quoted(name), joined(deadletter.Dispositions()))
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until.Time) {
		return errors.New("--since must be before --until")
	}
	return nil
}

func (f *dlqFilter) filter() deadletter.Filter {
	filter := deadletter.Filter{
		Reasons: f.Reason, Destinations: f.Destination, Actions: f.Action, Regions: f.Region, Users: f.User,
		MessageIDs: f.MessageID, Codes: f.Code, Since: f.Since.Time, Until: f.Until.Time, Contains: f.Contains,
	}
	for _, name := range f.Disposition {
		filter.Dispositions = append(filter.Dispositions, deadletter.Disposition(name))
	}
	return filter
}

// failureReasons are the reasons that dead letters have.
func failureReasons() []string {
	var names []string
	for r := outcome.ReasonMalformedEvent; r <= outcome.ReasonExpired; r++ {
		names = append(names, r.String())
	}
	return names
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// joined lists words for people.
func joined[T ~string](words []T) string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = string(w)
	}
	return strings.Join(s, ", ")
}

// dlqDesk is a connection to the configured dead-letter topic.
type dlqDesk struct {
	cfg     *config.Config
	cluster *records.Cluster
	reader  *deadletter.Reader
}

// openDLQ reads the configuration and prepares to connect. Close it in the end.
func openDLQ(app *app) (*dlqDesk, error) {
	cfg, err := app.config()
	if err != nil {
		return nil, err
	}
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return nil, badInput(err)
	}
	cluster := records.NewCluster(client, records.Options{})
	return &dlqDesk{cfg, cluster, &deadletter.Reader{Cluster: cluster, Topic: cfg.DeadLetterTopic()}}, nil
}

// Close gives up the connections.
func (d *dlqDesk) Close() {
	d.cluster.Close()
	connect.CloseClient(d.cluster.Client)
}

// read calls each for the dead letters that the filter chooses, while a bar
// shows how far it is. Its error is already in plain words.
func (d *dlqDesk) read(ctx context.Context, app *app, filter deadletter.Filter, each func(*deadletter.Record) error) (leftOut, error) {
	var left leftOut
	spans, err := d.reader.Spans(ctx, filter.Since)
	if err != nil {
		return left, d.explained(ctx, err)
	}
	progress := new(deadletter.Progress)
	stop := showProgress(app.stderr, "reading "+d.reader.Topic, progress)
	defer stop()
	fold := deadletter.NewFold()
	err = d.reader.Read(ctx, spans, progress, func(r *deadletter.Record, fault error) error {
		// What one header doesn't tell doesn't make the letter less dead.
		switch {
		case errors.Is(fault, deadletter.ErrForeign):
			left.foreign++
		case fold.Repeated(r):
			left.repeated++
		case filter.Match(r):
			return each(r)
		}
		return nil
	})
	left.gone = int(progress.Gone())
	return left, d.explained(ctx, err)
}

// leftOut counts what a reading of the topic left out.
type leftOut struct {
	foreign  int // records that are no dead letters
	repeated int // records that say again what another one says
	gone     int // offsets that retention deleted meanwhile
}

// note says it on standard error.
func (l leftOut) note(app *app, topic string) {
	for _, part := range []struct {
		n   int
		why string
	}{
		{l.foreign, "not written by engage-worker"},
		{l.repeated, "written twice"},
		{l.gone, "deleted by retention before they were read"},
	} {
		if part.n > 0 {
			fmt.Fprintf(app.stderr, "engage-worker: left out %s of %s: %s\n", plural(part.n, "record"), topic, part.why)
		}
	}
}

// explained puts what went wrong into one line. What the caller can't help by
// trying again (no broker, no permission, no topic) is bad input.
func (d *dlqDesk) explained(ctx context.Context, err error) error {
	var own *dlqError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	case ctx.Err() != nil:
		return errors.New("interrupted; what was shown or written is not everything")
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		// Kafka hides a topic from those who may not describe it.
		return badInput(fmt.Errorf("a topic is missing, or this user may not see it (%s is where the dead letters would be): run `engage-worker topics create`, correct kafka.topic and kafka.deadLetterTopic, or give the user the ACL to describe and read", d.reader.Topic))
	}
	return badInput(errors.New(connect.Explain(err)))
}

// dlqError is an error that isn't Kafka's and says all itself.
type dlqError struct{ err error }

func (e *dlqError) Error() string { return e.err.Error() }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands writes n with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	var groups []string
	for len(s) > 3 && s[0] != '-' {
		groups = append(groups, s[len(s)-3:])
		s = s[:len(s)-3]
	}
	groups = append(groups, s)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}
