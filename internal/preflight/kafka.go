package preflight

import (
	"context"
	"strings"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
)

// Kafka tries the connection, each right, and each topic.
func Kafka(ctx context.Context, client *kafka.Client, cfg *config.Config) []Result {
	reach := "Kafka at " + strings.Join(cfg.Kafka.Brokers, ",")
	specs := topics.Of(cfg)
	problems, err := topics.Check(ctx, client, specs)
	if err != nil {
		return []Result{fails(reach, connect.Explain(err), "")}
	}
	results := []Result{ok(reach)}
	rights, err := Rights(ctx, client, cfg)
	if err != nil {
		rights = []Result{fails("Kafka: rights", connect.Explain(err), "")}
	}
	results = append(results, rights...)
	for _, spec := range specs {
		what := "Kafka: the topic " + spec.Name
		fine := true
		for _, p := range problems {
			if p.Topic != spec.Name {
				continue
			}
			fine = false
			result := Result{What: what, Status: StatusWarning, Problem: p.Message, WayOut: p.WayOut}
			switch {
			case p.Fatal:
				result.Status = StatusFails
			case p.Unchecked:
				result.Status = StatusUnknown
			}
			results = append(results, result)
		}
		if fine {
			results = append(results, ok(what))
		}
	}
	left, err := Leftovers(ctx, client, cfg)
	if err != nil {
		left = []Result{fails("Kafka: topics that are left over", connect.Explain(err), "")}
	}
	backlog, err := Backlog(ctx, client, cfg)
	if err != nil {
		backlog = append(backlog, fails("Kafka: events that aren't read yet", connect.Explain(err), ""))
	}
	return append(append(results, left...), backlog...)
}

// Leftovers looks for records of ours that this configuration doesn't read. The
// error is one of reaching Kafka.
func Leftovers(ctx context.Context, client *kafka.Client, cfg *config.Config) (results []Result, err error) {
	left, err := topics.Leftovers(ctx, client, cfg)
	for _, p := range left {
		results = append(results, Result{What: "Kafka: the topic " + p.Topic, Status: StatusWarning, Problem: p.Message, WayOut: p.WayOut})
	}
	return results, err
}

// Rights tries each right on groups and topics. The error is one of reaching
// Kafka.
func Rights(ctx context.Context, client *kafka.Client, cfg *config.Config) ([]Result, error) {
	rights, err := topics.Rights(ctx, client, topics.Of(cfg), topics.Groups(cfg))
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, r := range rights {
		if r.Granted {
			results = append(results, ok("Kafka: "+r.String()))
		} else {
			result := fails("Kafka: "+r.String(), "this user hasn't the right", r.WayOut())
			if r.Optional() {
				result.Status = StatusWarning
			}
			results = append(results, result)
		}
	}
	return results, nil
}
