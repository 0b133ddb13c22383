// Package events is the commands for events: they publish them, show them, tell
// what would be made of them, and send one message of one.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"engage-worker/actions/trigger"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// Consume shows events as they are on the topic. It joins no group.
type Consume struct {
	Last      int      `help:"How many of the last events to show." default:"10" placeholder:"N"`
	Follow    bool     `help:"Go on with those that come, until interrupted." short:"f"`
	User      string   `help:"Only those of a userId or an anonymousId." placeholder:"ID"`
	MessageID string   `name:"message-id" help:"Only those with this messageId." placeholder:"ID"`
	Event     string   `help:"Only those of this event, as \"Audience Entered\"." placeholder:"NAME"`
	Type      string   `help:"Only those of this type, as track." placeholder:"TYPE"`
	Unmasked  bool     `help:"Show phone numbers and addresses of mail as they are."`
	Output    string   `help:"table or json, with the whole event; table on a terminal, else json." enum:",table,json" default:"" placeholder:"table|json" short:"o"`
	Topic     string   `help:"The topic, instead of the configuration's." placeholder:"NAME"`
	Brokers   []string `help:"The brokers, as host:port,... With --topic, no configuration is read." placeholder:"LIST"`
}

// Validate is kong's hook for flags.
func (c *Consume) Validate() error {
	if c.Last < 0 || c.Last > 100_000 {
		return errors.New("--last must be from 0 to 100000")
	}
	if len(c.Brokers) > 0 && c.Topic == "" {
		return errors.New("--brokers needs --topic")
	}
	return nil
}

// Run prints an event a line, the oldest first.
func (c *Consume) Run(ctx context.Context, app *cli.App) error {
	cluster, err := clusterOf(app, c.Brokers, c.Topic)
	if err != nil {
		return err
	}
	tail, err := openTail(ctx, cluster, cluster.Topic)
	if err != nil {
		return err
	}
	defer tail.Close()
	people := c.Output == "table" || c.Output == "" && terminal.ScreenOf(app.Stdout).Styled
	show := func(m kafka.Message) error {
		if !c.wants(&m) {
			return nil
		}
		return c.show(app, m, people)
	}
	if c.Last > 0 {
		messages, err := tail.last(ctx, c.Last, c.wants)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := show(m); err != nil {
				return err
			}
		}
	}
	if !c.Follow {
		return nil
	}
	return cli.Follow(ctx, tail.end, show)
}

// wants reports whether the filters let an event through. What is no event is
// shown where there is no filter.
func (c *Consume) wants(m *kafka.Message) bool {
	if c.User == "" && c.MessageID == "" && c.Event == "" && c.Type == "" {
		return true
	}
	e, err := trigger.ParseRecord(m.Value)
	if err != nil {
		return false
	}
	is := func(want string, fields ...string) bool {
		for _, field := range fields {
			if want == "" || e.Text(field) == want {
				return true
			}
		}
		return false
	}
	return is(c.User, "userId", "anonymousId") && is(c.MessageID, "messageId") && is(c.Event, "event", "name") && is(c.Type, "type")
}

// consumedEvent is a line of JSON.
type consumedEvent struct {
	Partition int             `json:"partition"`
	Offset    int64           `json:"offset"`
	Time      string          `json:"time"`
	Key       *string         `json:"key"`
	Event     json.RawMessage `json:"event,omitempty"`
	Malformed string          `json:"malformed,omitempty"` // what is wrong with a value that is no event
}

func (c *Consume) show(app *cli.App, m kafka.Message, people bool) error {
	e, err := trigger.ParseRecord(m.Value)
	if people {
		what := fmt.Sprintf("%s %q  user %s  messageId %s", e.Text("type"), e.Text("event"), e.Text("userId")+e.Text("anonymousId"), e.Text("messageId"))
		if err != nil {
			what = "malformed: " + err.Error()
		}
		_, err = fmt.Fprintf(app.Stdout, "%s  %d:%d  %s\n", letters.Zone{}.Shown(m.Time), m.Partition, m.Offset, terminal.Plain(c.masked(what)))
		return err
	}
	line := consumedEvent{Partition: m.Partition, Offset: m.Offset, Time: letters.Stamp(m.Time)}
	if m.Key != nil {
		key := c.masked(string(m.Key))
		line.Key = &key
	}
	if err != nil {
		line.Malformed = err.Error()
	} else {
		object, _ := trigger.Unframed(m.Value)
		line.Event = json.RawMessage(c.masked(string(object)))
	}
	return terminal.JSONLines(app.Stdout).Encode(line)
}

func (c *Consume) masked(text string) string {
	if c.Unmasked {
		return text
	}
	return letters.Masked(text)
}

// clusterOf is the cluster of the options, or else the configuration's, with
// the topic of the options.
func clusterOf(app *cli.App, brokers []string, topic string) (config.Kafka, error) {
	if len(brokers) > 0 {
		return config.Kafka{Brokers: brokers, Topic: topic}, nil
	}
	cfg, err := app.Config()
	if err != nil {
		return config.Kafka{}, err
	}
	cluster := cfg.Kafka
	if topic != "" {
		cluster.Topic = topic
	}
	return cluster, nil
}
