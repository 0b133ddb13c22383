package letters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/pause"
)

// Desk is a connection to the dead letters of a configuration. It is safe for
// concurrent use.
type Desk struct {
	Config  *config.Config
	Cluster *records.Cluster
	Reader  *deadletter.Reader
}

// Open prepares to connect. Close it in the end.
func Open(cfg *config.Config) (*Desk, error) {
	client, err := connect.Client(cfg.Kafka)
	if err != nil {
		return nil, err
	}
	cluster := records.NewCluster(client, records.Options{})
	return &Desk{Config: cfg, Cluster: cluster, Reader: &deadletter.Reader{Cluster: cluster, Topic: cfg.DeadLetterTopic()}}, nil
}

// Close gives up the connections.
func (d *Desk) Close() {
	d.Cluster.Close()
	connect.CloseClient(d.Cluster.Client)
}

// PresentName is what an action is called now.
func (d *Desk) PresentName(destination, action string) string {
	named := d.Config.Named(destination)
	if named == nil {
		return action
	}
	for _, a := range named.Actions {
		if slices.Contains(a.FormerNames, action) {
			return a.Name
		}
	}
	return action
}

// Sources are the topics that tell what became of dead letters, but for the
// record of replays.
func (d *Desk) Sources() deadletter.Sources {
	return deadletter.Sources{Cluster: d.Cluster, Ledger: d.Config.LedgerTopic, Status: d.Config.StatusTopic}
}

// Planner plans what the filter chooses; what else is asked for is the caller's
// to say. It has no Audit. An error is the configuration's.
func (d *Desk) Planner() (deadletter.Planner, error) {
	takes, err := d.takes()
	if err != nil {
		return deadletter.Planner{}, err
	}
	var destinations []string
	for _, to := range d.Config.Destinations {
		destinations = append(append(destinations, to.Name), to.FormerNames...)
	}
	return deadletter.Planner{
		Sources: d.Sources(), Reader: d.Reader, Source: d.Config.Kafka.Topic, Destinations: destinations,
		Present: d.PresentName, Takes: takes, Memory: d.Config.Ledger.Retention,
	}, nil
}

// OpenAudit opens the record of replays. Where there is none it is nil without an
// error, or with create it is made: those who never replay need no such topic.
// Close it in the end.
func (d *Desk) OpenAudit(ctx context.Context, create bool) (*deadletter.AuditLog, error) {
	topic := deadletter.AuditTopic(d.Reader.Topic)
	audit, err := deadletter.OpenAudit(ctx, d.Cluster, topic)
	switch {
	case !errors.Is(err, kafka.UnknownTopicOrPartition):
		return audit, err
	case !create:
		return nil, nil
	}
	if _, err := topics.Ensure(ctx, d.Cluster.Client, []topics.Spec{
		{Name: d.Config.Kafka.Topic, Role: topics.RoleSource},
		{Name: topic, Role: topics.RoleReplays},
	}, topics.Sizes{}); err != nil {
		return nil, fmt.Errorf("make the replays' record %s: %w", topic, err)
	}
	// Another may have made it just now, and what is known of the cluster is older.
	for end := time.Now().Add(madeWithin); ; {
		audit, err := deadletter.OpenAudit(ctx, d.Cluster, topic)
		if !errors.Is(err, kafka.UnknownTopicOrPartition) || time.Now().After(end) || !pause.For(ctx, 100*time.Millisecond) {
			return audit, err
		}
	}
}

// madeWithin is how long a topic that was made may not be known.
const madeWithin = 15 * time.Second

// Explain puts an error of Kafka's into words, in one line.
func (d *Desk) Explain(err error) string {
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		// Kafka hides a topic from those who may not describe it.
		return fmt.Sprintf("a topic is missing, or this user may not see it (%s is where the dead letters would be): run `engage-worker topics create`, correct kafka.topic and kafka.deadLetterTopic, or give the user the ACL to describe and read", d.Reader.Topic)
	}
	return connect.Explain(err)
}
